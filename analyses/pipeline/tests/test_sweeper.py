"""The sweeper wakes what was forgotten, takes back what was abandoned, and ends what can never end."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
import structlog
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from analyses.management.commands import sweep as command
from analyses.models import Analysis, IdempotencyKey, ProcessSeen
from analyses.pipeline import queue, sweeper
from analyses.pipeline.sweeper import SweepReport
from analyses.record import identity
from analyses.tests.factories import AnalysisFactory, result

pytestmark = pytest.mark.django_db
PAST = timezone.now() - timedelta(hours=1)


@pytest.fixture
def woken(monkeypatch):
    ids = []
    monkeypatch.setattr(queue, "wake", lambda pk: ids.append(pk) or True)
    return ids


@pytest.fixture
def worker(db):
    sweeper.seen("worker", "w", timezone.now())


def test_a_row_that_nobody_was_told_of_is_woken(woken):
    forgotten = AnalysisFactory(woken_at=None)
    assert sweeper.sweep() == SweepReport(woken=1)
    assert woken == [forgotten.pk]
    assert Analysis.objects.get().woken_at is not None


def test_a_row_woken_a_moment_ago_is_left_alone_and_one_woken_long_ago_is_not(woken, worker):
    AnalysisFactory()
    stale = AnalysisFactory(woken_at=PAST)
    sweeper.sweep()
    assert woken == [stale.pk]


def test_the_oldest_are_woken_first_and_never_a_flood(woken, worker):
    rows = [AnalysisFactory(woken_at=None, queued_at=PAST + timedelta(seconds=n)) for n in range(12)]
    sweeper.sweep()
    assert woken == [analysis.pk for analysis in rows[: sweeper.MAX_WAKES]]


def test_without_a_living_worker_messages_do_not_pile_up(woken):
    for _ in range(3):
        AnalysisFactory(woken_at=None)
    sweeper.sweep()
    assert len(woken) == 1


def test_a_row_that_is_not_due_yet_is_not_woken(woken):
    AnalysisFactory(woken_at=None, retry_after=timezone.now() + timedelta(minutes=1))
    assert sweeper.sweep() == SweepReport()


def test_a_broker_that_is_down_ends_the_waking_not_the_sweep(monkeypatch, worker):
    tries = []
    monkeypatch.setattr(queue, "wake", lambda pk: tries.append(pk) or False)
    for _ in range(3):
        AnalysisFactory(woken_at=None)
    assert sweeper.sweep() == SweepReport()
    assert len(tries) == 1
    assert Analysis.objects.filter(woken_at=None).count() == 3


def test_an_abandoned_row_goes_back_into_the_queue_and_is_woken(woken):
    abandoned = AnalysisFactory(status="running", stage="checking", attempts=1, lease_expires_at=PAST)
    held = AnalysisFactory(status="running", attempts=1, lease_expires_at=timezone.now() + timedelta(seconds=20))
    assert sweeper.sweep() == SweepReport(requeued=1, woken=1)
    abandoned.refresh_from_db()
    held.refresh_from_db()
    assert (abandoned.status, abandoned.stage, held.status) == ("queued", "waiting", "running")


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_row_tried_too_often_fails_and_says_what_to_do(woken, settings, status):
    poison = AnalysisFactory(status=status, attempts=settings.MAX_ATTEMPTS, lease_expires_at=PAST)
    assert sweeper.sweep() == SweepReport(failed=1)
    poison.refresh_from_db()
    assert (poison.status, poison.error_code) == ("failed", "attempts_exhausted")
    assert "export it again" in poison.error_message
    assert poison.image.study.status == "failed"


def test_what_was_found_while_a_film_was_asked_again_stays_when_it_was_tried_too_often(woken, settings):
    first = result("benign")
    found = [identity.warning("laterality", identity.AGAINST_RECORD)]
    AnalysisFactory(image=first.image, attempts=settings.MAX_ATTEMPTS, warnings=found)
    assert sweeper.sweep() == SweepReport(failed=1)
    first.refresh_from_db()
    assert first.open_warnings == found


def test_the_last_attempt_is_not_cut_short(woken, settings):
    running = AnalysisFactory(
        status="running", attempts=settings.MAX_ATTEMPTS, lease_expires_at=timezone.now() + timedelta(seconds=20)
    )
    assert sweeper.sweep() == SweepReport()
    running.refresh_from_db()
    assert running.status == "running"


def test_a_process_seen_again_keeps_one_row():
    for _ in range(2):
        sweeper.seen("worker", "w", PAST)
    assert ProcessSeen.objects.get().started_at == PAST


def test_what_is_long_gone_is_forgotten(doctor):
    ProcessSeen.objects.create(kind="worker", name="old", started_at=PAST, seen_at=timezone.now() - timedelta(days=2))
    sweeper.seen("worker", "new", PAST)
    for name, days in (("old", 8), ("new", 6)):
        key = IdempotencyKey.objects.create(user=doctor, key=name, body_sha256="", analysis=AnalysisFactory())
        IdempotencyKey.objects.filter(pk=key.pk).update(created_at=timezone.now() - timedelta(days=days))
    sweeper.tidy()
    assert ProcessSeen.objects.get().name == "new"
    assert IdempotencyKey.objects.get().key == "new"


def test_sessions_past_their_end_are_forgotten_and_living_ones_stay(client, doctor):
    client.force_login(doctor)
    for name, hours in (("ended", -1), ("living", 1)):
        Session.objects.create(session_key=name, expire_date=timezone.now() + timedelta(hours=hours))
    sweeper.tidy()
    assert set(Session.objects.values_list("session_key", flat=True)) == {"living", client.session.session_key}
    assert client.get("/account/").status_code == 200


def test_the_summary_counts_without_naming_anybody(worker):
    AnalysisFactory(queued_at=timezone.now() - timedelta(seconds=90), image__study__patient__patient_name="DOE JANE")
    AnalysisFactory(status="running", stage="checking")
    result("failed")
    result("normal")
    ProcessSeen.objects.create(kind="sweeper", name="s", started_at=PAST, seen_at=PAST)
    summary = sweeper.status_summary()
    assert (summary["queued"], summary["running"]) == (1, 1)
    assert 89 < summary["oldest_queued_s"] < 120
    assert {"name": "checking", "count": 1} in summary["by_stage"]
    assert summary["failures"] == [{"name": "unreadable", "count": 1}]
    assert summary["finished_24h"] == {"failed": 1, "succeeded": 1}
    assert [entry["late"] for entry in (*summary["workers"], *summary["sweepers"])] == [False, True]
    assert "DOE" not in str(summary)


def test_one_sweep_by_hand_says_what_it_did(woken):
    AnalysisFactory(woken_at=None)
    out = StringIO()
    call_command("sweep", "--once", stdout=out)
    assert out.getvalue() == "requeued 0, failed 0, woken 1\n"


def test_the_sweeper_outlives_a_database_outage_and_what_nobody_thought_of(monkeypatch, settings):
    settings.SWEEP_INTERVAL_S = 0
    stop, faults = threading.Event(), [OperationalError("gone"), RuntimeError("odd"), None]

    def sweep(*_):
        fault = faults.pop(0)
        if fault is not None:
            raise fault
        stop.set()

    monkeypatch.setattr(sweeper, "sweep", sweep)
    monkeypatch.setattr(command.connection, "close", lambda: None)
    with structlog.testing.capture_logs() as logs:
        command.sweep_until(stop)
    assert faults == []
    assert [entry["event"] for entry in logs] == ["sweep_not_done", "sweep_fault"]
