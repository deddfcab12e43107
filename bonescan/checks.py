"""Start-up checks: what would only show at the first upload is said before the portal starts."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts.mail import mail_is_sent
from inference import card as cards
from inference.errors import WeightsError
from inference.imaging.limits import Limits

# sockaddr_un.sun_path holds 108 bytes on Linux, the closing zero among them (unix(7)); each worker adds "-<pid>".
SOCKET_PATH_MAX_BYTES = 107 - len("-4194304")
SECRET_KEY_MIN_LENGTH = 32

Apps = Sequence[AppConfig] | None


@register(Tags.files)
def paths_are_writable(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Everything that the portal writes to can be written to."""
    places: dict[str, str | Path] = {"BONESCAN_HOME": settings.HOME, "BONESCAN_HOME/tmp": settings.FILE_UPLOAD_TEMP_DIR}
    if not settings.STORAGE_URL:
        places["BONESCAN_HOME/media"] = settings.MEDIA_ROOT
    if not settings.REDIS_URL:
        places["BONESCAN_HOME/queue"] = settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]
    return [
        Error(
            f"{name} cannot be written to ({type(error).__name__}).",
            hint="Make the directory writable for the user that runs the portal, or set BONESCAN_HOME "
            "to a writable directory.",
            id="bonescan.E001",
        )
        for name, place in places.items()
        if (error := _write_problem(Path(place)))
    ]


def _write_problem(place: Path) -> OSError | None:
    probe = place / f".probe-{uuid.uuid4().hex}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        return error
    return None


@register(Tags.security)
def secret_key_is_strong(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Sessions, reset links and the seal of backups hang on it."""
    weak = [key for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if _is_weak(key)]
    if not weak or settings.DEBUG:
        return []
    return [
        Error(
            f"SECRET_KEY (or one of its fallbacks) is shorter than {SECRET_KEY_MIN_LENGTH} characters or too simple.",
            hint="Create one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="bonescan.E002",
        )
    ]


def _is_weak(key: str) -> bool:
    return len(key) < SECRET_KEY_MIN_LENGTH or len(set(key)) < 8 or key.startswith("django-insecure-")


@register(Tags.security)
def passwords_are_hashed_with_argon2(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """The preferred hasher is argon2 and its library is there."""
    try:
        hasher = get_hasher("default")
        hasher._load_library()  # type: ignore[attr-defined]
        algorithm = hasher.algorithm
    except (ImportError, ValueError) as error:
        return [
            Error(f"Passwords cannot be hashed ({error}).", hint="Install requirements.txt.", id="bonescan.E003"),
        ]
    if algorithm == "argon2" or settings.DEBUG:
        return []
    return [Error(f"Passwords are hashed with {algorithm}, not argon2.", id="bonescan.E003")]


@register(Tags.compatibility)
def decode_socket_path_fits(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """A longer path than the kernel takes stops every decode with an obscure error."""
    length = len(os.fsencode(settings.DECODE_SOCKET))
    if length <= SOCKET_PATH_MAX_BYTES:
        return []
    return [
        Error(
            f"DECODE_SOCKET has {length} bytes; with the worker's number at most {SOCKET_PATH_MAX_BYTES} fit.",
            hint="Set DECODE_SOCKET to a short path, for instance in /run or /tmp.",
            id="bonescan.E004",
        )
    ]


@register("weights")
def weights_are_those_of_their_card(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Every installed model is complete, its weights those that the figures in its card belong to. Imports no torch.

    Without the default nothing answers; any other may wait for its repair, it cannot be activated meanwhile.
    """
    found: list[CheckMessage] = []
    for key, folder in sorted((cards.installed() | {cards.SHIPPED.name: cards.SHIPPED}).items()):
        try:
            cards.verified_weights(cards.load_card(folder), folder)
        except WeightsError as error:
            text, hint = f"{key}: {error.message}", f"Code {error.code}."
            if folder == cards.SHIPPED:
                found.append(Error(text, hint=hint, id="bonescan.E005"))
            else:
                found.append(Warning(text, hint=hint, id="bonescan.W005"))
    return found


@register(Tags.compatibility)
def limits_agree(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """What the web process accepts, the decode server must take."""
    try:
        limits = Limits.from_env()
    except ValueError as error:
        return [Error(str(error), hint="Correct or remove the variable.", id="bonescan.E006")]
    if limits.max_input_bytes >= settings.MAX_UPLOAD_BYTES:
        return []
    return [
        Error(
            f"MAX_UPLOAD_BYTES ({settings.MAX_UPLOAD_BYTES}) is more than the decode server takes"
            f" ({limits.max_input_bytes}).",
            hint="Lower MAX_UPLOAD_BYTES or raise BONESCAN_DECODE_MAX_INPUT_BYTES.",
            id="bonescan.E006",
        )
    ]


@register(Tags.security, deploy=True)
def deployment_is_complete(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """What a hospital's installation needs beyond a trial's defaults."""
    found: list[CheckMessage] = []
    if not settings.PUBLIC_URL.startswith("https://"):
        found.append(
            Warning("PUBLIC_URL is not an https address; it is printed in reports and e-mails.", id="bonescan.W001")
        )
    if settings.SECURE and not settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        found.append(
            Warning(
                "SECURE is on but TRUSTED_PROXY_COUNT is 0: behind a proxy, every page redirects to "
                "itself, and sign-in limits use the address of the proxy only.",
                hint="Set TRUSTED_PROXY_COUNT to the number of proxies in front (1 with compose.yaml).",
                id="bonescan.W002",
            )
        )
    if not mail_is_sent():
        found.append(
            Warning(
                "No mail server is configured: messages are dropped, nobody can reset a password without an"
                " administrator, and links for new passwords are shown only to the administrator who asks for them.",
                hint="Set EMAIL_URL, for instance smtp+tls://user:password@mail.example.org:587.",
                id="bonescan.W003",
            )
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") or not settings.REDIS_URL:
        found.append(
            Warning(
                "DATABASE_URL or REDIS_URL is not set: SQLite and the file queue are suitable for one"
                " machine and few users only.",
                id="bonescan.W004",
            )
        )
    return found


@register(Tags.security, deploy=True)
def time_zone_is_stated(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Every time on pages and reports is in the zone of the hospital, which nobody else can know."""
    if settings.TIME_ZONE_IS_STATED:
        return []
    return [
        Warning(
            "TIME_ZONE is not set: pages and reports show the time in UTC.",
            hint="Set TIME_ZONE to the hospital's zone, such as Europe/Lisbon (or to UTC).",
            id="bonescan.W006",
        )
    ]
