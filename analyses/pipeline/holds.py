"""*Withheld for all*: administrators take the answers of one modality and task from everybody, and give them back.

While a hold is set every answer is stored as computed, in ``Analysis.computed`` where no page, list, report or
API looks, and its row says *withheld* with the reason ``withheld_for_all``. Answers to cases that are not signed yet
are put away in the same form, by the same function; signed cases keep what their reader saw. When the hold is lifted,
answers to cases that are still unsigned come back; a case signed meanwhile stays as it was signed. In the same way,
with the reason ``not_accepted_at_site``, a department keeps back answers of a model that it has not accepted.

Workers ask the database for every image. Whoever stores an answer looks again once it is committed: either the hold was
there by then, and the answer is put away, or the hold came later, and setting it found the answer.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Department, UnacceptedAnswers, User
from accounts.permissions import Action, require
from analyses.answers.agreement import ANSWERS
from analyses.errors import Conflict
from analyses.models import (
    SIGNED_STATES,
    Analysis,
    AtSite,
    FractureOutcome,
    ModelHold,
    Outcome,
    Report,
    ReportState,
    Status,
    Study,
    Task,
)
from analyses.models.registry import NOT_ACCEPTED_AT_SITE, WITHHELD_FOR_ALL
from analyses.pipeline import summary
from analyses.record.fields import stated_reason
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse, all_uses

REASON = WITHHELD_FOR_ALL
CHUNK = 50
# What an answer says, with what stands in its place while it is put away. A refusal by the gate is no answer.
EMPTY: dict[str, Any] = {
    "outcome": Outcome.WITHHELD.value,
    "reason_code": REASON,
    "withheld_reasons": [REASON],
    "probabilities": None,
    "malignant_probability": None,
    "leaning": "",
    "prediction_set": [],
    "subtypes": [],
    "regions": [],
    "saliency_file": "",
}
HELD_BACK = (*ANSWERS, *FractureOutcome.values, Outcome.WITHHELD)  # what a hold puts away
# Answers that their department keeps back until it has accepted the model.
UNACCEPTED = Q(site_acceptance=AtSite.NOT_ACCEPTED, department__unaccepted_answers=UnacceptedAnswers.WITHHELD)
_SHOWN, _SHOWN_S = "model-hold", 15


def in_force(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> ModelHold | None:
    """The hold of this use that is not lifted; one indexed query."""
    return _holds(use).filter(lifted_at__isnull=True).first()


def shown_uses() -> list[IntendedUse]:
    """The uses that pages call withheld for all; up to some seconds old."""
    try:
        return [IntendedUse(modality, task) for modality, task in cache.get(_SHOWN)]
    except (TypeError, ValueError):  # nothing is kept there, or nothing of ours
        rows = ModelHold.objects.filter(lifted_at__isnull=True).order_by("id")
        found = list(rows.values_list("modality", "task"))
        cache.set(_SHOWN, found, _SHOWN_S)
        return [IntendedUse(*use) for use in found]


def history(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> list[ModelHold]:
    """Every hold of this use, the newest first."""
    return list(_holds(use).select_related("set_by", "lifted_by"))


def _holds(use: IntendedUse) -> QuerySet[ModelHold]:
    return ModelHold.objects.filter(modality=use.modality, task=use.task)


def _answers(use: IntendedUse) -> QuerySet[Analysis]:
    return Analysis.objects.filter(modality=use.modality, task=use.task)


def _put_away(reason: str) -> dict[str, Any]:
    """What stands in the place of an answer that is put away for this reason."""
    return EMPTY | {"reason_code": reason, "withheld_reasons": [reason]}


def withheld(fields: dict[str, Any], reason: str = REASON) -> dict[str, Any]:
    """An answer's fields as they are stored during a hold: put away in ``computed``; what is no answer stays."""
    if fields["outcome"] not in HELD_BACK:
        return fields
    return fields | _put_away(reason) | {"computed": {name: fields[name] for name in EMPTY}}


def stored_fields(fields: dict[str, Any], use: IntendedUse) -> dict[str, Any]:
    """What a worker stores of this answer now."""
    return withheld(fields) if in_force(use) else fields


def kept_back_fields(fields: dict[str, Any], department: Department) -> dict[str, Any]:
    """The same, where the department keeps back what it has not accepted and no hold has put the answer away."""
    unaccepted = fields["site_acceptance"] == AtSite.NOT_ACCEPTED and "computed" not in fields
    if unaccepted and department.unaccepted_answers == UnacceptedAnswers.WITHHELD:
        return withheld(fields, NOT_ACCEPTED_AT_SITE)
    return fields


def withhold_late_answer(analysis_id: UUID, use: IntendedUse) -> None:
    """Once an answer is committed: put it away where a hold, or a choice, came while it was being stored."""
    rows = _answers(use).filter(pk=analysis_id)
    if in_force(use) is not None or rows.filter(UNACCEPTED).exists():
        with transaction.atomic():
            _apply(use, rows)


