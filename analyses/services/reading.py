"""The doctor's reading of a case: saved as a draft, signed once, added to afterwards."""

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses import blinding, signature
from analyses.errors import Conflict, Invalid
from analyses.models import (
    BENIGN_STAGES,
    Addendum,
    Analysis,
    Outcome,
    Reading,
    ReadingState,
    Review,
    Study,
    TumourGrade,
    TumourStage,
)
from analyses.services import cases, own_reading, reporting, snapshots

SAME_AS: dict[str, str] = {
    Outcome.NORMAL: Reading.NORMAL,
    Outcome.BENIGN: Reading.BENIGN,
    Outcome.MALIGNANT: Reading.MALIGNANT,
}
MAX_TEXT = 8000


def agreement(outcome: str, reading: str) -> bool | None:
    """Whether a reading agrees with the model's outcome; None where there is none to agree with."""
    return SAME_AS[outcome] == reading if outcome in SAME_AS else None


@transaction.atomic
def save_reading(
    study: Study,
    *,
    user: User,
    reading: str,
    impression: str = "",
    tumour_grade: str = "",
    tumour_stage: str = "",
    agrees_with_model: bool | None = None,
) -> Review:
    """Keep a doctor's reading as a draft; whoever saves becomes its reader.

    Args:
        tumour_grade, tumour_stage: codes; empty where the doctor states none.
        agrees_with_model: what the page said about agreement; refused when the model's answer has changed since.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``already_signed``, ``result_changed``.
    """
    require(user, Action.READ_CASE)
    if reading not in Reading.values:
        raise Invalid("bad_field", "Choose one of the readings.", fields={"reading": ["Choose one of the readings."]})
    _check_grade_and_stage(reading, tumour_grade, tumour_stage)
    locked = cases.lock(study.pk)
    own_reading.require_locked(locked, user)
    outcome = snapshots.answered_outcome(locked, user)
    agrees = agreement(outcome, reading)
    if agrees_with_model is not None and agrees_with_model != agrees:
        raise _result_changed()
    review = Review.objects.filter(study=locked).first() or Review(study=locked)
    if review.is_signed:
        raise _already_signed()
    review.reader, review.reading = user, reading
    review.impression = _text("impression", impression)
    review.tumour_grade, review.tumour_stage = tumour_grade, tumour_stage
    review.agrees_with_model, review.model_outcome = agrees, outcome
    review.save()
    _advance(locked, study, ReadingState.PRELIMINARY)
    audit.record(
        "save_reading",
        user=user,
        obj=review,
        case_id=locked.pk,
        subject=_subject(locked),
        detail={"reading": reading, "agrees_with_model": agrees, **review.grade_and_stage},
    )
    return review


@transaction.atomic
def sign(study: Study, user: User) -> Review:
    """Sign one's own reading: it is locked, hashed, and the final report is issued once the signature is kept.

    Raises:
        Conflict: ``not_read``, ``already_signed``, ``not_your_reading``, ``unassigned``, ``still_running``,
            ``identity_unconfirmed``, ``result_changed``.
    """
    require(user, Action.READ_CASE)
    locked = cases.lock(study.pk)
    review = Review.objects.select_related("reader").filter(study=locked).first()
    analyses = snapshots.answered_analyses(locked, user)
    if review is not None and not blinding.sees_model(user, locked):
        # Nobody can look again at an answer that a lot hides: the reading is compared with the one of the lock.
        review.model_outcome = snapshots.answered_outcome(locked, user)
        review.agrees_with_model = agreement(review.model_outcome, review.reading)
    review = _signable(locked, review, analyses, user)
    signed_at = timezone.now()
    review.signed_at = signed_at
    review.signed_sha256 = signature.content_sha256(signature.signed_content(locked, review, analyses, signed_at))
    review.save(update_fields=["signed_at", "signed_sha256", "model_outcome", "agrees_with_model"])
    own_reading.record_final(review, signed_at)
    _advance(locked, study, ReadingState.FINAL)
    audit.record(
        "sign",
        user=user,
        obj=review,
        case_id=locked.pk,
        subject=_subject(locked),
        detail={"sha256": review.signed_sha256, "reading": review.reading, **review.grade_and_stage},
    )
    _issue_on_commit(locked, user)
    return review


