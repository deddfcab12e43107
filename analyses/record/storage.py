"""Files of the record: stored whole under a UUID name, or not at all."""

import errno
import hashlib
import uuid
from dataclasses import dataclass
from typing import BinaryIO, cast

import structlog
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext_lazy as _

from analyses.errors import ServiceError, StorageFull

log = structlog.get_logger(__name__)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL = _("The file store is full. Nothing was stored. Inform the operator and send the film again later.")
AWAY = _("The file store cannot be reached. Try again in a minute, or inform the operator.")
UNAVAILABLE = _("The file store cannot be reached. Nothing was stored. Send the film again in a minute.")


@dataclass(frozen=True)
class StoredFile:
    """Where an original lies, and what proves that it is unaltered."""

    name: str
    sha256: str
    size_bytes: int


def store_original(upload: File, folder: str = "originals") -> StoredFile:
    """Hash an upload and store its bytes under ``<folder>/<uuid>``.

    Read in chunks. An upload that the web server already wrote to a temporary file on the same disk is only renamed.

    Raises:
        StorageFull: there is no room; nothing is left behind.
        ServiceError: ``storage_unavailable`` (503), likewise.
    """
    digest, size = hashlib.sha256(), 0
    upload.seek(0)
    for chunk in upload.chunks():
        digest.update(chunk)
        size += len(chunk)
    upload.seek(0)
    return StoredFile(_save(f"{folder}/{uuid.uuid4()}", upload), digest.hexdigest(), size)


def store_bytes(folder: str, data: bytes, suffix: str = ".png") -> str:
    """Store derived bytes under ``<folder>/<uuid><suffix>`` and return that name; raises as store_original."""
    return _save(f"{folder}/{uuid.uuid4()}{suffix}", ContentFile(data))


def _save(name: str, content: File) -> str:
    try:
        return default_storage.save(name, content)
    except Exception as error:
        if not isinstance(error, OSError) or error.errno not in NO_ROOM:
            log.exception("storage_unavailable")
            discard(name)
            raise ServiceError("storage_unavailable", str(UNAVAILABLE), status=503) from error
        discard(name)
        log.error("storage_full")
        raise StorageFull("storage_full", str(FULL)) from error


def read(name: str) -> bytes:
    """All bytes of a stored file; FileNotFoundError where it is gone, ServiceError where the store is away."""
    try:
        with default_storage.open(name, "rb") as stored:
            return cast(BinaryIO, stored).read()
    except FileNotFoundError:
        raise
    except Exception as error:
        log.exception("storage_unavailable")
        raise ServiceError("storage_unavailable", str(AWAY), status=503) from error


def read_proven(name: str, sha256: str, *, missing: ServiceError, damaged: ServiceError) -> bytes:
    """All bytes of a stored file, proven by their digest.

    Args:
        missing, damaged: what is raised where the file is gone, or no longer what was stored.
    """
    try:
        content = read(name)
    except FileNotFoundError as error:
        raise missing from error
    if digest_of(content) != sha256:
        raise damaged
    return content


def digest_of(data: bytes) -> str:
    """What proves that bytes are unaltered: their sha256 in hex."""
    return hashlib.sha256(data).hexdigest()


def discard(*names: str) -> None:
    """Remove files that no row refers to; one that cannot be removed is logged and left."""
    for name in names:
        if not name:
            continue
        try:
            default_storage.delete(name)
        except Exception as error:
            log.warning("file_left_behind", stored_as=name, error=type(error).__name__)
