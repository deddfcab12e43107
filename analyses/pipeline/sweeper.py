"""What keeps the queue moving when messages, workers or the broker are lost; and what an administrator sees of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts import sessions
from analyses.answers.current import current_of, hand_over_warnings
from analyses.models import Analysis, IdempotencyKey, ProcessSeen, Stage, Status
from analyses.notifications import services as notifications
from analyses.pipeline import queue, summary
from analyses.record import cases

log = structlog.get_logger(__name__)
# A woken worker goes on with what has waited longest, so a few messages set a whole queue in motion. While no worker
# lives they would only pile up in the broker.
MAX_WAKES, MAX_WAKES_ALONE = 8, 1
MAX_FAILS = 50
EXHAUSTED = "attempts_exhausted"
EXHAUSTED_MESSAGE = (
    "The analysis was started several times but never finished. This film may crash the program: "
    "export it again and upload the new copy, or inform the operator."
)
LATE_AFTER_S = 45
FORGET_AFTER = timedelta(days=1)
KEYS_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class SweepReport:
    """What one sweep did."""

    requeued: int = 0
    failed: int = 0
    woken: int = 0


def sweep(name: str = "sweeper", started_at: datetime | None = None) -> SweepReport:
    """Put abandoned analyses back, fail those tried too often, and wake the oldest that nobody was told of lately."""
    seen("sweeper", name, started_at or timezone.now())
    failed = _fail_exhausted()
    requeued = _requeue_abandoned()
    report = SweepReport(requeued=requeued, failed=failed, woken=_wake_forgotten())
    if report != SweepReport():
        log.info("swept", requeued=report.requeued, failed=report.failed, woken=report.woken)
    return report


def _requeue_abandoned() -> int:
    abandoned = Analysis.objects.filter(status=Status.RUNNING, lease_expires_at__lt=Now())
    return abandoned.update(
        status=Status.QUEUED, stage=Stage.WAITING, woken_at=None, lease_token=None, lease_expires_at=None
    )


def _fail_exhausted() -> int:
    """An image that ends its worker each time must not do so for ever."""
    over = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, lease_expires_at__lt=Now())
    rows = Analysis.objects.filter(over, attempts__gte=settings.MAX_ATTEMPTS).select_related("image")
    return sum(_fail(analysis, over) for analysis in rows[:MAX_FAILS])


@transaction.atomic
def _fail(analysis: Analysis, still: Q) -> bool:
    study = cases.lock_row(analysis.image.study_id)
    before = current_of(analysis)
    ended = Analysis.objects.filter(still, pk=analysis.pk, attempts__gte=settings.MAX_ATTEMPTS).update(
        status=Status.FAILED,
        finished_at=Now(),
        error_code=EXHAUSTED,
        error_message=EXHAUSTED_MESSAGE,
        lease_token=None,
        lease_expires_at=None,
    )
    if ended:
        hand_over_warnings(before)
        summary.summarise(study, changed=True)
        queue.record_result(analysis, study.pk, {"status": Status.FAILED, "code": EXHAUSTED})
        notifications.analysis_failed(analysis)
    return bool(ended)


def _wake_forgotten() -> int:
    silent = Q(woken_at__isnull=True) | Q(woken_at__lt=Now() - timedelta(seconds=settings.WAKE_AGAIN_S))
    due = Analysis.objects.filter(queue.claimable(), silent, status=Status.QUEUED)
    alive = ProcessSeen.objects.filter(kind="worker", seen_at__gt=Now() - timedelta(seconds=LATE_AFTER_S)).exists()
    limit = MAX_WAKES if alive else MAX_WAKES_ALONE
    woken = []
    for analysis_id in due.order_by("queued_at", "id").values_list("pk", flat=True)[:limit]:
        if not queue.wake(analysis_id):
            break
        woken.append(analysis_id)
    if woken:
        Analysis.objects.filter(pk__in=woken).update(woken_at=Now())
    return len(woken)


def seen(kind: str, name: str, started_at: datetime) -> None:
    """Note that a worker or sweeper is alive."""
    if not ProcessSeen.objects.filter(kind=kind, name=name).update(seen_at=Now(), started_at=started_at):
        ProcessSeen.objects.get_or_create(
            kind=kind, name=name, defaults={"started_at": started_at, "seen_at": timezone.now()}
        )


def tidy() -> None:
    """Forget processes long gone, idempotency keys that no client repeats any more, and sessions past their end."""
    ProcessSeen.objects.filter(seen_at__lt=Now() - FORGET_AFTER).delete()
    IdempotencyKey.objects.filter(created_at__lt=Now() - KEYS_KEPT).delete()
    sessions.forget_expired()


def status_summary() -> dict[str, Any]:
    """Figures for the status page, without patient data.

    Keys: ``queued``, ``running``, ``oldest_queued_s`` (None when nothing waits), ``by_stage`` and ``failures`` (of the
    last 24 h; lists of ``{name, count}``), ``finished_24h`` (``{status: count}``), ``workers`` and ``sweepers`` (lists
    of ``{name, started_at, seen_at, late}``).
    """
    now = timezone.now()
    unfinished = Analysis.objects.unfinished()
    counts = dict(unfinished.order_by().values_list("status").annotate(Count("pk")))
    oldest = unfinished.filter(status=Status.QUEUED).aggregate(oldest=Min("queued_at"))["oldest"]
    recent = Analysis.objects.filter(finished_at__gte=now - timedelta(days=1)).order_by()
    stages = dict(unfinished.order_by().values_list("stage").annotate(Count("pk")))
    failures = recent.filter(status=Status.FAILED).values_list("error_code").annotate(n=Count("pk"))
    processes = [_process(row, now) for row in ProcessSeen.objects.order_by("name")]
    return {
        "queued": counts.get(Status.QUEUED, 0),
        "running": counts.get(Status.RUNNING, 0),
        "oldest_queued_s": max(0.0, (now - oldest).total_seconds()) if oldest else None,
        "by_stage": [{"name": name, "count": stages.get(name, 0)} for name in Stage.values if name != Stage.DONE],
        "failures": [{"name": name, "count": n} for name, n in failures.order_by("-n", "error_code")],
        "finished_24h": dict(recent.values_list("status").annotate(Count("pk"))),
        "workers": [entry for kind, entry in processes if kind == "worker"],
        "sweepers": [entry for kind, entry in processes if kind == "sweeper"],
    }


def _process(row: ProcessSeen, now: datetime) -> tuple[str, dict[str, Any]]:
    late = (now - row.seen_at).total_seconds() > LATE_AFTER_S
    return row.kind, {"name": row.name, "started_at": row.started_at, "seen_at": row.seen_at, "late": late}
