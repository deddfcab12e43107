"""Which analysis of each film of a case is the current one, and the warnings that stand on it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from django.db.models import QuerySet

from analyses.models import Analysis, Status, Study, Task
from analyses.record import identity

ENDED_WITHOUT_ANSWER = (Status.FAILED, Status.CANCELLED)


def recheck(study: Study, names: Iterable[str] = identity.AGREE) -> None:
    """Open a warning on every image whose own evidence contradicts the record in one of these fields."""
    record = {name: value for name, value in identity.recorded(study).items() if name in names}
    for analysis in current_analyses(study, Task.TUMOUR):
        found = identity.contradictions(analysis.image.typed, analysis.image.header, record)
        against = [w for w in found if w["against"] == identity.AGAINST_RECORD]
        keep_warnings(analysis, identity.merged(analysis.warnings, against))


def decide(study: Study, names: Collection[str]) -> None:
    """A doctor has stated these values by hand: close the films' contradictions with them, also those not yet seen.

    A film that still waits may name somebody else in its header; that is found, and asked, when it is read.
    """
    record = {name: value for name, value in identity.recorded(study).items() if name in names}
    for analysis in current_analyses(study, Task.TUMOUR):
        found = identity.contradictions(analysis.image.typed, analysis.image.header, record)
        known = identity.merged(analysis.warnings, found)
        keep_warnings(analysis, [closed(w, "edited") if w.get("field") in names else w for w in known])


def closed(warning: Mapping[str, Any], how: str) -> dict[str, Any]:
    """The warning as decided; an earlier decision stays."""
    return {**warning, "confirmed": warning.get("confirmed") or how}


def keep_warnings(analysis: Analysis, warnings: list[dict[str, Any]]) -> None:
    if warnings != analysis.warnings:
        analysis.warnings = warnings
        analysis.save(update_fields=["warnings"])


def current_of(analysis: Analysis) -> Analysis:
    """The analysis that is current for the image and task of this one."""
    rows = Analysis.objects.of_task(analysis.task).filter(image_id=analysis.image_id).order_by("-created_at", "id")
    return current_by_image(rows)[analysis.image_id]


def hand_over_warnings(before: Analysis) -> None:
    """Give what was found and decided about an image to the analysis that is current after this one.

    Contradictions are checked and decided on the current analysis only: none may be lost with it.
    """
    now = current_of(before)
    if now.pk != before.pk:
        remarks = [entry["code"] for entry in now.warnings if not entry["field"]]
        keep_warnings(now, identity.with_remarks(before.warnings, remarks))


def current_analyses(study: Study, task: str) -> list[Analysis]:
    """The current analysis of this task of each image, in the order in which the images came."""
    return list(current_by_image(analyses_of(study, task)).values())


def further_by_image(images: Iterable[Any]) -> dict[Any, list[Analysis]]:
    """The current analyses of every task but the tumour's of these images, by image; one query."""
    rows = Analysis.objects.exclude(task=Task.TUMOUR).filter(image_id__in=set(images)).select_related("image")
    ordered = list(rows.order_by("task", "-created_at", "id"))
    found: dict[Any, list[Analysis]] = {}
    for task in dict.fromkeys(row.task for row in ordered):
        for image, row in current_by_image(row for row in ordered if row.task == task).items():
            found.setdefault(image, []).append(row)
    return found


def analyses_of(study: Study, task: str = "") -> QuerySet[Analysis]:
    """The analyses of this task (or of all) with their images: image after image, the newest of each first."""
    rows = Analysis.objects.filter(image__study=study).select_related("image", "requested_by")
    rows = rows.of_task(task) if task else rows
    return rows.order_by("image__created_at", "image_id", "-created_at", "id")


class Row(Protocol):
    """What decides which of a film's analyses is the current one."""

    @property
    def image_id(self) -> Any: ...

    @property
    def status(self) -> str: ...


R = TypeVar("R", bound=Row)


def current_by_image(rows: Iterable[R]) -> dict[Any, R]:
    """The current one of each film's analyses, which come newest first: the newest, whatever its state.

    Only where the newest ended without an answer, an earlier answer stands: asking a model again takes nothing away.
    """
    current: dict[Any, R] = {}
    for row in rows:
        known = current.get(row.image_id)
        if known is None or (known.status in ENDED_WITHOUT_ANSWER and row.status == Status.SUCCEEDED):
            current[row.image_id] = row
    return current
