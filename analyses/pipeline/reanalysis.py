"""Asks a model again about the images of cases that are not signed. What was signed stays as it was."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from analyses.answers.current import current_analyses
from analyses.errors import Conflict
from analyses.models import Analysis, Status, Study, Task
from analyses.pipeline import queue, summary
from analyses.pipeline.further_tasks import queue_task
from analyses.record import cases
from analyses.record.patients import lock_department
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse


@dataclass(frozen=True)
class Reanalysed:
    """How many images of a case were queued and how many still wait with an earlier question."""

    queued: int
    unfinished: int


@transaction.atomic
def reanalyse_case(study_id: Any, model: str = "", use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> Reanalysed:
    """Queue one more analysis for every image of this use in an unsigned case whose newest one has ended.

    The earlier answers stay in the record; the case sums up the newest. Who asked for the image asks again.

    Args:
        model: key of an installed model; empty: whatever is active when a worker begins.

    Raises:
        Study.DoesNotExist: there is no such case.
        Conflict: ``case_signed``; and as ``registry.require_fit``.
        Invalid: as ``registry.require_fit``.
    """
    if model:
        registry.require_fit(model, use)
    # The department first, then the case: the order in which all locks are taken.
    lock_department(Study.objects.values_list("department_id", flat=True).get(pk=study_id))
    study = cases.lock(study_id)
    if cases.is_signed(study):
        raise Conflict("case_signed", "The case is signed. Its answers can no longer change.")
    # Those that no model was asked about are asked again: there may be one now.
    newest = [row for row in current_analyses(study, use.task) if row.modality in (use.modality, "")]
    ended = [analysis for analysis in newest if analysis.is_final]
    for analysis in ended:
        ask_again(analysis, model)
    queued = len(ended) + _ask_first(study, use, model)
    if queued:
        summary.summarise(study, changed=True)
        detail = {"films": queued, "model": model, "task": use.task}
        audit.record("reanalyse", department=study.department, obj=study, case_id=study.pk, detail=detail)
    return Reanalysed(queued, len(newest) - len(ended))


def _ask_first(study: Study, use: IntendedUse, model: str) -> int:
    """Queue the films that were never asked for this task: a model for it may have come after them."""
    if use.task == Task.TUMOUR or not (model or registry.active_model(use)):
        return 0
    asked = {row.image_id for row in current_analyses(study, use.task)}
    films = [row for row in current_analyses(study, Task.TUMOUR) if row.status == Status.SUCCEEDED]
    new = [film for film in films if film.modality == use.modality and film.image_id not in asked]
    for film in new:
        queue_task(film, use.task, model)
    return len(new)


def ask_again(before: Analysis, model: str = "") -> None:
    """Queue one more analysis of an image for the task of this one; the caller holds the case and sums it up."""
    now = timezone.now()
    again = Analysis.objects.create(
        image=before.image,
        department_id=before.department_id,
        requested_by_id=before.requested_by_id,
        api_token_id=before.api_token_id,
        status=Status.QUEUED,
        queued_at=now,
        woken_at=now,
        task=before.task,
        wanted_model=model,
        # What a doctor decided about this image's identity stays decided.
        warnings=list(before.warnings),
        request_id=audit.request_context.get().request_id,
    )
    transaction.on_commit(lambda: queue.wake(again.pk))
