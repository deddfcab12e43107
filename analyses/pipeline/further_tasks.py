"""What else a film is asked: once its tumour's analysis has ended, one more for each other task with an active model.

The film is decoded and its case is found by then. Where no other task is active nothing is asked or written.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from analyses.models import Analysis, Status, Study, Task
from analyses.pipeline import queue
from analyses.record import cases
from analyses.registry import services as registry
from analyses.registry.uses import TASKS, IntendedUse


def further_uses(use: IntendedUse) -> list[IntendedUse]:
    """The other tasks on the same group of modalities for which a model answers; one indexed query for each task."""
    if use.task != Task.TUMOUR:
        return []
    others = [IntendedUse(use.modality, task) for task in TASKS if task != use.task]
    return [other for other in others if registry.active_model(other)]


def ask_further(asked: Analysis, study_id: UUID, uses: list[IntendedUse]) -> list[Analysis]:
    """Queue one analysis of this film for each of these uses that it was never asked for; none in a signed case.

    In the transaction that ends ``asked``; who asked for the film asks again.
    """
    if not uses:
        return []
    known = set(Analysis.objects.filter(image_id=asked.image_id).order_by().values_list("task", flat=True))
    if cases.is_signed(Study.objects.only("reading_state").get(pk=study_id)):
        return []
    return [queue_task(asked, use.task) for use in uses if use.task not in known]


def queue_task(asked: Analysis, task: str, model: str = "") -> Analysis:
    """Queue one more analysis of this film for another task, and wake a worker on commit.

    Args:
        model: key of an installed model; empty: whatever is active when a worker begins.
    """
    now = timezone.now()
    further = Analysis.objects.create(
        image_id=asked.image_id,
        department_id=asked.department_id,
        requested_by_id=asked.requested_by_id,
        api_token_id=asked.api_token_id,
        status=Status.QUEUED,
        queued_at=now,
        woken_at=now,
        task=task,
        modality=asked.modality,
        wanted_model=model,
        request_id=asked.request_id,
    )
    transaction.on_commit(lambda: queue.wake(further.pk))
    return further
