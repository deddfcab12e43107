"""The doctor's reading of a case: saved as a draft, signed once, added to afterwards."""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.answers.across import require_identity
from analyses.answers.agreement import agreement
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, invalid_field, invalid_fields
from analyses.models import (
    BENIGN_STAGES,
    Addendum,
    Analysis,
    Reading,
    ReadingState,
    Review,
    Study,
    TumourGrade,
    TumourStage,
)
from analyses.models.vocabulary import AddendumReason
from analyses.notifications import services as notifications
from analyses.reading import unaided_reading
from analyses.record import cases
from analyses.record.fields import written
from analyses.reports import printing
from analyses.reports import services as reports
from analyses.structured_reading import services as structured_reading
from analyses.structured_reading import signature
from analyses.structured_reading.content import NOTHING, Structured
from analyses.worklist import assignment

MAX_TEXT = 8000


@transaction.atomic
def save_reading(
    study: Study,
    *,
    user: User,
    reading: str,
    impression: str = "",
    tumour_grade: str = "",
    tumour_stage: str = "",
    likelihood: int | None = None,
    structure: Structured = NOTHING,
    agrees_with_model: bool | None = None,
    version: int | None = None,
) -> Review:
    """Keep a doctor's reading as a draft; whoever saves becomes its reader.

    Args:
        tumour_grade, tumour_stage: codes; empty where the doctor states none.
        likelihood: of malignancy, 0 to 100; none with *cannot tell*.
        agrees_with_model: what the page said about agreement; refused when the model's answer has changed since.
        version: the draft that the page showed (0: none yet); a newer one is not overwritten, but the same reading sent
            twice is kept once.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``already_signed``, ``assigned_to_other``, ``second_reading_open``, ``result_changed``,
            ``stale_draft``.
    """
    require(user, Action.READ_CASE)
    if reading not in Reading.values:
        why = _("Choose a reading.")
        raise invalid_field("reading", why)
    _check_grade_and_stage(reading, tumour_grade, tumour_stage)
    locked = cases.lock(study.pk)
    state = CaseState(locked, user)
    review = state.review or Review(study=locked)
    if review.is_signed:
        raise _already_signed()
    assignment.take_for_saving(locked, user)
    state.require_locked()
    structured_reading.check(locked, reading, likelihood, structure)
    # A draft of whoever must not see the answer is not compared with it: what is kept or refused would tell it.
    outcome, agrees = "", None
    if state.sees_model:
        outcome = snapshots.answered_outcome(state)
        agrees = agreement(outcome, reading)
        if agrees_with_model is not None and agrees_with_model != agrees:
            raise _result_changed()
    language = locked.department.language
    impression = written("impression", impression, MAX_TEXT)
    values = {
        "reader_id": user.pk,
        "reading": reading,
        "impression": structured_reading.impression(review, reading, impression, structure.findings, language),
        "tumour_grade": tumour_grade,
        "tumour_stage": tumour_stage,
        "agrees_with_model": agrees,
        "model_outcome": outcome,
        **structured_reading.values(review, structure, likelihood, agrees, language),
    }
    values["findings_text"] = written("findings_text", values["findings_text"], MAX_TEXT)
    if version is not None and version != review.version:
        if all(getattr(review, name) == value for name, value in values.items()):
            return review
        raise _stale_draft()
    return _keep_draft(locked, study, review, values, user)


def _keep_draft(locked: Study, given: Study, review: Review, values: dict[str, Any], user: User) -> Review:
    for name, value in values.items():
        setattr(review, name, value)
    review.version += 1
    review.save()
    _advance(locked, given, ReadingState.PRELIMINARY)
    audit.record(
        "save_reading",
        user=user,
        obj=review,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={"reading": review.reading, "agrees_with_model": review.agrees_with_model, **_codes(review)},
    )
    return review


@transaction.atomic
def sign(study: Study, user: User, confirmed: Collection[str] = ()) -> Review:
    """Sign the doctor's draft: it is locked, hashed, and the final report is issued once the signature is kept.

    Args:
        confirmed: codes of the contradictions that the doctor means as they stand.

    Raises:
        Conflict: ``not_read``, ``already_signed``, ``not_your_reading``, ``unassigned``, ``still_running``,
            ``identity_unconfirmed``, ``result_changed``, ``assigned_to_other``, ``second_reading_open``,
            ``contradiction``, ``unconfirmed``, ``incomplete``, ``letters_missing``.
    """
    require(user, Action.READ_CASE)
    locked = cases.lock(study.pk)
    state = CaseState(locked, user)
    analyses, outcome = snapshots.answered_analyses(state, user), snapshots.answered_outcome(state)
    if state.review is not None and state.is_blind:
        # Nobody can look again at an answer that a lot hides: the reading is compared with the one of the lock.
        state.review.model_outcome = outcome
        state.review.agrees_with_model = agreement(outcome, state.review.reading)
    review = _signable(state, analyses, outcome, user)
    review.confirmed = structured_reading.confirmed_contradictions(locked, review, confirmed)
    structured_reading.require_complete(review)
    said = (review.findings_text, review.impression, review.recommendation_text, review.disagreement_text)
    printing.require_printable(" ".join(said))
    signed_at = timezone.now()
    review.signed_at, review.signed_as = signed_at, user.signing_name
    review.unanswered = {
        str(row.image_id): {"analysis": str(row.pk), "status": row.status} for row in analyses if not row.is_final
    }
    review.signed_sha256 = signature.signed_sha256(locked, review, analyses, signed_at)
    signed = (
        "signed_at",
        "signed_sha256",
        "confirmed",
        "model_outcome",
        "agrees_with_model",
        "unanswered",
        "signed_as",
    )
    review.save(update_fields=signed)
    unaided_reading.record_final(review, state.unaided, signed_at)
    _advance(locked, study, ReadingState.FINAL)
    audit.record(
        "sign",
        user=user,
        obj=review,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={"sha256": review.signed_sha256, "reading": review.reading, **_codes(review)},
    )
    _issue_on_commit(locked, user)
    return review