def withhold_for_all(*, reason: str, by: User, use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> ModelHold:
    """Take the answers of this use away from everybody, from now on and in every case that is not signed.

    Raises:
        Invalid: ``bad_field`` without a reason.
        Conflict: ``already_withheld``.
    """
    require(by, Action.MANAGE_MODELS)
    reason = stated_reason(reason)
    try:
        with transaction.atomic():
            hold = ModelHold.objects.create(modality=use.modality, task=use.task, reason=reason, set_by=by)
            audit.record("withhold_for_all", user=by, obj=hold, detail=_detail(hold, reason))
    except IntegrityError:
        raise Conflict("already_withheld", _("The model is already withheld for all.")) from None
    # Committed first: a worker that does not find the hold has then stored its answer before this looks for it.
    cache.delete(_SHOWN)
    apply_to_unsigned(use)
    return hold


def lift(*, reason: str, by: User, use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> ModelHold:
    """Let the model of this use answer again; answers to cases that are still unsigned come back as they were computed.

    Raises:
        Invalid: ``bad_field`` without a reason.
        Conflict: ``not_withheld``.
    """
    require(by, Action.MANAGE_MODELS)
    reason = stated_reason(reason)
    with transaction.atomic():
        hold = _holds(use).select_for_update().filter(lifted_at__isnull=True).first()
        if hold is None:
            raise Conflict("not_withheld", _("The model is not withheld for all."))
        hold.lift_reason, hold.lifted_by, hold.lifted_at = reason, by, timezone.now()
        hold.save(update_fields=["lift_reason", "lifted_by", "lifted_at"])
        audit.record("lift_hold", user=by, obj=hold, detail=_detail(hold, reason))
    cache.delete(_SHOWN)
    apply_to_unsigned(use)
    return hold


def _detail(hold: ModelHold, reason: str) -> dict[str, str]:
    return {"modality": hold.modality, "task": hold.task, "reason": reason}


def apply_all() -> int:
    """Bring the answers of every use to what its hold says, and return how many were changed.

    The sweeper calls it, for what was left over when somebody's request or process ended half-way.
    """
    return sum(apply_to_unsigned(use) for use in all_uses())


def apply_to_unsigned(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> int:
    """Bring the answers of this use to unsigned cases to what its hold and the departments say; return how many."""
    return _apply(use, _answers(use))


def _apply(use: IntendedUse, rows: QuerySet[Analysis]) -> int:
    """Put away what is to be, give back what is not, and name the reason that holds now."""
    if in_force(use):
        return _withhold(use, rows, REASON)
    changed = _restore(use, rows.filter(computed__isnull=False).exclude(UNACCEPTED))
    return changed + _withhold(use, rows.filter(UNACCEPTED), NOT_ACCEPTED_AT_SITE)


def _withhold(use: IntendedUse, rows: QuerySet[Analysis], reason: str) -> int:
    """Put the answers to unsigned cases away for this reason and return how many. In few statements: somebody waits."""

    def change(answers: list[Analysis], studies: list[Study]) -> None:
        fresh = [answer for answer in answers if answer.computed is None]
        for answer in fresh:
            answer.computed = {name: getattr(answer, name) for name in EMPTY}
        Analysis.objects.bulk_update(fresh, ["computed"])
        Analysis.objects.filter(pk__in=[answer.pk for answer in answers]).update(**_put_away(reason))
        if use.task == Task.TUMOUR:
            _without_answer(use, studies)

    # Answers that are put away for another reason are to be named anew.
    wrong = Q(computed__isnull=True) | ~Q(reason_code=reason)
    return in_parts(rows.filter(wrong, status=Status.SUCCEEDED, outcome__in=HELD_BACK), change)


def _without_answer(use: IntendedUse, studies: list[Study]) -> None:
    """Say of these cases that their answers are withheld; a case in which others still stand is summed up.

    A withheld answer stands before an image that was refused, and where no other answer stands none is left.
    """
    others = Analysis.objects.filter(image__study__in=studies, task=use.task, outcome__in=HELD_BACK)
    mixed = set(
        others.exclude(modality=use.modality, computed__isnull=False)
        .order_by()
        .values_list("image__study_id", flat=True)
    )
    alone = [study.pk for study in studies if study.pk not in mixed]
    answered = Study.objects.filter(pk__in=alone, outcome__in=HELD_BACK)
    answered.update(outcome=Outcome.WITHHELD, malignant_probability=None)
    for study in studies:
        if study.pk in mixed:
            summary.summarise(study)


def _restore(use: IntendedUse, rows: QuerySet[Analysis]) -> int:
    """Give the answers to unsigned cases back as they were computed and return how many."""

    def change(answers: list[Analysis], studies: list[Study]) -> None:
        for answer in answers:
            Analysis.objects.filter(pk=answer.pk).update(**(answer.computed or {}), computed=None)
        if use.task == Task.TUMOUR:
            for study in studies:
                summary.summarise(study)

    return in_parts(rows, change)


def in_parts(rows: QuerySet[Analysis], change: Callable[[list[Analysis], list[Study]], None]) -> int:
    """Apply a change to the answers of unsigned cases and to these cases, some of them in each transaction."""
    unsigned = rows.exclude(image__study__reading_state__in=SIGNED_STATES).order_by()
    studies = list(unsigned.values_list("image__study_id", flat=True).distinct())
    count = 0
    for start in range(0, len(studies), CHUNK):
        part = studies[start : start + CHUNK]
        with transaction.atomic():
            # A case that was signed since then keeps what its reader saw.
            rows_to_lock = Study.objects.select_for_update(no_key=True).filter(pk__in=part)
            open_cases = list(rows_to_lock.exclude(reading_state__in=SIGNED_STATES).order_by("pk"))
            affected = list(rows.filter(image__study__in=open_cases))
            change(affected, open_cases)
            _supersede_reports(open_cases)
            count += len(affected)
    return count


def _supersede_reports(studies: list[Study]) -> None:
    """Reports show the answers of every task: those of these cases say what is no longer so."""
    ids = [study.pk for study in studies]
    Study.objects.filter(pk__in=ids).update(revision=F("revision") + 1)
    valid = Report.objects.filter(study__in=ids, state=ReportState.VALID)
    valid.update(state=ReportState.SUPERSEDED, ended_at=timezone.now())
