"""The SQLite database is for the portal's own user, whatever the umask was and whoever made it."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from bonescan.tests.processes import python

COUNT = """
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS t (a)"); cursor.execute("INSERT INTO t VALUES (1)")
    from pathlib import Path
    print(sorted((path.name, oct(path.stat().st_mode & 0o777)) for path in Path(FOLDER).glob("*.sqlite3*")))
"""


@pytest.fixture
def open_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> str:
    done = python(COUNT.replace("FOLDER", repr(str(folder))), BONESCAN_HOME=str(folder), DATABASE_URL="")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


EVERY_PART = str([(f"bonescan.sqlite3{part}", "0o600") for part in ("", "-shm", "-wal")])


def test_a_new_database_is_for_its_owner_only(tmp_path, open_umask):
    assert modes(tmp_path) == EVERY_PART


def test_the_database_of_an_earlier_version_is_taken_from_others(tmp_path, open_umask):
    path, other = tmp_path / "bonescan.sqlite3", tmp_path / "notes.txt"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE kept (a)")
        other.touch()
        assert stat.S_IMODE((tmp_path / "bonescan.sqlite3-wal").stat().st_mode) == 0o644
        assert modes(tmp_path) == EVERY_PART
    assert stat.S_IMODE(other.stat().st_mode) == 0o644