@transaction.atomic
def add_addendum(study: Study, user: User, text: str, reason: str = "") -> Addendum:
    """Add to a signed reading; the report issued before is superseded by an amended one, and both stay readable.

    Args:
        reason: a code of AddendumReason; the pages always ask for one.

    Raises:
        Invalid: ``bad_field`` (empty or too long, or no such reason).
        Conflict: ``not_signed``, ``letters_missing``.
    """
    require(user, Action.READ_CASE)
    text = written("text", text, MAX_TEXT)
    if not text:
        why = _("Enter the text of the addendum.")
        raise invalid_field("text", why)
    if reason and reason not in AddendumReason.values:
        why = _("Choose a reason.")
        raise invalid_field("reason", why)
    printing.require_printable(text)
    locked = cases.lock(study.pk)
    review = Review.objects.filter(study=locked, signed_at__isnull=False).first()
    if review is None:
        raise Conflict(
            "not_signed", _("The reading is not signed yet. Change the draft instead of adding an addendum.")
        )
    addendum = Addendum.objects.create(
        review=review, author=user, text=text, reason=reason, signed_as=user.signing_name
    )
    _advance(locked, study, ReadingState.AMENDED)
    detail = {"reason": reason} if reason else {}
    audit.record("addendum", user=user, obj=addendum, case_id=locked.pk, subject=locked.record_number, detail=detail)
    notifications.amended(locked, by=user)
    _issue_on_commit(locked, user)
    return addendum


def _check_grade_and_stage(reading: str, grade: str, stage: str) -> None:
    """Refuse unknown codes, and a grade or stage that contradicts the reading, each with the reason at its field."""
    errors = {}
    if grade and grade not in TumourGrade.values:
        errors["tumour_grade"] = [_("Choose a grade.")]
    elif grade and reading != Reading.MALIGNANT:
        errors["tumour_grade"] = [
            _("Only malignant tumours are graded. Choose the reading malignant, or leave the grade empty.")
        ]
    if stage and stage not in TumourStage.values:
        errors["tumour_stage"] = [_("Choose a stage.")]
    elif stage in BENIGN_STAGES and reading != Reading.BENIGN:
        errors["tumour_stage"] = [_("Stages 1 to 3 apply to benign tumours; the reading is not benign.")]
    elif stage and stage not in BENIGN_STAGES and reading != Reading.MALIGNANT:
        errors["tumour_stage"] = [_("Stages IA to III apply to malignant tumours; the reading is not malignant.")]
    if errors:
        raise invalid_fields(errors)


def _signable(state: CaseState, analyses: list[Analysis], outcome: str, user: User) -> Review:
    """The review, or the reason why it cannot be signed now."""
    study, review = state.study, state.review
    if review is None:
        raise Conflict("not_read", _("There is no reading to sign. Choose a reading first."))
    if review.is_signed:
        raise _already_signed()
    if review.reader_id != user.pk:
        raise Conflict(
            "not_your_reading", _("This draft was saved by another doctor. Save your reading, then sign it.")
        )
    assignment.require_may_sign(study, user)
    if study.patient_id is None:
        raise Conflict("unassigned", _("The case has no patient. Assign a patient, then sign."))
    if not all(analysis.is_final for analysis in analyses) and waits_for_answers(state):
        raise Conflict(
            "still_running", _("Not all films have been analysed. Wait for the analysis or cancel it, then sign.")
        )
    require_identity(analyses, _("The entry and the file differ. Confirm one of the two, then sign."))
    state.require_locked()
    if review.model_outcome != outcome:
        raise _result_changed()
    return review


def waits_for_answers(state: CaseState) -> bool:
    """Whether this user's reading of the case waits until every film has its answer: a trial compares with all."""
    if state.unaided is not None and state.unaided.arm:
        return True
    return state.study.department.waits_for_answers


def _codes(review: Review) -> dict[str, Any]:
    """What the trail says of a reading: codes and numbers, never text."""
    names = ("likelihood", "recommendation", "bone_rads", "disagreement_reason", "confirmed")
    coded = {name: value for name, value in review.structured.items() if name in names}
    return {**coded, **review.grade_and_stage}


def _stale_draft() -> Conflict:
    return Conflict(
        "stale_draft",
        _(
            "The reading was saved elsewhere after you opened this page. Nothing was overwritten. "
            "Compare both versions below, then save again to replace the other one."
        ),
    )


def _already_signed() -> Conflict:
    return Conflict("already_signed", _("The reading is signed and locked. Add an addendum instead."))


def _result_changed() -> Conflict:
    return Conflict(
        "result_changed",
        _(
            "The model's answer has changed since this reading was started. Review the answer, then "
            "save the reading again."
        ),
    )


def _advance(locked: Study, given: Study, state: ReadingState) -> None:
    """The case moves on: reports issued before no longer say how it stands."""
    cases.touch(locked, reading_state=state)
    reports.supersede_reports(locked)
    given.reading_state, given.revision = locked.reading_state, locked.revision


def _issue_on_commit(study: Study, user: User) -> None:
    # A clerk finds the report right after the signature. The signature stands even when there is no room for the PDF:
    # whoever asks for the report next issues it.
    transaction.on_commit(lambda: reports.issue_report(study, user), robust=True)
