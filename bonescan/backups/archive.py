"""Database and stored files together in one tar, and back again. Nothing is touched before the whole tar is verified.

Order makes it consistent: files are written before the rows that name them and never change, so a snapshot of the
database taken first only names files that exist. Restoring goes the other way: files first, then the database at once.
"""

import hashlib
import hmac
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.utils.crypto import salted_hmac

from accounts import audit
from bonescan.backups.database import Dump, dump, restore_dump

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.seal"
FILES = "files/"
CHUNK_BYTES = 1024 * 1024


class BackupError(Exception):
    """A sentence that says why nothing was done, or what is incomplete."""


@dataclass(frozen=True)
class Summary:
    """What an archive holds."""

    path: Path
    files: int
    bytes: int
    missing: int
    sha256: str


def stored_names(cursor: Any) -> list[str]:
    """Names of all stored files that rows mention: every text field whose name ends in ``_file``."""
    names: set[str] = set()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name.endswith("_file"):
                quoted = [connection.ops.quote_name(word) for word in (str(field.column), model._meta.db_table)]
                cursor.execute(f"SELECT {quoted[0]} FROM {quoted[1]} WHERE {quoted[0]} <> ''")  # noqa: S608
                names.update(row[0] for row in cursor.fetchall())
    return sorted(names)


def create_backup(target: Path) -> Summary:
    """Write an archive to `target`, or under a name with the time when that is a directory.

    Raises:
        BackupError: the target exists, or the database cannot be dumped.
    """
    if target.is_dir():
        target = target / f"bonescan-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
    if target.exists():
        raise BackupError(f"{target} already exists; a backup is never overwritten.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BackupError(f"{partial} exists: another backup is running, or one was interrupted; remove it.") from None
    try:
        with os.fdopen(descriptor, "w+b") as out:
            files, missing = _write(out, target.parent)
            out.flush()
            os.fsync(out.fileno())
            size = out.tell()
            digest = _sha256(out)
        os.link(partial, target)  # unlike a rename, never replaces
    except FileExistsError:
        raise BackupError(f"{target} already exists; a backup is never overwritten.") from None
    finally:
        partial.unlink()
    # The archive holds every patient's record, so its making is an export like any other.
    audit.record("backup_created", user_label="operator", detail={"files": files, "sha256": digest})
    return Summary(target, files, size, missing, digest)


def _write(out: IO[bytes], scratch: Path) -> tuple[int, int]:
    """Write every member; the manifest comes last because hashes are known only then."""
    hashes: dict[str, str] = {}
    missing: list[str] = []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".bonescan-") as folder, dump(Path(folder)) as snapshot:
            with snapshot.path.open("rb") as content:
                hashes[snapshot.member] = _add(tar, snapshot.member, content, snapshot.path.stat().st_size)
            for name in stored_names(snapshot.cursor):
                try:
                    with default_storage.open(name, "rb") as content:
                        hashes[FILES + name] = _add(tar, FILES + name, content, default_storage.size(name))
                except FileNotFoundError:
                    missing.append(name)
            manifest = _manifest(snapshot, hashes, missing)
        for member, data in ((MANIFEST, manifest), (SEAL, _seal(manifest, settings.SECRET_KEY))):
            _add(tar, member, io.BytesIO(data), len(data))
    return len(hashes) - 1, len(missing)


def _manifest(snapshot: Dump, hashes: dict[str, str], missing: list[str]) -> bytes:
    content = {
        "format": FORMAT,
        "bonescan": settings.VERSION,
        "created_at": datetime.now(UTC).isoformat(),
        "database": {"member": snapshot.member, "vendor": connection.vendor, "server": snapshot.server},
        "migrations": snapshot.migrations,
        "sha256": hashes,
        "missing": missing,
    }
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _seal(manifest: bytes, key: str) -> bytes:
    """Two lines: a plain sha256 against damage, and one that only an installation with this SECRET_KEY can write."""
    keyed = salted_hmac("bonescan.backup", manifest, secret=key, algorithm="sha256").hexdigest()
    return f"{hashlib.sha256(manifest).hexdigest()}\n{keyed}\n".encode()


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes] | File, size: int) -> str:
    """Add one member of known size from a stream; return its sha256."""
    reader = _Hashing(content)
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    member.mtime = int(datetime.now(UTC).timestamp())
    tar.addfile(member, reader)
    return reader.digest.hexdigest()


class _Hashing:
    """Hashes what is read through it."""

    def __init__(self, content: IO[bytes] | File) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._content.read(size)
        self.digest.update(data)
        return data


def _sha256(content: IO[bytes]) -> str:
    content.seek(0)
    digest = hashlib.sha256()
    for chunk in iter(lambda: content.read(CHUNK_BYTES), b""):
        digest.update(chunk)
    return digest.hexdigest()


# --- back again ---------------------------------------------------------------------------------------------------


