"""The model's answer to a case as it stood when an unaided reading was locked: it is revealed, whatever comes later."""

import copy
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from analyses.answers.current import current_analyses, current_by_image
from analyses.answers.suspicion import rank
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import without_answer
from analyses.models import Analysis, Arm, Outcome, Status, Study, Task, UnaidedReading
from analyses.models.registry import NOT_ACCEPTED_AT_SITE, WITHHELD_FOR_ALL


def snapshot(study: Study, at: datetime) -> dict[str, Any]:
    """The current answer of every film, in the order in which the films came, and what the case sums up to."""
    return _summed_up([_entry(analysis) for analysis in current_analyses(study, Task.TUMOUR)], at)


def complete_snapshots(study_id: UUID) -> None:
    """Complete the answers that were still being computed when a reading was locked; call where an analysis ended."""
    waiting = UnaidedReading.objects.filter(study_id=study_id, locked_at__isnull=False, answer__complete=False)
    keys = list(waiting.values_list("pk", flat=True))
    if not keys:
        return
    with transaction.atomic():
        for unaided in waiting.select_for_update().filter(pk__in=keys):
            _complete(unaided, timezone.now())


def answered_outcome(state: CaseState) -> str:
    """The outcome that this user's final reading stands beside: that of the lock, else that of the case as it is.

    A film that came after the lock counts with its newest answer, as it does in `answered_analyses`.
    """
    answer = _answer_at_lock(state, state.user)
    if answer is None or not answer["complete"] or _is_taken_away(state):
        return state.study.outcome
    newest = {str(analysis.image_id): analysis for analysis in state.current}
    films = [entry for entry in answer["films"] if entry["image"] in newest]
    at_lock = {entry["image"] for entry in films}
    later = [_entry(analysis) for image, analysis in newest.items() if image not in at_lock]
    return str(_summed_up([*films, *later], timezone.now())["outcome"])


def _answer_at_lock(state: CaseState, reader: User | None) -> dict[str, Any] | None:
    """What this reader's lock kept; None without a locked unaided reading."""
    unaided = state.unaided_readings.get(reader.pk) if reader is not None else None
    return unaided.answer or None if unaided is not None and unaided.is_locked else None


def _is_taken_away(state: CaseState) -> bool:
    """Whether the answers to this case were taken from everybody: what was seen before is not told again either."""
    return state.study.outcome == Outcome.WITHHELD and any(
        analysis.reason_code in (WITHHELD_FOR_ALL, NOT_ACCEPTED_AT_SITE) for analysis in state.current
    )


def answered_analyses(state: CaseState, reader: User | None) -> list[Analysis]:
    """The analyses that this reader's final reading stands beside, one for each film, in the order of the films.

    Those of the lock, as they stood then, where the reader has a locked unaided reading; else the newest. A film that
    came after the lock counts with its newest.
    """
    answer = _answer_at_lock(state, reader)
    entries = {entry["image"]: entry for entry in answer["films"]} if answer else {}
    rows = {str(analysis.pk): analysis for analysis in state.analyses}
    return [
        _as_at_lock(rows.get(entry["analysis"], analysis), entry)
        if (entry := entries.get(str(analysis.image_id)))
        else analysis
        for analysis in state.current
    ]


def signed_analyses(state: CaseState, reader: User | None) -> list[Analysis]:
    """As ``answered_analyses``; in a signed case the films that had no answer yet have none, whatever came later."""
    unanswered = state.review.unanswered if state.is_signed and state.review is not None else {}
    if not unanswered:
        return answered_analyses(state, reader)
    rows = {str(analysis.pk): analysis for analysis in state.analyses}
    return [
        _as_unanswered(rows.get(then["analysis"], analysis), then["status"])
        if (then := unanswered.get(str(analysis.image_id)))
        else analysis
        for analysis in answered_analyses(state, reader)
    ]


def _as_unanswered(analysis: Analysis, status: str) -> Analysis:
    """The row, and its image, as they stood while no worker was done with them (never saved)."""
    then = without_answer(analysis)
    then.status, then.canonical_sha256, then.finished_at = status, "", None
    then.error_code = then.error_message = ""
    then.image = copy.copy(analysis.image)
    then.image.canonical_sha256 = ""
    return then


def _as_at_lock(analysis: Analysis, entry: dict[str, Any]) -> Analysis:
    """The row as it stood at the lock: a failed or cancelled one may have been tried again since (never saved)."""
    if not entry["final"] or analysis.status == entry["status"]:
        return analysis
    then = without_answer(analysis)
    for name in ("status", "error_code", "error_message"):
        setattr(then, name, entry[name])
    return then


def _complete(unaided: UnaidedReading, at: datetime) -> None:
    answer: dict[str, Any] = unaided.answer or {}
    films = answer["films"]
    open_ones = {film["analysis"] for film in films if not film["final"]}
    rows = Analysis.objects.filter(pk__in=open_ones)
    ended = {str(row.pk): _standing(row) for row in rows if row.is_final}
    if not ended:
        return
    number = {film["analysis"]: film for film in films}
    unaided.answer = _summed_up([_entry(ended[key]) if key in ended else number[key] for key in number], at)
    if unaided.answer["complete"] and unaided.arm != Arm.HIDDEN and unaided.revealed_at is None:
        unaided.revealed_at = at
    unaided.save(update_fields=["answer", "revealed_at"])


def _standing(asked: Analysis) -> Analysis:
    """What answers the question that was open at the lock: an earlier answer where it ended without one."""
    rows = Analysis.objects.of_task(asked.task).filter(image_id=asked.image_id, created_at__lte=asked.created_at)
    return current_by_image(rows.order_by("-created_at", "id"))[asked.image_id]


def _entry(analysis: Analysis) -> dict[str, Any]:
    return {
        "image": str(analysis.image_id),
        "analysis": str(analysis.pk),
        "status": analysis.status,
        "final": analysis.is_final,
        "outcome": analysis.outcome,
        "reason_code": analysis.reason_code,
        "outside_use": analysis.outside_use,
        "probabilities": analysis.probabilities,
        "malignant_probability": analysis.malignant_probability,
        "operating_point": analysis.operating_point,
        "withheld_reasons": analysis.withheld_reasons,
        "model": {
            "name": analysis.model_name,
            "version": analysis.model_version,
            "sha256": analysis.model_sha256,
        },
        "error_code": analysis.error_code,
        "error_message": analysis.error_message,
    }


def _summed_up(films: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
    answers = [(film["outcome"], film["malignant_probability"]) for film in films if film["status"] == Status.SUCCEEDED]
    outcome, probability = min(answers, key=lambda answer: rank(*answer), default=("", None))
    return {
        "complete": all(film["final"] for film in films),
        "outcome": outcome,
        "malignant_probability": probability,
        "taken_at": at.isoformat(),
        "films": films,
    }
