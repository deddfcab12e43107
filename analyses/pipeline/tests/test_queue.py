"""The queue of record: claimed once, fenced, released, ended; woken by messages that may get lost."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import AuditEvent
from analyses.errors import Conflict, LeaseLost
from analyses.models import Analysis
from analyses.pipeline import queue
from analyses.tests.factories import AnalysisFactory, result

pytestmark = pytest.mark.django_db
PAST, FUTURE = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)


@pytest.fixture
def waiting():
    return AnalysisFactory()


@pytest.fixture
def sent(monkeypatch):
    """The ids of the messages sent, with a broker that works."""
    ids: list[str] = []

    class Celery:
        def send_task(self, name, args, **_):
            assert name == "analyses.tasks.run_analysis"
            ids.extend(args)

    monkeypatch.setattr(queue, "current_app", Celery())
    monkeypatch.setattr(queue, "_producers", Producers)
    monkeypatch.setattr(queue, "_broker_back_at", 0.0)
    return ids


class Producers:
    def acquire(self, **_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def row(analysis) -> Analysis:
    return Analysis.objects.get(pk=analysis.pk)


def test_a_claim_marks_the_row_running_under_a_lease(waiting):
    claim = queue.claim(waiting.pk, "w")
    now = row(waiting)
    assert (now.status, now.stage, now.attempts, now.worker) == ("running", "decoding", 1, "w")
    assert now.lease_token == claim.lease_token
    assert 20 < (now.lease_expires_at - timezone.now()).total_seconds() <= 31
    assert now.started_at


def test_a_row_is_claimed_once(waiting):
    assert queue.claim(waiting.pk, "w")
    assert queue.claim(waiting.pk, "v") is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_an_ended_row_is_not_claimed(status):
    assert queue.claim(AnalysisFactory(status=status).pk, "w") is None


def test_a_row_that_is_not_there_is_not_claimed():
    assert queue.claim("00000000-0000-4000-8000-000000000000", "w") is None


def test_an_expired_lease_is_taken_over_and_the_old_worker_can_write_nothing(waiting):
    old = queue.claim(waiting.pk, "w")
    Analysis.objects.update(lease_expires_at=PAST)
    new = queue.claim(waiting.pk, "v")
    assert new.analysis.attempts == 2
    for write in (
        lambda: queue.enter_stage(old, "checking"),
        lambda: queue.renew(old),
        lambda: queue.fail(old, "c", "m"),
        lambda: queue.release(old, "c", "m"),
        lambda: queue.end(old, "succeeded"),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert row(waiting).status == "running"
    queue.enter_stage(new, "checking")
    assert row(waiting).stage == "checking"


def test_a_row_tried_too_often_is_not_claimed(settings):
    waiting = AnalysisFactory(attempts=settings.MAX_ATTEMPTS)
    assert queue.claim(waiting.pk, "w") is None
    assert queue.claim_next("w") is None


def test_the_row_that_has_waited_longest_comes_next():
    young = AnalysisFactory(queued_at=timezone.now())
    old = AnalysisFactory(queued_at=PAST)
    assert [queue.claim_next("w").analysis for _ in range(2)] == [old, young]
    assert queue.claim_next("w") is None


def test_a_released_row_is_not_due_at_once(waiting):
    queue.release(queue.claim(waiting.pk, "w"), "decoder_unavailable", "m")
    now = row(waiting)
    assert (now.status, now.stage, now.woken_at, now.lease_token) == ("queued", "waiting", None, None)
    assert queue.claim(waiting.pk, "w") is None
    Analysis.objects.update(retry_after=PAST)
    assert queue.claim(waiting.pk, "w").analysis.attempts == 2


def test_the_pause_before_another_attempt_grows(waiting):
    pauses = []
    for _ in range(3):
        queue.release(queue.claim(waiting.pk, "w"), "c", "m")
        pauses.append((row(waiting).retry_after - timezone.now()).total_seconds())
        Analysis.objects.update(retry_after=PAST)
    assert pauses[0] < pauses[1] < pauses[2]


def test_a_fault_that_stays_fails_with_its_own_code_after_the_last_attempt(waiting, settings):
    Analysis.objects.update(attempts=settings.MAX_ATTEMPTS - 1)
    queue.release(queue.claim(waiting.pk, "w"), "decoder_unavailable", "Tell the operator.")
    now = row(waiting)
    assert (now.status, now.error_code, now.error_message) == ("failed", "decoder_unavailable", "Tell the operator.")


def test_a_failure_reaches_the_case_and_the_trail(waiting):
    Analysis.objects.update(request_id="req-1")
    queue.fail(queue.claim(waiting.pk, "w"), "unreadable", "Export it again.")
    study = row(waiting).image.study
    assert (study.status, study.revision) == ("failed", 2)
    event = AuditEvent.objects.get(action="result")
    assert (event.user, event.case_id, event.request_id) == (None, study.pk, "req-1")
    assert event.detail == {"status": "failed", "code": "unreadable"}


def test_a_cancelled_analysis_is_taken_from_its_worker(waiting, doctor):
    claim = queue.claim(waiting.pk, "w")
    queue.cancel(waiting, doctor)
    assert waiting.status == "cancelled"
    assert row(waiting).image.study.status == "cancelled"
    with pytest.raises(LeaseLost):
        queue.enter_stage(claim, "checking")
    with pytest.raises(Conflict) as refused:
        queue.cancel(waiting, doctor)
    assert refused.value.code == "not_cancelable"


def test_a_retry_starts_from_the_beginning(doctor, sent, django_capture_on_commit_callbacks):
    failed = result("failed", attempts=4)
    with django_capture_on_commit_callbacks(execute=True):
        queue.retry(failed, doctor)
    now = row(failed)
    assert (now.status, now.attempts, now.error_code, now.finished_at) == ("queued", 0, "", None)
    assert now.image.study.status == "queued"
    assert sent == [str(failed.pk)]
    with pytest.raises(Conflict) as refused:
        queue.retry(failed, doctor)
    assert refused.value.code == "not_retriable"


def test_a_film_of_a_signed_case_is_not_tried_again(doctor):
    failed = result("failed")
    failed.image.study.reading_state = "final"
    failed.image.study.save()
    with pytest.raises(Conflict) as refused:
        queue.retry(failed, doctor)
    assert refused.value.code == "case_signed"


def test_places_are_counted_from_one_in_the_order_of_waiting(django_assert_num_queries):
    rows = [AnalysisFactory(queued_at=PAST + timedelta(minutes=n)) for n in range(3)]
    done = result("normal")
    assert [queue.place_in_queue(analysis) for analysis in (*rows, done)] == [1, 2, 3, 0]
    with django_assert_num_queries(1):
        places = queue.places_in_queue([*rows, done])
    assert places == {analysis.pk: n for n, analysis in enumerate(rows, start=1)}
    with django_assert_num_queries(0):
        assert queue.places_in_queue([done]) == {}


def test_a_wake_sends_the_id_and_nothing_else(waiting, sent):
    assert queue.wake(waiting.pk)
    assert sent == [str(waiting.pk)]


def test_a_wake_that_cannot_be_sent_marks_the_row_and_the_next_one_does_not_wait_again(waiting, monkeypatch):
    tries = []

    class Down(Producers):
        def acquire(self, **_):
            tries.append(1)
            raise ConnectionRefusedError

    monkeypatch.setattr(queue, "_producers", Down)
    monkeypatch.setattr(queue, "_broker_back_at", 0.0)
    assert not queue.wake(waiting.pk)
    assert not queue.wake(waiting.pk)
    assert len(tries) == 1
    assert row(waiting).woken_at is None


def test_a_wake_never_fails_the_request_that_caused_it(waiting, monkeypatch):
    def down(**_):
        raise DatabaseError

    monkeypatch.setattr(queue, "_broker_back_at", float("inf"))
    monkeypatch.setattr("analyses.models.querysets.AnalysisQuerySet.update", lambda *_, **__: down())
    assert not queue.wake(waiting.pk)
