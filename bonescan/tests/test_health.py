"""/livez asks nothing, /readyz asks everything, and neither tells a stranger anything else."""

import itertools
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from bonescan.monitoring import health
from bonescan.tests.processes import python
from scripts.services import free_port

MINUTES = itertools.count(1_000_000)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of the clock is a minute later, so that every question is really asked."""
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(MINUTES)))


def test_livez_asks_no_database(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_readyz_names_every_part_and_is_not_cached(client, db):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["checks"]) == {"database", "migrations", "storage", "broker", "free_space"}
    assert all(check["ok"] for check in answer.json()["checks"].values())
    assert "no-store" in answer["Cache-Control"]


def test_an_unreachable_broker_is_shown_but_uploads_are_still_taken(client, db, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["broker"] == {"ok": False, "needed": False}


def test_a_store_that_cannot_be_written_to_is_not_ready(client, db, settings, tmp_path):
    (tmp_path / "a-file").touch()
    settings.MEDIA_ROOT = tmp_path / "a-file"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == {"ok": False, "needed": True}


def test_the_storage_probe_leaves_nothing_behind(client, db, settings):
    client.get("/readyz")
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_a_migration_that_was_not_applied_is_not_ready(client, db):
    [newest] = MigrationLoader(connection).graph.leaf_nodes("analyses")
    MigrationRecorder(connection).record_unapplied(*newest)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"]["ok"] is False


def test_little_room_is_shown(client, db, monkeypatch):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda place: SimpleNamespace(free=1024))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["free_space"]["ok"]) == (200, False)


def test_a_good_answer_is_remembered_for_a_moment_and_a_bad_one_is_not(monkeypatch):
    now, asked, answers = [100.0], [], [False, True, True]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def question() -> bool:
        asked.append(now[0])
        return answers[len(asked) - 1]

    remembered = health._remembered(question)
    assert [remembered(), remembered(), remembered()] == [False, True, True]
    assert len(asked) == 2
    now[0] += health.REMEMBER_S + 1
    assert remembered()
    assert len(asked) == 3


ANSWERS = """
import django; django.setup()
from django.test import Client
headers = {"authorization": "Token bs_" + "x" * 40}
client = Client(raise_request_exception=False, headers=headers)
for path in ("/livez", "/readyz", "/accounts/login/", "/api/v1/analyses/"):
    answer = client.get(path)
    print(answer.status_code, path, answer.get("Retry-After"))
    assert "password" not in answer.content.decode() or path == "/accounts/login/"
    assert "127.0.0.1" not in answer.content.decode()
"""


def test_without_a_database_the_portal_lives_is_not_ready_and_says_so_with_503(tmp_path):
    url = f"postgres://somebody:password@127.0.0.1:{free_port()}/nowhere"
    done = python(ANSWERS, BONESCAN_HOME=str(tmp_path), DATABASE_URL=url, SECURE="0", ALLOWED_HOSTS="testserver")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = dict(reversed(line.split()[:2]) for line in done.stdout.splitlines())
    assert lines["/livez"] == "200"
    assert lines["/readyz"] == "503"
    assert lines["/api/v1/analyses/"] == "503"
    assert "password" not in done.stderr
