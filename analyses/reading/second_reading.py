"""A second reading: asked of a colleague with a question, answered without sight of the first, compared afterwards.

Until the answer, the colleague sees neither the first reader's draft nor other colleagues' answers: pages ask
``CaseState.hides_first_reading``. What the colleague sees of the model is the matter of ``analyses.blinding``.
"""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, invalid_field
from analyses.models import NotificationKind, Reading, Review, SecondReading, Study
from analyses.notifications import services as notifications
from analyses.record import cases
from analyses.record.fields import written
from analyses.reports import services as reports
from analyses.worklist import assignment

MAX_QUESTION, MAX_TEXT = 2000, 8000


def shown_second_readings(state: CaseState) -> list[SecondReading]:
    """The second readings as far as they may be shown to this user; an answer may follow the model's.

    Whoever must not see the model's answer sees open questions only; once the unaided reading is locked and the answer
    waits for the signature, also what readers say who cannot see it either. The others are ``is_closed``.
    """
    if state.sees_model:
        return state.second_readings
    for row in state.second_readings:
        others = [state.before(reader) for reader in (row.reader, row.first_reader) if reader not in (None, state.user)]
        if row.is_open or (state.hidden_by_allocation and not any(other.sees_model for other in others)):
            continue
        row.is_closed = True
    return state.second_readings


@transaction.atomic
def ask(study: Study, *, user: User, colleague: User | None, question: str) -> SecondReading:
    """Ask a colleague for a second reading of a case that is not signed.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``case_signed``, ``already_asked``, ``has_the_case``, ``has_read``, ``second_reading_open``.
    """
    require(user, Action.READ_CASE)
    question = written("question", question, MAX_QUESTION)
    locked = cases.lock(study.pk)
    cases.require_unsigned(locked)
    if colleague is None or not assignment.colleagues_of(user).filter(pk=colleague.pk).exists():
        raise invalid_field("colleague", _("Choose an active doctor of your department."))
    if not question:
        raise invalid_field("question", _("Enter your question."))
    if CaseState(locked, user).hides_first_reading:
        raise Conflict(
            "second_reading_open", _("You have been asked for a second reading of this case. Complete it first.")
        )
    _require_unbiased(locked, colleague)
    asked = SecondReading.objects.create(
        study=locked, asked_by=user, reader=colleague, question=question, asked_at=timezone.now()
    )
    _record("ask_second_reading", asked, user, {"of": str(colleague.pk)})
    notifications.notify(NotificationKind.SECOND_ASKED, locked, [colleague], by=user)
    return asked


@transaction.atomic
def answer(
    second: SecondReading, *, user: User, reading: str, likelihood: int | None = None, text: str = ""
) -> SecondReading:
    """Answer a question that one was asked; what the first draft says at this moment is kept beside it.

    Args:
        likelihood: of malignancy, 0 to 100; none where the reading is *cannot tell*.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``not_asked_of_you``, ``already_answered``, ``withdrawn``, ``case_signed``.
    """
    require(user, Action.READ_CASE)
    _check(reading, likelihood)
    text = written("text", text, MAX_TEXT)
    locked = cases.lock(second.study_id)
    fresh = SecondReading.objects.select_for_update(of=("self",)).get(pk=second.pk)
    if fresh.reader_id != user.pk:
        raise Conflict("not_asked_of_you", _("This request was sent to another doctor."))
    _require_open(fresh)
    cases.require_unsigned(locked)
    review = Review.objects.filter(study=locked).first()
    if review is not None:
        fresh.first_reader_id, fresh.first_reading = review.reader_id, review.reading
        fresh.first_likelihood = review.likelihood
    fresh.reading, fresh.likelihood, fresh.text = reading, likelihood, text
    fresh.answered_at = timezone.now()
    fresh.save()
    cases.touch(locked)
    reports.supersede_reports(locked)
    _record("answer_second_reading", fresh, user, {"reading": reading})
    notifications.notify(NotificationKind.SECOND_ANSWERED, locked, [fresh.asked_by, locked.assigned_to], by=user)
    return fresh


@transaction.atomic
def withdraw(second: SecondReading, user: User) -> None:
    """Take a question back: by who asked it, or by who has the case now. Twice changes nothing.

    Raises:
        Conflict: ``not_yours``, ``already_answered``.
    """
    require(user, Action.READ_CASE)
    locked = cases.lock(second.study_id)
    fresh = SecondReading.objects.select_for_update(of=("self",)).get(pk=second.pk)
    if not may_withdraw(fresh, locked, user):
        raise Conflict("not_yours", _("Only the requesting doctor or the assigned reader can withdraw the request."))
    if fresh.withdrawn_at is not None:
        return
    _require_open(fresh)
    fresh.withdrawn_at = timezone.now()
    fresh.save(update_fields=["withdrawn_at"])
    _record("withdraw_second_reading", fresh, user)


def may_withdraw(second: SecondReading, study: Study, user: User) -> bool:
    """Whether the user asked the question or has the case; never who was asked."""
    return user.pk in (second.asked_by_id, study.assigned_to_id) and user.pk != second.reader_id


def _require_unbiased(locked: Study, colleague: User) -> None:
    """Refuse a second reader who reads the case already, or has done so."""
    if SecondReading.objects.open().filter(study=locked, reader=colleague).exists():
        raise Conflict(
            "already_asked",
            _("%(name)s has already been asked about this case and has not answered yet.") % {"name": colleague},
        )
    if locked.assigned_to_id == colleague.pk:
        raise Conflict(
            "has_the_case",
            _("This case is assigned to %(name)s. Ask another doctor, or take over the case first.")
            % {"name": colleague},
        )
    if Review.objects.filter(study=locked, reader=colleague).exists():
        raise Conflict("has_read", _("%(name)s wrote the current draft. Ask another doctor.") % {"name": colleague})


def _require_open(second: SecondReading) -> None:
    if second.answered_at is not None:
        raise Conflict(
            "already_answered",
            _("This second reading has already been completed. Reload the page to see the comparison."),
        )
    if second.withdrawn_at is not None:
        raise Conflict("withdrawn", _("The request was withdrawn. Nothing was saved. Reload the case."))


def _check(reading: str, likelihood: int | None) -> None:
    if reading not in Reading.values:
        raise invalid_field("reading", _("Choose a reading."))
    if reading == Reading.CANNOT_TELL and likelihood is not None:
        raise invalid_field("likelihood", _("Leave the likelihood empty for cannot tell."))
    if reading != Reading.CANNOT_TELL and (likelihood is None or not 0 <= likelihood <= 100):
        raise invalid_field("likelihood", _("Enter the likelihood of malignancy, 0 to 100."))


def _record(action: str, second: SecondReading, user: User, detail: dict[str, str] | None = None) -> None:
    patient = second.study.patient
    subject = patient.patient_id if patient else ""
    audit.record(action, user=user, obj=second, case_id=second.study_id, subject=subject, detail=detail)
