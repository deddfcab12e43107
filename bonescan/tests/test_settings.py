"""Settings are safe where nothing is said, fail fast where something is wrong, and take secrets from files."""

import json

import pytest

from bonescan.tests.processes import KEY, ROOT, manage, python

SHOW = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in NAMES}, default=str))
"""


def shown(*names: str, **environment: str) -> dict:
    done = python(f"NAMES = {names!r}\n{SHOW}", **environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_without_a_word_everything_is_on_the_safe_side(tmp_path):
    names = [
        *("DEBUG", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"),
        *("SESSION_COOKIE_HTTPONLY", "ALLOWED_HOSTS", "MEDIA_URL", "PASSWORD_HASHERS", "SESSION_IDLE_S"),
    ]
    values = shown(*names, BONESCAN_HOME=str(tmp_path))
    assert values.pop("ALLOWED_HOSTS") == ["localhost", "127.0.0.1", "[::1]"]
    assert values == {
        "DEBUG": False,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "SESSION_COOKIE_HTTPONLY": True,
        "MEDIA_URL": values["MEDIA_URL"],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.Argon2PasswordHasher"],
        "SESSION_IDLE_S": 900,
    }


def test_without_a_key_nothing_starts(tmp_path):
    done = python("import bonescan.settings", SECRET_KEY="", BONESCAN_HOME=str(tmp_path))
    assert done.returncode != 0
    assert "Set SECRET_KEY" in done.stderr


def test_secrets_come_from_files(tmp_path):
    for name, text in (("key", KEY + "-file"), ("url", "postgres://bonescan:pw@postgres:5432/bonescan")):
        (tmp_path / name).write_text(text)
    done = python(
        "from django.conf import settings as s; print(s.SECRET_KEY, s.DATABASES['default']['PASSWORD'])",
        BONESCAN_HOME=str(tmp_path),
        SECRET_KEY="",
        SECRET_KEY_FILE=str(tmp_path / "key"),
        DATABASE_URL_FILE=str(tmp_path / "url"),
    )
    assert done.stdout.split() == [KEY + "-file", "pw"], done.stderr[-1000:]


def test_an_empty_database_address_is_none(tmp_path):
    values = shown("DATABASES", BONESCAN_HOME=str(tmp_path), DATABASE_URL="", REDIS_URL="")
    assert values["DATABASES"]["default"]["NAME"] == str(tmp_path / "bonescan.sqlite3")


@pytest.mark.parametrize("url", ["/srv/files", "gs://bucket", "http://bucket"])
def test_a_store_that_is_not_understood_stops_the_start(tmp_path, url):
    done = python("import bonescan.settings", BONESCAN_HOME=str(tmp_path), STORAGE_URL=url)
    assert done.returncode != 0
    assert "STORAGE_URL must be" in done.stderr


def test_the_example_environment_is_understood_with_every_line_switched_on(tmp_path):
    lines = [line.lstrip("#") for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line]
    assert len(lines) > 8
    example = dict(line.split("=", 1) for line in lines if " " not in line.split("=")[0])
    example |= {"S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}
    values = shown("ALLOWED_HOSTS", "EMAIL_HOST", "STORAGES", BONESCAN_HOME=str(tmp_path), **example)
    assert values["ALLOWED_HOSTS"] == ["bonescan.hospital.example"]
    assert values["EMAIL_HOST"] == "mail.hospital.example"
    assert values["STORAGES"]["default"]["OPTIONS"]["bucket_name"] == "bonescan"


def test_collected_static_files_are_readable_for_a_web_process_of_another_user(tmp_path):
    done = manage(
        *("collectstatic", "--no-input", "--verbosity=0"),
        BONESCAN_HOME=str(tmp_path / "home"),
        STATIC_ROOT=str(tmp_path / "static"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [tmp_path / "static", *(tmp_path / "static").rglob("*")]
    assert len(found) > 20
    assert [path for path in found if path.stat().st_mode & 0o777 != (0o755 if path.is_dir() else 0o644)] == []
