"""A case's status and answer, summed up from its current analyses whenever one of them changes."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Case, F, When

from analyses.answers.current import current_by_image
from analyses.answers.suspicion import rank
from analyses.blinding.snapshots import complete_snapshots
from analyses.models import SIGNED_STATES, Analysis, Status, Study, Task


def summarise(study: Study, *, changed: bool = False) -> None:
    """Write the case's status, outcome and probability from its current analyses of the tumour's task.

    The most suspicious one's answer stands, never a mean.

    Args:
        changed: also count a change that a report shows; one of a signed case shows what was answered by then.
    """
    rows = Analysis.objects.of_task(Task.TUMOUR).filter(image__study_id=study.pk).order_by("-created_at", "id")
    columns = rows.values_list("image_id", "status", "outcome", "malignant_probability", named=True)
    current = current_by_image(columns).values()
    study.status = _status(row.status for row in current)
    answers = [(row.outcome, row.malignant_probability) for row in current if row.status == Status.SUCCEEDED]
    study.outcome, study.malignant_probability = min(answers, key=lambda answer: rank(*answer), default=("", None))
    values: dict[str, Any] = {name: getattr(study, name) for name in ("status", "outcome", "malignant_probability")}
    if changed:
        as_signed = When(reading_state__in=SIGNED_STATES, then=F("revision"))
        values["revision"] = Case(as_signed, default=F("revision") + 1)
    Study.objects.filter(pk=study.pk).update(**values)
    if study.status != Status.QUEUED:
        complete_snapshots(study.pk)


def _status(statuses: Iterable[str]) -> str:
    found = set(statuses)
    if not found or found & {Status.QUEUED, Status.RUNNING}:
        return Status.QUEUED
    return next(status for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED) if status in found)
