"""The queue of record: rows of ``analyses``, claimed by one conditional UPDATE by the database's clock.

A claim hands out a fencing token; every later write of the worker is an UPDATE that names it, so a worker that was
taken for dead, or whose analysis was cancelled, can change nothing any more. Celery messages only wake.
"""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu import pools

from accounts import audit
from accounts.models import Department, User
from analyses.answers.current import current_of, hand_over_warnings
from analyses.errors import Conflict, LeaseLost
from analyses.models import Analysis, Stage, Status, Task
from analyses.notifications import services as notifications
from analyses.pipeline import summary
from analyses.record import cases

log = structlog.get_logger(__name__)
TASK = "analyses.tasks.run_analysis"
# How long to wait before the second, third, ... attempt after a fault that may pass by itself.
RETRY_DELAYS_S = (2, 15, 60)
QUIET_S, ANSWER_S = 2.0, 0.5
_PLACES = 5000
# What a worker needs of a row: loading all of both tables costs as much as three statements.
_WITH_IMAGE = Analysis.objects.select_related("image", "department").only(
    *("attempts", "department_id", "queued_at", "request_id", "started_at", "task", "wanted_model", "warnings"),
    *("department__operating_point", "department__unaccepted_answers"),
    *("image__original_file", "image__original_sha256", "image__canonical_file", "image__canonical_sha256"),
    *("image__study_id", "image__typed", "image__modality", "image__corrected"),
)
_broker_back_at = 0.0


@dataclass(frozen=True)
class Claim:
    """One analysis in the hands of one worker, and the token that proves it."""

    analysis: Analysis
    lease_token: UUID


def wake(analysis_id: UUID) -> bool:
    """Send the message that wakes a worker; a broker that is down costs a moment, once, and nothing is lost.

    Returns whether it was sent. Otherwise the row is marked as not woken, and the sweeper sends the message later.
    """
    global _broker_back_at
    if time.monotonic() >= _broker_back_at:
        try:
            send(TASK, str(analysis_id))
        except Exception as error:
            # Whatever a broker library raises: the row is queued, and that is what counts.
            log.warning("wake_not_sent", analysis_id=str(analysis_id), error=type(error).__name__)
            _broker_back_at = time.monotonic() + QUIET_S
        else:
            return True
    try:
        Analysis.objects.filter(pk=analysis_id).update(woken_at=None)
    except DatabaseError as error:
        log.warning("wake_not_marked", analysis_id=str(analysis_id), error=type(error).__name__)
    return False


def send(task: str, argument: str) -> None:
    """Send one message, or raise soon: whatever the broker's library raises when it is away."""
    with _producers().acquire(block=True, timeout=ANSWER_S) as producer:
        current_app.send_task(task, args=[argument], ignore_result=True, producer=producer)


@cache
def _producers() -> Any:
    """Connections for sending only: a broker that hangs is given up much sooner than a worker could afford to."""
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "socket_timeout": ANSWER_S}
    return pools.producers[current_app.connection_for_write().clone(transport_options=options)]


def claimable() -> Q:
    """Queued and due, or running under a lease that has run out; and not tried too often."""
    due = Q(status=Status.QUEUED) & (Q(retry_after__isnull=True) | Q(retry_after__lte=Now()))
    abandoned = Q(status=Status.RUNNING, lease_expires_at__lt=Now())
    return Q(attempts__lt=settings.MAX_ATTEMPTS) & (due | abandoned)


def claim(analysis_id: UUID | str, worker: str) -> Claim | None:
    """Take one analysis, or return None when there is nothing to do: taken, ended, not due or not there."""
    token = uuid.uuid4()
    taken = (
        Analysis.objects.filter(claimable(), pk=analysis_id)
        .order_by()
        .update(
            status=Status.RUNNING,
            stage=Stage.DECODING,
            started_at=Now(),
            attempts=F("attempts") + 1,
            lease_token=token,
            lease_expires_at=_lease_end(),
            retry_after=None,
            worker=worker[:120],
        )
    )
    if not taken:
        return None
    return Claim(_WITH_IMAGE.get(pk=analysis_id), token)


def claim_next(worker: str, *, untried: bool = False) -> Claim | None:
    """Take the analysis that has waited longest, or return None when the queue is empty.

    Args:
        untried: only one that no worker has begun before.
    """
    due = Analysis.objects.filter(claimable()).order_by("queued_at", "id")
    if untried:
        due = due.filter(attempts=0)
    # Several workers may look at the same rows: whoever updates first has it, the others try the next.
    for analysis_id in due.values_list("pk", flat=True)[:8]:
        taken = claim(analysis_id, worker)
        if taken is not None:
            return taken
    return None


def enter_stage(claim: Claim, stage: str) -> None:
    """Note where the work stands and renew the lease; LeaseLost when it is no longer this worker's."""
    write(claim, stage=stage, lease_expires_at=_lease_end())


def renew(claim: Claim) -> None:
    """Renew the lease while waiting; LeaseLost when it is no longer this worker's."""
    write(claim, lease_expires_at=_lease_end())


