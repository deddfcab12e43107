"""The newest analysis of each film of a case, and the warnings that stand on it."""

from collections.abc import Iterable
from typing import Any

from analyses.models import Analysis, Study, Task
from analyses.record import identity


def recheck(study: Study, names: Iterable[str] = identity.AGREE) -> None:
    """Open a warning on every film whose own evidence contradicts the record in one of these fields."""
    record = {name: value for name, value in identity.recorded(study).items() if name in names}
    for analysis in current_analyses(study, Task.TUMOUR):
        found = identity.contradictions(analysis.image.typed, analysis.image.header, record)
        against = [w for w in found if w["against"] == identity.AGAINST_RECORD]
        keep_warnings(analysis, identity.merged(analysis.warnings, against))


def keep_warnings(analysis: Analysis, warnings: list[dict[str, Any]]) -> None:
    if warnings != analysis.warnings:
        analysis.warnings = warnings
        analysis.save(update_fields=["warnings"])


def current_analyses(study: Study, task: str) -> list[Analysis]:
    """The newest analysis of this task of each film, in the order in which the films came."""
    rows = Analysis.objects.filter(image__study=study, task=task).select_related("image")
    newest: dict[Any, Analysis] = {}
    for analysis in rows.order_by("image__created_at", "image_id", "-created_at", "id"):
        newest.setdefault(analysis.image_id, analysis)
    return list(newest.values())