def restore_backup(archive: Path, *, force: bool = False, foreign: bool = False, sha256: str = "") -> Summary:
    """Verify the archive, then put its files and its database in place.

    Args:
        force: replace what the installation holds.
        foreign: accept an archive that was written under another SECRET_KEY.
        sha256: the digest that `backup` printed, where it was kept apart from the archive.

    Raises:
        BackupError: the archive is damaged, foreign or newer than the program, or the installation is not empty.
    """
    with _opened(archive) as (raw, tar):
        digest = _sha256(raw)
        if sha256 and not hmac.compare_digest(sha256, digest):
            raise BackupError(f"The archive's sha256 is {digest}, not the one given. Nothing was changed.")
        manifest = _verified(tar, foreign=foreign)
        _refuse_newer(manifest)
        if not force:
            _refuse_full_installation()
        names = [member for member in manifest["sha256"] if member.startswith(FILES)]
        for member in names:
            _restore_file(tar, member, manifest["sha256"][member], force=force)
        with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
            path = Path(folder) / "dump"
            _extract(tar, manifest["database"]["member"], path)
            restore_dump(path)
    with suppress(DatabaseError):  # the restored tables may be of an earlier version
        audit.record("backup_restored", user_label="operator", detail={"files": len(names), "sha256": digest})
    return Summary(archive, len(names), archive.stat().st_size, len(manifest["missing"]), digest)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
    with archive.open("rb") as raw:
        try:
            tar = tarfile.open(fileobj=raw, mode="r:")  # noqa: SIM115  (owns nothing: `raw` is closed by the with)
            tar.getmembers()
        except (tarfile.TarError, EOFError) as error:
            raise BackupError("The file is not a backup, or it is incomplete. Nothing was changed.") from error
        yield raw, tar


def _verified(tar: tarfile.TarFile, *, foreign: bool) -> dict[str, Any]:
    """Read every byte once; return the manifest when all is as it was written."""
    try:
        hashes = {member.name: _member_sha256(tar, member) for member in tar.getmembers()}
        if len(hashes) != len(tar.getmembers()):
            raise BackupError("The archive contains a member twice. Nothing was changed.")
        raw, seal = (_read(tar, name) for name in (MANIFEST, SEAL))
        manifest: dict[str, Any] = json.loads(raw)
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
        raise BackupError("The archive is damaged or incomplete. Nothing was changed.") from error
    if not seal.startswith(hashlib.sha256(raw).hexdigest().encode()):
        raise BackupError("The archive's manifest is damaged. Nothing was changed.")
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not foreign and not any(hmac.compare_digest(seal, _seal(raw, key)) for key in keys):
        raise BackupError(
            "The archive was altered or written under another SECRET_KEY. Nothing was changed. If you"
            " know its origin, set SECRET_KEY_FALLBACKS to that key or use --foreign."
        )
    del hashes[MANIFEST], hashes[SEAL]
    if manifest.get("format") != FORMAT or hashes != manifest["sha256"]:
        raise BackupError("The content of the archive does not match its manifest. Nothing was changed.")
    if any(part in ("", ".", "..") for member in hashes for part in member.split("/")):
        raise BackupError("The archive contains a path outside the store. Nothing was changed.")
    if manifest["database"]["vendor"] != connection.vendor:
        raise BackupError(f"The archive is from {manifest['database']['vendor']}, DATABASE_URL of {connection.vendor}.")
    return manifest


def _member_sha256(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise BackupError("The archive contains members that are not plain files. Nothing was changed.")
    return _sha256(content)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    content = tar.extractfile(name)
    assert content is not None, "only plain files pass _member_sha256"
    return content.read()


def _refuse_newer(manifest: dict[str, Any]) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted(set(manifest["migrations"]) - known)
    if unknown:
        raise BackupError(
            f"The backup was made by a newer version ({manifest['bonescan']}, migration {unknown[-1]}); "
            "install that version first."
        )


def _refuse_full_installation() -> None:
    tables = set(connection.introspection.table_names())
    used = [
        model._meta.verbose_name_plural
        for model in apps.get_models()
        if model._meta.app_label in ("accounts", "analyses")
        and model._meta.db_table in tables
        and model._base_manager.exists()
    ]
    if used:
        raise BackupError(f"This installation already contains {used[0]}. Use --force to replace all its data.")


def _restore_file(tar: tarfile.TarFile, member: str, sha256: str, *, force: bool) -> None:
    """Store one file under its own name; leave it when it is there already with the same bytes."""
    name = member.removeprefix(FILES)
    if default_storage.exists(name):
        with default_storage.open(name, "rb") as present:
            if _sha256(present) == sha256:
                return
        if not force:
            raise BackupError(
                f"The store contains a different {name}. The database was not changed; use --force to replace it."
            )
        default_storage.delete(name)
    content = tar.extractfile(member)
    assert content is not None, "only plain files pass _member_sha256"
    stored = default_storage.save(name, File(content, name=name))
    if stored != name:
        raise BackupError(f"The store put {name} elsewhere. The database was not changed; empty the store first.")


def _extract(tar: tarfile.TarFile, member: str, path: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None, "only plain files pass _member_sha256"
    with path.open("xb") as out:
        for chunk in iter(lambda: content.read(CHUNK_BYTES), b""):
            out.write(chunk)