@transaction.atomic
def add_addendum(study: Study, user: User, text: str) -> Addendum:
    """Add to a signed reading; the report issued before is superseded by an amended one.

    Raises:
        Invalid: ``bad_field`` (empty or too long).
        Conflict: ``not_signed``.
    """
    require(user, Action.READ_CASE)
    text = _text("text", text)
    if not text:
        raise Invalid("bad_field", "Write what is to be added.", fields={"text": ["Write what is to be added."]})
    locked = cases.lock(study.pk)
    review = Review.objects.filter(study=locked, signed_at__isnull=False).first()
    if review is None:
        raise Conflict("not_signed", "The reading is not signed yet. Change the draft instead of adding to it.")
    addendum = Addendum.objects.create(review=review, author=user, text=text)
    _advance(locked, study, ReadingState.AMENDED)
    audit.record("addendum", user=user, obj=addendum, case_id=locked.pk, subject=_subject(locked))
    _issue_on_commit(locked, user)
    return addendum


def _check_grade_and_stage(reading: str, grade: str, stage: str) -> None:
    """Refuse unknown codes, and a grade or stage that contradicts the reading, each with the reason at its field."""
    errors = {}
    if grade and grade not in TumourGrade.values:
        errors["tumour_grade"] = ["Choose one of the grades."]
    elif grade and reading != Reading.MALIGNANT:
        errors["tumour_grade"] = ["Only malignant tumours are graded. Choose the reading malignant or leave it out."]
    if stage and stage not in TumourStage.values:
        errors["tumour_stage"] = ["Choose one of the stages."]
    elif stage in BENIGN_STAGES and reading != Reading.BENIGN:
        errors["tumour_stage"] = ["Stages 1 to 3 are those of benign tumours; the reading is not benign."]
    elif stage and stage not in BENIGN_STAGES and reading != Reading.MALIGNANT:
        errors["tumour_stage"] = ["Stages IA to III are those of malignant tumours; the reading is not malignant."]
    if errors:
        raise Invalid("bad_field", " ".join(text for texts in errors.values() for text in texts), fields=errors)


def _signable(study: Study, review: Review | None, analyses: list[Analysis], user: User) -> Review:
    """The review, or the reason why it cannot be signed now."""
    if review is None:
        raise Conflict("not_read", "There is no reading to sign. Choose a reading first.")
    if review.is_signed:
        raise _already_signed()
    if review.reader_id != user.pk:
        raise Conflict(
            "not_your_reading", "This draft was saved by another doctor. Save your own reading, then sign it."
        )
    if study.patient_id is None:
        raise Conflict("unassigned", "The case has no patient. Assign it to a patient, then sign.")
    if not all(analysis.is_final for analysis in analyses):
        raise Conflict("still_running", "The model has not answered every film. Wait for it or cancel it, then sign.")
    if any(analysis.open_warnings for analysis in analyses):
        raise Conflict(
            "identity_unconfirmed", "What was typed and what the file says differ. Confirm one of the two, then sign."
        )
    own_reading.require_locked(study, user)
    if review.model_outcome != snapshots.answered_outcome(study, user):
        raise _result_changed()
    return review


def _already_signed() -> Conflict:
    return Conflict("already_signed", "The reading is signed and locked. Add an addendum instead.")


def _result_changed() -> Conflict:
    return Conflict(
        "result_changed",
        "The model's answer changed after this reading was begun. Look at it, then save it again.",
    )


def _advance(locked: Study, given: Study, state: ReadingState) -> None:
    """The case moves on: reports issued before no longer say how it stands."""
    Study.objects.filter(pk=locked.pk).update(reading_state=state)
    cases.touch(locked)
    reporting.supersede_reports(locked)
    given.refresh_from_db(fields=["reading_state", "revision"])


def _issue_on_commit(study: Study, user: User) -> None:
    # A clerk finds the report right after the signature. The signature stands even when there is no room for the PDF:
    # whoever asks for the report next issues it.
    transaction.on_commit(lambda: reporting.issue_report(study, user), robust=True)


def _text(field: str, text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT or any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        message = f"At most {MAX_TEXT} characters, without control characters."
        raise Invalid("bad_field", message, fields={field: [message]})
    return text


def _subject(study: Study) -> str:
    return study.patient.patient_id if study.patient else ""
