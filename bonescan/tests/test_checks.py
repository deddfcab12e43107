"""Start-up checks: each finds its fault, and a complete production environment passes them all."""

import json
import shutil

import pytest
from django.core.checks import Error, Warning

from bonescan import checks
from bonescan.tests.processes import KEY, manage, python
from inference import card

PRODUCTION = {
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "bonescan.hospital.example",
    "CSRF_TRUSTED_ORIGINS": "https://bonescan.hospital.example",
    "PUBLIC_URL": "https://bonescan.hospital.example",
    "DATABASE_URL": "postgres://bonescan:secret@postgres:5432/bonescan",
    "REDIS_URL": "redis://redis:6379/0",
    "EMAIL_URL": "smtp+tls://user:password@mail.hospital.example:587",
    "TRUSTED_PROXY_COUNT": "1",
    "TIME_ZONE": "Europe/Lisbon",
}


def ids(messages: list) -> list[str]:
    return [message.id for message in messages]


def test_a_production_environment_passes_the_deployment_checks_without_a_warning(tmp_path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", BONESCAN_HOME=str(tmp_path), **PRODUCTION)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "no issues (0 silenced)" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"PUBLIC_URL": "http://bonescan.hospital.example"}, "bonescan.W001"),
        ({"TRUSTED_PROXY_COUNT": "0"}, "bonescan.W002"),
        ({"EMAIL_URL": "consolemail://"}, "bonescan.W003"),
        ({"EMAIL_URL": ""}, "bonescan.W003"),
        ({"REDIS_URL": ""}, "bonescan.W004"),
    ],
)
def test_an_incomplete_deployment_is_told_what_is_missing(settings, monkeypatch, changes, found):
    values = {**PRODUCTION, **changes}
    settings.PUBLIC_URL, settings.REDIS_URL = values["PUBLIC_URL"], values["REDIS_URL"]
    settings.SECURE, settings.ALLAUTH_TRUSTED_PROXY_COUNT = True, int(values["TRUSTED_PROXY_COUNT"])
    console = "django.core.mail.backends.console.EmailBackend"
    backends = {"consolemail://": console, "": "accounts.mail.DroppedMail"}
    settings.EMAIL_BACKEND = backends.get(values["EMAIL_URL"], "mail.Other")
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    assert ids(checks.deployment_is_complete(None)) == [found]


@pytest.mark.parametrize("address", [None, "", "consolemail://", "dummymail://"])
def test_a_deployment_without_a_mail_server_is_told_so_and_prints_no_mail(tmp_path, address):
    environment = {**PRODUCTION, "BONESCAN_HOME": str(tmp_path), "EMAIL_URL": address or ""}
    if address is None:
        del environment["EMAIL_URL"]
    code = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "from django.core.mail import send_mail\n"
        "from bonescan.checks import deployment_is_complete\n"
        "print(settings.EMAIL_BACKEND, [found.id for found in deployment_is_complete(None)])\n"
        "send_mail('a subject', 'a secret link', 'from@example.org', ['to@example.org'])"
    )
    done = python(code, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "accounts.mail.DroppedMail ['bonescan.W003']\n"
    assert json.loads(done.stderr)["event"] == "mail_dropped"
    assert not [word for word in ("subject", "secret", "example.org") if word in done.stderr]


def test_a_folder_that_cannot_be_written_to_stops_the_start(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    [message] = checks.paths_are_writable(None)
    assert (message.id, isinstance(message, Error)) == ("bonescan.E001", True)
    assert str(tmp_path) not in message.msg


def test_writable_folders_pass_and_the_probe_is_gone(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    assert checks.paths_are_writable(None) == []
    assert list(settings.MEDIA_ROOT.iterdir()) == []


@pytest.mark.parametrize("key", ["short", "a" * 60, "django-insecure-" + KEY])
def test_a_weak_key_stops_the_start(settings, key):
    settings.DEBUG, settings.SECRET_KEY = False, key
    assert ids(checks.secret_key_is_strong(None)) == ["bonescan.E002"]


def test_a_weak_former_key_stops_the_start_too(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEY, ["old"]
    assert ids(checks.secret_key_is_strong(None)) == ["bonescan.E002"]


def test_passwords_hashed_by_anything_but_argon2_stop_the_start(settings):
    assert checks.passwords_are_hashed_with_argon2(None) == []
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    assert ids(checks.passwords_are_hashed_with_argon2(None)) == ["bonescan.E003"]
    settings.PASSWORD_HASHERS = ["nowhere.Hasher"]
    assert ids(checks.passwords_are_hashed_with_argon2(None)) == ["bonescan.E003"]


@pytest.mark.parametrize(("length", "found"), [(99, []), (100, ["bonescan.E004"])])
def test_a_socket_path_that_leaves_no_room_for_the_workers_number_stops_the_start(settings, length, found):
    settings.DECODE_SOCKET = "/" + "d" * (length - 1)
    assert ids(checks.decode_socket_path_fits(None)) == found


def test_weights_that_are_not_those_of_the_card_stop_the_start(tmp_path, monkeypatch):
    assert checks.weights_are_those_of_their_card(None) == []
    shutil.copytree(card.SHIPPED, tmp_path / "weights")
    monkeypatch.setattr(card, "SHIPPED", tmp_path / "weights")
    name = json.loads((tmp_path / "weights" / card.CARD_NAME).read_text())["weights"]["file"]
    with (tmp_path / "weights" / name).open("ab") as weights:
        weights.write(b"\0")
    [message] = checks.weights_are_those_of_their_card(None)
    assert (message.id, message.hint) == ("bonescan.E005", "Code weights_mismatch.")
    (tmp_path / "weights" / name).unlink()
    assert ids(checks.weights_are_those_of_their_card(None)) == ["bonescan.E005"]


def test_another_model_with_foreign_weights_is_named_and_does_not_stop_the_start(tmp_path, monkeypatch):
    damaged = tmp_path / "bonescan-joint-9.9.9"
    shutil.copytree(card.SHIPPED, damaged)
    monkeypatch.setenv(card.MODELS_VARIABLE, str(tmp_path))
    assert checks.weights_are_those_of_their_card(None) == []
    (damaged / json.loads((damaged / card.CARD_NAME).read_text())["weights"]["file"]).write_bytes(b"others")
    [message] = checks.weights_are_those_of_their_card(None)
    assert (message.id, isinstance(message, Warning)) == ("bonescan.W005", True)
    assert message.msg.startswith("bonescan-joint-9.9.9: ")


def test_an_upload_limit_above_what_the_decoder_takes_stops_the_start(settings, monkeypatch):
    assert checks.limits_agree(None) == []
    settings.MAX_UPLOAD_BYTES = 129 * 1024 * 1024
    assert ids(checks.limits_agree(None)) == ["bonescan.E006"]
    monkeypatch.setenv("BONESCAN_DECODE_MAX_INPUT_BYTES", str(160 * 1024 * 1024))
    assert checks.limits_agree(None) == []
    monkeypatch.setenv("BONESCAN_DECODE_CPU_S", "soon")
    assert ids(checks.limits_agree(None)) == ["bonescan.E006"]


def test_an_installation_is_asked_for_its_time_zone(settings):
    settings.TIME_ZONE_IS_STATED = False
    assert ids(checks.time_zone_is_stated(None)) == ["bonescan.W006"]
    settings.TIME_ZONE_IS_STATED = True
    assert checks.time_zone_is_stated(None) == []