def write(claim: Claim, **values: Any) -> None:
    """The only UPDATE that a worker makes on an analysis it has claimed; LeaseLost when it no longer holds it."""
    held = Analysis.objects.filter(pk=claim.analysis.pk, status=Status.RUNNING, lease_token=claim.lease_token)
    if not held.order_by().update(**values):
        raise LeaseLost


def end(claim: Claim, status: str, **values: Any) -> None:
    """End a claimed analysis inside the caller's transaction; LeaseLost when it is no longer this worker's."""
    write(claim, status=status, finished_at=Now(), lease_token=None, lease_expires_at=None, **values)


@transaction.atomic
def fail(claim: Claim, code: str, message: str) -> None:
    """End as failed: the image could not be read, or a technical fault that trying again does not mend."""
    study = cases.lock_row(claim.analysis.image.study_id)
    before = current_of(claim.analysis)
    end(claim, Status.FAILED, error_code=code[:40], error_message=message[:400])
    hand_over_warnings(before)
    summary.summarise(study, changed=True)
    record_result(claim.analysis, study.pk, {"status": Status.FAILED, "code": code})
    notifications.analysis_failed(claim.analysis)


def release(claim: Claim, code: str, message: str) -> None:
    """Put back what a passing fault stopped, to be tried again a little later; fail it after the last attempt."""
    attempts = claim.analysis.attempts
    if attempts >= settings.MAX_ATTEMPTS:
        fail(claim, code, message)
        return
    log.warning("analysis_released", analysis_id=str(claim.analysis.pk), code=code, attempts=attempts)
    delay = RETRY_DELAYS_S[min(attempts, len(RETRY_DELAYS_S)) - 1]
    write(
        claim,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        woken_at=None,
        retry_after=Now() + timedelta(seconds=delay),
        lease_token=None,
        lease_expires_at=None,
    )


@transaction.atomic
def cancel(analysis: Analysis, user: User) -> None:
    """Stop an analysis; a worker that is at it loses its lease and discards what it has.

    Raises:
        Conflict: ``not_cancelable``.
    """
    study = cases.lock_row(analysis.image.study_id)
    before = current_of(analysis)
    stopped = (
        Analysis.objects.unfinished()
        .filter(pk=analysis.pk)
        .update(status=Status.CANCELLED, finished_at=Now(), lease_token=None, lease_expires_at=None)
    )
    if not stopped:
        raise Conflict("not_cancelable", _("The analysis has already ended. Reload the page to see the result."))
    hand_over_warnings(before)
    summary.summarise(study, changed=True)
    audit.record("cancel", user=user, obj=analysis, case_id=study.pk)
    analysis.refresh_from_db()


@transaction.atomic
def retry(analysis: Analysis, user: User) -> None:
    """Put a failed or cancelled analysis back into the queue, with all its attempts before it.

    Raises:
        Conflict: ``not_retriable``, ``case_signed``.
    """
    study = cases.lock(analysis.image.study_id)
    cases.require_unsigned(study)
    before = current_of(analysis)
    now = timezone.now()
    requeued = Analysis.objects.filter(pk=analysis.pk, status__in=(Status.FAILED, Status.CANCELLED)).update(
        status=Status.QUEUED,
        stage=Stage.WAITING,
        queued_at=now,
        woken_at=now,
        started_at=None,
        finished_at=None,
        retry_after=None,
        attempts=0,
        error_code="",
        error_message="",
        request_id=audit.request_context.get().request_id,
    )
    if not requeued:
        raise Conflict("not_retriable", _("Only a failed or cancelled analysis can be repeated."))
    hand_over_warnings(before)
    summary.summarise(study, changed=True)
    audit.record("retry", user=user, obj=analysis, case_id=study.pk)
    transaction.on_commit(lambda: wake(analysis.pk))
    analysis.refresh_from_db()


def place_in_queue(analysis: Analysis) -> int:
    """1 for the analysis that is next; 0 for one that does not wait."""
    if analysis.status != Status.QUEUED:
        return 0
    before = Q(queued_at__lt=analysis.queued_at) | Q(queued_at=analysis.queued_at, pk__lt=analysis.pk)
    return Analysis.objects.waiting().filter(before).count() + 1


def places_in_queue(analyses: Iterable[Analysis]) -> dict[UUID, int]:
    """The places of those that wait, by id, with one query at most; beyond the first 5,000 there is no place."""
    waiting = {analysis.pk for analysis in analyses if analysis.status == Status.QUEUED}
    if not waiting:
        return {}
    ordered = Analysis.objects.waiting().order_by("queued_at", "id").values_list("pk", flat=True)[:_PLACES]
    return {pk: place for place, pk in enumerate(ordered, start=1) if pk in waiting}


def record_result(analysis: Analysis, case_id: UUID, detail: dict[str, Any]) -> None:
    """Put the end of an analysis into the trail, under the request that asked for it."""
    context = audit.request_context.set(audit.RequestContext(request_id=analysis.request_id))
    if analysis.task != Task.TUMOUR:
        detail = {"task": analysis.task, **detail}
    try:
        department = Department(pk=analysis.department_id)
        audit.record("result", department=department, obj=analysis, case_id=case_id, detail=detail)
    finally:
        audit.request_context.reset(context)


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_S)
