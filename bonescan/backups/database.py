"""The database's part of a backup: a consistent copy out, and one that replaces everything in a single transaction.

Sessions stay behind: nobody is signed in after a restore, and an archive opens no account.
"""

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

SESSIONS = "django_session"
# libpq's names for what Django's settings call otherwise (libpq, "Environment Variables").
LIBPQ = {"NAME": "PGDATABASE", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "HOST": "PGHOST", "PORT": "PGPORT"}
LIBPQ_OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


class DatabaseToolError(Exception):
    """A program of Postgres or SQLite itself refused; the message is the program's last line."""


@dataclass(frozen=True)
class Dump:
    """A copy on disk, and a cursor that sees the database exactly as it was when the copy was made."""

    path: Path
    member: str
    cursor: Any
    server: str
    migrations: list[str]


@contextmanager
def dump(folder: Path) -> Iterator[Dump]:
    """Copy the database into `folder`."""
    copy = _dump_postgres if connection.vendor == "postgresql" else _dump_sqlite
    migrations = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
    with copy(folder, migrations) as result:
        yield result


def restore_dump(path: Path) -> None:
    """Replace the whole database by the copy at `path`, or leave it as it was."""
    if connection.vendor == "postgresql":
        _restore_postgres(path)
    else:
        _restore_sqlite(path)


# --- Postgres -------------------------------------------------------------------------------------------------------


@contextmanager
def _dump_postgres(folder: Path, migrations: list[str]) -> Iterator[Dump]:
    path = folder / "database.dump"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version')")
        snapshot, server = cursor.fetchone()
        command = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--exclude-table-data={SESSIONS}"]
        _run([*command, f"--snapshot={snapshot}", f"--file={path}"])
        yield Dump(path, "database.dump", cursor, server, migrations)


def _restore_postgres(path: Path) -> None:
    """All or nothing: the old schema goes and the new one comes in one transaction of psql."""
    connection.close()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        script = Path(folder) / "restore.sql"
        _run(["pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(path)])
        empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
        flags = ["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        _run(["psql", *flags, f"--command={empty}", f"--file={script}"])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, env=_libpq_environment(), capture_output=True, text=True)
    except FileNotFoundError:
        raise DatabaseToolError(f"{command[0]} is not installed (Debian: postgresql-client).") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise DatabaseToolError(f"{command[0]} failed: {said[-1] if said else done.returncode}")


def _libpq_environment() -> dict[str, str]:
    """The connection by environment: a password on the command line would show in the process list."""
    database = connection.settings_dict
    options = database.get("OPTIONS", {})
    named = {variable: str(database[key]) for key, variable in LIBPQ.items() if database.get(key)}
    extra = {variable: str(options[key]) for key, variable in LIBPQ_OPTIONS.items() if options.get(key)}
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", **named, **extra}


# --- SQLite ---------------------------------------------------------------------------------------------------------


@contextmanager
def _dump_sqlite(folder: Path, migrations: list[str]) -> Iterator[Dump]:
    path = folder / "database.sqlite3"
    connection.ensure_connection()
    copy = sqlite3.connect(path)
    try:
        connection.connection.backup(copy)
        with suppress(sqlite3.OperationalError):  # a database without the sessions' table
            copy.execute(f"DELETE FROM {SESSIONS}")  # noqa: S608
        copy.commit()
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("VACUUM")  # what was deleted is gone from the file too
        yield Dump(path, "database.sqlite3", copy.cursor(), sqlite3.sqlite_version, migrations)
    finally:
        copy.close()


def _restore_sqlite(path: Path) -> None:
    """SQLite's backup interface writes page by page inside one transaction of the target."""
    source = sqlite3.connect(path)
    try:
        if source.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("it fails the integrity check")
        connection.ensure_connection()
        source.backup(connection.connection)
    except sqlite3.DatabaseError as error:
        raise DatabaseToolError(f"SQLite cannot use the archive's database ({error}).") from error
    finally:
        source.close()
    # What this connection remembers of the old content ends with it.
    if not connection.is_in_memory_db():  # type: ignore[attr-defined]
        connection.close()
