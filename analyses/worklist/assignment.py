"""Whose work a case is: taken by who reads it, handed to a colleague, taken over openly, given back.

A signed case stays with who had it. The case page and the list say who has a case; a reading of a case that a colleague
has is refused until it is taken over.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Role, User
from accounts.permissions import Action, require
from analyses.errors import Conflict, invalid_field
from analyses.models import NotificationKind, ReadingState, Review, SecondReading, Study
from analyses.notifications import services as notifications
from analyses.record import cases


def colleagues_of(user: User) -> Any:
    """The other active doctors of the user's department."""
    doctors = User.objects.active().filter(department_id=user.department_id, role_assignments__role=Role.DOCTOR)
    return doctors.exclude(pk=user.pk).order_by("name", "email")


def has_left(reader: User, study: Study) -> bool:
    """Whether this reader cannot work on the case any more: deactivated, or gone to another department."""
    return not reader.is_active or reader.department_id != study.department_id


@transaction.atomic
def start_reading(study: Study, user: User) -> None:
    """Take a case that nobody has, or begin one that is assigned to oneself; once begun, again changes nothing.

    Raises:
        Conflict: ``assigned_to_other``, ``case_signed``, ``second_reading_open``.
    """
    require(user, Action.READ_CASE)
    locked = _lock(study)
    cases.require_unsigned(locked)
    if _take(locked, user):
        _record("start_reading", locked, user)
    _refresh(study)


def take_if_free(locked: Study, user: User) -> None:
    """Whoever opens an unaided reading of a case that nobody has becomes its reader; a colleague's case stays as it is.

    Args:
        locked: the case, locked in the caller's transaction.
    """
    asked = SecondReading.objects.open().filter(study=locked).exists()
    if not asked and locked.assigned_to_id in (None, user.pk) and _take(locked, user):
        _record("start_reading", locked, user)


def take_for_saving(locked: Study, user: User) -> None:
    """Whoever saves a reading has the case from then on; refuse when it is a colleague's.

    Args:
        locked: the case, locked in the caller's transaction; a signed one is left to the caller's own refusal.

    Raises:
        Conflict: ``assigned_to_other``, ``second_reading_open``.
    """
    if not cases.is_signed(locked) and locked.assigned_to_id not in (None, user.pk):
        raise _is_anothers(
            locked, _("Nothing was saved. Your entries are kept below. Take over the case, then save again.")
        )
    if not cases.is_signed(locked) and _take(locked, user):
        _record("start_reading", locked, user)


@transaction.atomic
def take_over(study: Study, user: User) -> None:
    """Take a case from a colleague, who is told of it; doing it twice changes nothing.

    Raises:
        Conflict: ``case_signed``, ``second_reading_open``.
    """
    require(user, Action.READ_CASE)
    locked = _lock(study)
    cases.require_unsigned(locked)
    _require_no_open_question(locked, user)
    earlier = locked.assigned_to
    if earlier is not None and earlier.pk != user.pk:
        _assign(locked, user, begun=True)
        _record("take_over", locked, user, {"from": str(earlier.pk)})
        notifications.notify(NotificationKind.TAKEN_OVER, locked, [earlier], by=user)
    elif _take(locked, user):
        _record("start_reading", locked, user)
    _refresh(study)


@transaction.atomic
def release(study: Study, user: User) -> None:
    """Give one's case back to everybody: unread again unless a draft was saved.

    Raises:
        Conflict: ``not_yours``, ``case_signed``.
    """
    require(user, Action.READ_CASE)
    locked = _lock(study)
    cases.require_unsigned(locked)
    if locked.assigned_to_id != user.pk:
        raise Conflict("not_yours", _("The case is not assigned to you. Reload the page to see the assigned reader."))
    _assign(locked, None, begun=False)
    _record("release", locked, user)
    _refresh(study)


@transaction.atomic
def assign(study: Study, to: User, user: User) -> None:
    """Hand a case that nobody has, or one's own, to a colleague, who is told of it.

    Raises:
        Invalid: ``bad_field``: not an active doctor of the department.
        Conflict: ``assigned_to_other``, ``case_signed``, ``second_reading_open``.
    """
    require(user, Action.READ_CASE)
    locked = _lock(study)
    cases.require_unsigned(locked)
    if not colleagues_of(user).filter(pk=to.pk).exists() or to.department_id != locked.department_id:
        message = _("Choose an active doctor of your department.")
        raise invalid_field("colleague", message)
    if locked.assigned_to_id == to.pk:
        return
    if locked.assigned_to is not None and locked.assigned_to_id != user.pk:
        raise _is_anothers(locked)
    if _open_questions(locked).filter(reader=to).exists():
        raise Conflict(
            "second_reading_open",
            _("This colleague has been asked for a second reading of the case. Withdraw the request, then assign."),
        )
    _assign(locked, to, begun=False)
    _record("assign_reader", locked, user, {"to": str(to.pk)})
    notifications.notify(NotificationKind.ASSIGNED, locked, [to], by=user)
    _refresh(study)


def require_may_sign(locked: Study, user: User) -> None:
    """Refuse a signature on a case that a colleague has, or while a colleague's second reading is awaited.

    Raises:
        Conflict: ``assigned_to_other``, ``second_reading_open``.
    """
    if locked.assigned_to_id not in (None, user.pk):
        raise _is_anothers(locked)
    if _open_questions(locked).exists():
        raise Conflict(
            "second_reading_open",
            _("A second reading is pending. Wait for it or withdraw the request, then sign."),
        )


def _take(locked: Study, user: User) -> bool:
    """Make the user the case's reader; False when that changed nothing."""
    _require_no_open_question(locked, user)
    if locked.assigned_to_id not in (None, user.pk):
        raise _is_anothers(locked)
    if locked.assigned_to_id == user.pk and locked.reading_state != ReadingState.UNREAD:
        return False
    _assign(locked, user, begun=True)
    return True


def _assign(locked: Study, reader: User | None, *, begun: bool) -> None:
    """Write whose the case is; without a draft its state follows from whether the reader has begun."""
    locked.assigned_to, locked.assigned_at = reader, timezone.now() if reader else None
    if not Review.objects.filter(study_id=locked.pk).exists():
        locked.reading_state = ReadingState.IN_READING if begun else ReadingState.UNREAD
    locked.save(update_fields=["assigned_to", "assigned_at", "reading_state"])


def _lock(study: Study) -> Study:
    return cases.lock(study.pk)


def _open_questions(locked: Study) -> Any:
    return SecondReading.objects.open().filter(study_id=locked.pk)


def _require_no_open_question(locked: Study, user: User) -> None:
    if _open_questions(locked).filter(reader=user).exists():
        raise Conflict(
            "second_reading_open",
            _(
                "You have been asked for a second reading of this case, and the first reading is "
                "hidden from you. Complete the second reading first."
            ),
        )


def _is_anothers(locked: Study, advice: str = "") -> Conflict:
    advice = advice or _("Take over the case first.")
    words = _("This case is assigned to %(reader)s.") % {"reader": locked.assigned_to}
    return Conflict("assigned_to_other", f"{words} {advice}")


def _record(action: str, locked: Study, user: User, detail: dict[str, str] | None = None) -> None:
    subject = locked.record_number
    audit.record(action, user=user, obj=locked, case_id=locked.pk, subject=subject, detail=detail)


def _refresh(study: Study) -> None:
    study.refresh_from_db(fields=["assigned_to", "assigned_at", "reading_state"])
