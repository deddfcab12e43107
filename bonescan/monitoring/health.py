"""What the portal needs to take an upload, asked one by one for `/readyz`. Answers hold no names and no secrets."""

import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import redis
import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

log = structlog.get_logger(__name__)

# The probe is public: what costs a write to the store or a look at every migration is asked at most this often.
REMEMBER_S = 5.0


class Check(TypedDict):
    """One answer: whether it works, and whether uploads depend on it."""

    ok: bool
    needed: bool


def readiness() -> dict[str, Check]:
    """Ask everything; never raises. ``needed`` is False where an upload is still stored without it."""
    return {
        "database": _ask("database", _database_answers, needed=True),
        "migrations": _ask("migrations", _migrations_are_applied, needed=True),
        "storage": _ask("storage", _storage_is_writable, needed=True),
        # Without the broker uploads are stored and wait in the database; without room they will soon be refused.
        "broker": _ask("broker", _broker_answers, needed=False),
        "free_space": _ask("free_space", _there_is_room, needed=False),
    }


def _ask(name: str, question: Callable[[], bool], *, needed: bool) -> Check:
    try:
        ok = question()
    except Exception as error:  # a probe reports every kind of trouble and dies of none
        log.warning("readiness_failed", check=name, kind=type(error).__name__)
        ok = False
    return {"ok": ok, "needed": needed}


def _remembered(question: Callable[[], bool]) -> Callable[[], bool]:
    """Ask at most every REMEMBER_S; a bad answer is not remembered, so that recovery shows at once."""
    good_until = 0.0

    def asked() -> bool:
        nonlocal good_until
        if time.monotonic() < good_until:
            return True
        ok = question()
        good_until = time.monotonic() + REMEMBER_S if ok else 0.0
        return ok

    return asked


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


@_remembered
def _migrations_are_applied() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


@_remembered
def _storage_is_writable() -> bool:
    """Write, and take away again, one byte where uploads go."""
    name = default_storage.save(f"probes/{uuid.uuid4()}", ContentFile(b"0"))
    default_storage.delete(name)
    return True


def _broker_answers() -> bool:
    if not settings.REDIS_URL:
        return Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]).is_dir()
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5)
    try:
        return bool(client.ping())
    finally:
        client.close()


def _there_is_room() -> bool:
    """At least ten of the largest uploads fit on the local disk; object storage has no such limit."""
    places: list[str | Path] = [settings.FILE_UPLOAD_TEMP_DIR]
    if isinstance(default_storage, FileSystemStorage):
        places.append(settings.MEDIA_ROOT if Path(settings.MEDIA_ROOT).exists() else settings.HOME)
    return all(shutil.disk_usage(place).free > 10 * settings.MAX_UPLOAD_BYTES for place in places)
