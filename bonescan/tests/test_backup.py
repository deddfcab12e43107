"""Backups are only as good as the last restore, so most of these restore."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEvent, Department
from analyses.models import Analysis, Image
from analyses.tests.factories import AnalysisFactory
from bonescan.backups import archive as backup
from bonescan.backups.archive import BackupError, create_backup, restore_backup
from bonescan.backups.database import DatabaseToolError, dump

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(django_settings.BASE_DIR)

# Run by fresh processes, as an operator's commands are; each prints its rows and then its number of sessions.
MAKE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.sessions.backends.db import SessionStore
from analyses.tests.factories import AnalysisFactory
for _ in range(3):
    AnalysisFactory(image__stored=True)
SessionStore().save()
"""
COMMAND = """
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "{}", "{}"])
"""
SHOW = """
from django.core.management import call_command
from django.contrib.sessions.models import Session
print("ROWS")
call_command("dumpdata", "--exclude=sessions", "--exclude=accounts.auditevent")
print("SESSIONS", Session.objects.count())
"""


def python(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter with its own portal; return what it printed."""
    inherited = {name: os.environ[name] for name in ("PATH", "SECRET_KEY", "SECURE", "PLAIN_STATIC")}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", code]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, "DJANGO_SETTINGS_MODULE": "bonescan.settings", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def shown(output: str) -> tuple[list[dict], int]:
    rows, sessions = output.split("ROWS")[1].split("SESSIONS")
    return json.loads(rows), int(sessions)


def stored_bytes(home: Path) -> dict[str, bytes]:
    media = home / "media"
    return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}


@pytest.fixture(params=["sqlite", "postgres"])
def two_databases(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The addresses of two empty databases; an empty address is SQLite in the portal's home."""
    if request.param == "sqlite":
        yield "", ""
        return
    if connection.vendor != "postgresql":
        pytest.skip("needs Postgres: run with scripts/with_services")
    names = [f"backup_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    database = connection.settings_dict
    at = (
        f"{quote(database['HOST'], safe='')}:{database['PORT']}"
        if database["PORT"]
        else quote(database["HOST"], safe="")
    )
    who = database["USER"] + (f":{quote(database['PASSWORD'], safe='')}" if database["PASSWORD"] else "")
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE DATABASE {name}")
        yield tuple(f"postgres://{who}@{at}/{name}" for name in names)  # type: ignore[misc]
        for name in names:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.slow
def test_a_restore_into_an_empty_installation_brings_back_every_row_and_every_byte(two_databases, tmp_path):
    first = {"BONESCAN_HOME": str(tmp_path / "first"), "DATABASE_URL": two_databases[0]}
    second = {"BONESCAN_HOME": str(tmp_path / "second"), "DATABASE_URL": two_databases[1]}
    archive = tmp_path / "backup.tar"
    before, sessions = shown(python(MAKE + COMMAND.format("backup", archive) + SHOW, **first))
    after, sessions_after = shown(python(COMMAND.format("restore", archive) + SHOW, **second))
    assert len([row for row in before if row["model"] == "analyses.analysis"]) == 3
    assert after == before
    assert len(stored_bytes(tmp_path / "first")) == 6
    assert stored_bytes(tmp_path / "second") == stored_bytes(tmp_path / "first")
    assert (sessions, sessions_after) == (1, 0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A backup of two films; the installation still holds them."""
    for _ in range(2):
        AnalysisFactory(image__stored=True)
    return create_backup(tmp_path / "backup.tar").path


def state() -> tuple[set, dict[str, str]]:
    """Everything a restore could change: rows and stored bytes."""
    rows = {(model._meta.label, str(row)) for model in apps.get_models() for row in model._base_manager.values_list()}
    names = [name for folder in ("originals", "canonical") for name in listed(folder)]
    return rows, {name: stored_sha256(name) for name in names}


def stored_sha256(name: str) -> str:
    with default_storage.open(name) as content:
        return hashlib.sha256(content.read()).hexdigest()


def listed(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]] if default_storage.exists(folder) else []


def test_force_replaces_what_came_after_the_backup(archive):
    film = Image.objects.order_by("pk").first()
    original, canonical = stored_sha256(film.original_file), stored_sha256(film.canonical_file)
    default_storage.delete(film.original_file)
    Path(default_storage.path(film.canonical_file)).write_bytes(b"rotten")
    Department.objects.create(name="Made after the backup")
    restore_backup(archive, force=True)
    assert not Department.objects.filter(name="Made after the backup").exists()
    assert Analysis.objects.count() == 2
    assert (stored_sha256(film.original_file), stored_sha256(film.canonical_file)) == (original, canonical)


def test_an_installation_that_holds_something_is_not_replaced_without_force(archive):
    before = state()
    with pytest.raises(BackupError, match="already contains"):
        restore_backup(archive)
    assert state() == before


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_archive_is_refused_before_anything_is_touched(archive, kept):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole.rstrip(b"\0")) * kept)])
    before = state()
    with pytest.raises(BackupError, match="Nothing was changed"):
        restore_backup(archive, force=True, foreign=True)
    assert state() == before


@pytest.mark.parametrize("where", [0.0, 0.4, 0.75, 0.9])
def test_one_changed_byte_is_refused_before_anything_is_touched(archive, where):
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if member.size]
        chosen = members[int(len(members) * where)]
    data = bytearray(archive.read_bytes())
    data[chosen.offset_data + chosen.size // 2] ^= 1
    archive.write_bytes(data)
    before = state()
    with pytest.raises(BackupError, match="Nothing was changed"):
        restore_backup(archive, force=True, foreign=chosen.name != backup.SEAL)
    assert state() == before


def rewritten(archive: Path, changes: dict[str, bytes], rename: dict[str, str] | None = None) -> None:
    """What somebody without the key can do: change members and write a manifest that fits them."""
    with tarfile.open(archive) as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    manifest = json.loads(content.pop(backup.MANIFEST))
    _, keyed = content.pop(backup.SEAL).split()
    content = {(rename or {}).get(name, name): changes.get(name, data) for name, data in content.items()}
    manifest["sha256"] = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    manifest["migrations"] += json.loads(changes.get("migrations", b"[]"))
    content[backup.MANIFEST] = json.dumps(manifest).encode()
    content[backup.SEAL] = hashlib.sha256(content[backup.MANIFEST]).hexdigest().encode() + b"\n" + keyed + b"\n"
    with tarfile.open(archive, "w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def file_members(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [name for name in tar.getnames() if name.startswith(backup.FILES)]


def test_an_altered_archive_with_a_fitting_manifest_lacks_the_seal(archive):
    rewritten(archive, {file_members(archive)[0]: b"another film"})
    before = state()
    with pytest.raises(BackupError, match="altered"):
        restore_backup(archive, force=True)
    assert state() == before


def test_an_archive_of_another_key_is_accepted_only_when_the_operator_says_so(archive, settings):
    settings.SECRET_KEY = "another-installation-" + uuid.uuid4().hex
    with pytest.raises(BackupError, match="another SECRET_KEY"):
        restore_backup(archive, force=True)
    restore_backup(archive, force=True, foreign=True)
    assert Analysis.objects.count() == 2


def test_a_former_key_still_proves_the_seal(archive, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the-next-key-" + uuid.uuid4().hex
    assert restore_backup(archive, force=True).files == 4


def test_the_digest_that_was_noted_must_match(archive):
    with pytest.raises(BackupError, match="not the one given"):
        restore_backup(archive, force=True, sha256="0" * 64)
    noted = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert restore_backup(archive, force=True, sha256=noted).sha256 == noted


def test_a_file_outside_the_store_is_refused(archive):
    name = file_members(archive)[0]
    rewritten(archive, {}, rename={name: backup.FILES + "../../escaped"})
    with pytest.raises(BackupError, match="outside the store"):
        restore_backup(archive, force=True, foreign=True)


def test_a_backup_of_a_newer_program_is_refused(archive):
    rewritten(archive, {"migrations": b'["analyses.9999_from_the_future"]'})
    with pytest.raises(BackupError, match="9999_from_the_future"):
        restore_backup(archive, force=True, foreign=True)


def test_a_database_that_cannot_be_restored_leaves_the_old_one_in_place(archive):
    with tarfile.open(archive) as tar:
        member = next(name for name in tar.getnames() if name.startswith("database."))
        content = tar.extractfile(member).read()
    rewritten(archive, {member: content[: len(content) // 2]})
    rows = state()[0]
    with pytest.raises(DatabaseToolError):
        restore_backup(archive, force=True, foreign=True)
    assert state()[0] == rows


def test_a_backup_is_never_overwritten(archive):
    content = archive.read_bytes()
    with pytest.raises(BackupError, match="never overwritten"):
        create_backup(archive)
    assert archive.read_bytes() == content


def test_a_directory_gets_a_file_with_the_time_that_only_its_owner_reads(tmp_path, capsys):
    call_command("backup", tmp_path)
    [made] = [path for path in tmp_path.iterdir() if path.suffix == ".tar"]
    assert made.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(made.read_bytes()).hexdigest() in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if ".partial" in path.name] == []


def test_a_file_that_rows_name_but_the_store_lost_is_reported(tmp_path):
    film = AnalysisFactory(image__stored=True).image
    default_storage.delete(film.original_file)
    with pytest.raises(CommandError, match="1 files"):
        call_command("backup", tmp_path / "backup.tar")
    assert restore_backup(tmp_path / "backup.tar", force=True).missing == 1


def test_files_that_no_row_names_stay_out_and_all_kinds_that_rows_name_are_in(tmp_path):
    default_storage.save("originals/left-behind", ContentFile(b"of a failed upload"))
    saliency = default_storage.save("saliency/one.png", ContentFile(b"map"))
    film = AnalysisFactory(image__stored=True, saliency_file=saliency).image
    create_backup(tmp_path / "backup.tar")
    named = {film.original_file, film.canonical_file, saliency}
    assert set(file_members(tmp_path / "backup.tar")) == {backup.FILES + name for name in named}


def test_every_text_field_that_names_a_stored_file_is_known_to_the_backup():
    names = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.endswith("_file") or field.get_internal_type() in ("FileField", "ImageField")
    }
    assert {"analyses.Image.original_file", "analyses.Report.pdf_file"} <= names
    assert all(name.endswith("_file") for name in names)


def test_sessions_are_not_in_the_archive(tmp_path):
    session = SessionStore()
    session["who"] = "somebody"
    session.save()
    create_backup(tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as tar:
        database = next(name for name in tar.getnames() if name.startswith("database."))
        assert session.session_key.encode() not in tar.extractfile(database).read()


def test_making_a_backup_is_in_the_audit_log(tmp_path):
    create_backup(tmp_path / "backup.tar")
    assert AuditEvent.objects.get(action="backup_created").detail["files"] == 0


def test_a_film_stored_while_the_dump_runs_is_not_expected_in_the_archive(tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("needs Postgres: run with scripts/with_services")
    with dump(tmp_path) as snapshot:

        def upload() -> None:
            AnalysisFactory(image__stored=True)
            connection.close()

        thread = threading.Thread(target=upload)
        thread.start()
        thread.join()
        assert backup.stored_names(snapshot.cursor) == []
    with connection.cursor() as cursor:
        assert len(backup.stored_names(cursor)) == 2
