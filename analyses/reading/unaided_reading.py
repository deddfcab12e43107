"""A doctor's reading before the model's answer: opened, kept as it is typed, locked once, compared at the end."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Department, ReadingMode, User
from accounts.permissions import Action, require
from analyses.blinding import snapshots
from analyses.errors import Conflict, invalid_field, invalid_fields
from analyses.models import Arm, Image, Reading, ReadingRevision, Review, Study, UnaidedReading
from analyses.reading import allocation
from analyses.reading.revision import direction
from analyses.record import cases
from analyses.record.patients import lock_department
from analyses.structured_reading.signature import content_sha256
from analyses.worklist import assignment

PLACES = 4  # decimals of a box's edges, which are fractions of the film


@transaction.atomic
def open_reading(study: Study, user: User) -> UnaidedReading:
    """Begin an unaided reading, or return the one that this doctor has; in a trial the case is allocated.

    Raises:
        Conflict: ``already_signed``; ``shown_at_once``: the department does not read first.
    """
    require(user, Action.READ_CASE)
    lock_department(study.department_id)
    locked = cases.lock(study.pk)
    unaided = UnaidedReading.objects.filter(study=locked, reader=user).first()
    if unaided is not None:
        return unaided
    if cases.is_signed(locked):
        raise _already_signed()
    mode = Department.objects.values_list("reading_mode", flat=True).get(pk=study.department_id)
    if mode == ReadingMode.AT_ONCE:
        raise Conflict(
            "shown_at_once",
            _("Your department shows the model's answer immediately. Enter your reading directly."),
        )
    now, arm = timezone.now(), ""
    if mode == ReadingMode.TRIAL:
        arm = allocation.arm_of(locked, user, now)
        mode = ReadingMode.TRIAL if arm else ReadingMode.OWN_FIRST
    unaided = UnaidedReading.objects.create(study=locked, reader=user, mode=mode, arm=arm, opened_at=now)
    assignment.take_if_free(locked, user)
    # The arm is not in the log: whoever may read it could otherwise tell what the reader is not to know yet.
    audit.record(
        "open_own_reading",
        user=user,
        obj=unaided,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={"mode": mode},
    )
    return unaided


@transaction.atomic
def keep_draft(
    study: Study, user: User, *, reading: str = "", likelihood: int | None = None, region: Any = None
) -> UnaidedReading:
    """Keep what is typed so far; nothing of it needs to be complete.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``not_open``, ``own_reading_locked``.
    """
    require(user, Action.READ_CASE)
    unaided = _unaided_for_update(study, user)
    if unaided.is_locked:
        raise _locked()
    unaided.reading, unaided.likelihood, unaided.region = _checked(study, reading, likelihood, region)
    unaided.save(update_fields=["reading", "likelihood", "region"])
    return unaided


@transaction.atomic
def lock_reading(
    study: Study, user: User, *, reading: str, likelihood: int | None = None, region: Any = None
) -> UnaidedReading:
    """Lock the unaided reading for good and keep the model's answer as it stands; the same lock again changes nothing.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``not_open``, ``already_signed``; ``own_reading_locked``: it is locked with another content.
    """
    require(user, Action.READ_CASE)
    locked = cases.lock(study.pk)
    unaided = _unaided_for_update(locked, user)
    content = _checked(locked, reading, likelihood, region)
    _require_complete(*content[:2])
    if unaided.is_locked:
        if (unaided.reading, unaided.likelihood, unaided.region) != content:
            raise _locked()
        return unaided
    if cases.is_signed(locked):
        raise _already_signed()
    unaided.reading, unaided.likelihood, unaided.region = content
    unaided.locked_at = timezone.now()
    unaided.locked_sha256 = content_sha256(locked_content(unaided))
    unaided.answer = snapshots.snapshot(locked, unaided.locked_at)
    if unaided.answer["complete"] and unaided.arm != Arm.HIDDEN:
        unaided.revealed_at = unaided.locked_at
    unaided.save()
    audit.record(
        "lock_own_reading",
        user=user,
        obj=unaided,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={"sha256": unaided.locked_sha256, "reading": unaided.reading},
    )
    return unaided


def locked_content(unaided: UnaidedReading) -> dict[str, Any]:
    """What the lock covers: whose reading of which case, what it says, and when it was opened and locked."""
    return {
        "case": str(unaided.study_id),
        "reader": str(unaided.reader_id),
        "mode": unaided.mode,
        "reading": unaided.reading,
        "likelihood": unaided.likelihood,
        "region": unaided.region,
        "opened_at": unaided.opened_at.isoformat(),
        "locked_at": unaided.locked_at.isoformat() if unaided.locked_at else None,
    }


def record_final(review: Review, unaided: UnaidedReading | None, signed_at: datetime) -> ReadingRevision | None:
    """Compare a reading that was just signed with its doctor's unaided one; a hidden answer counts as revealed now."""
    hidden = UnaidedReading.objects.filter(study=review.study_id, locked_at__isnull=False, revealed_at__isnull=True)
    hidden.update(revealed_at=signed_at)
    if unaided is None or unaided.locked_at is None or unaided.voided_at is not None:
        return None
    before, after = (unaided.reading, unaided.likelihood), (review.reading, review.likelihood)
    change = ReadingRevision.objects.create(
        unaided=unaided,
        review=review,
        reading=review.reading,
        likelihood=review.likelihood,
        direction=direction(before, after, unaided.answer),
        answer_seen=unaided.arm != Arm.HIDDEN,
        unaided_reading_ms=_ms(unaided.locked_at - unaided.opened_at),
        final_reading_ms=_ms(signed_at - (unaided.revealed_at or unaided.locked_at)),
        signed_at=signed_at,
    )
    audit.record(
        "compare_readings",
        user=review.reader,
        obj=unaided,
        case_id=review.study_id,
        detail={"changed": before != after, "direction": change.direction},
    )
    return change


def _unaided_for_update(study: Study, user: User) -> UnaidedReading:
    unaided = UnaidedReading.objects.select_for_update(of=("self",)).filter(study=study, reader=user).first()
    if unaided is None:
        raise Conflict("not_open", _("You have not started your reading of this case. Start it first."))
    return unaided


def _checked(study: Study, reading: str, likelihood: int | None, region: Any) -> tuple[str, int | None, Any]:
    """The content as stored, or Invalid with the reason at its field."""
    errors = {}
    if reading and reading not in Reading.values:
        errors["reading"] = [_("Choose a reading.")]
    if likelihood is not None and not 0 <= likelihood <= 100:
        errors["likelihood"] = [_("A whole number from 0 to 100.")]
    box = _box(study, region)
    if region and box is None:
        errors["region"] = [_("The region is not on a film of this case. Draw it again.")]
    if errors:
        raise invalid_fields(errors)
    return reading, None if reading == Reading.CANNOT_TELL else likelihood, box


def _require_complete(reading: str, likelihood: int | None) -> None:
    if not reading:
        text = _("Choose a reading.")
        raise invalid_field("reading", text)
    if likelihood is None and reading != Reading.CANNOT_TELL:
        text = _("Enter the likelihood of malignancy, 0 to 100. It may be empty for *cannot tell* only.")
        raise invalid_field("likelihood", text)


def _box(study: Study, region: Any) -> dict[str, Any] | None:
    """The region as stored; None where there is none or it lies on no film of the case."""
    try:
        image, edges = UUID(str(region["image"])), [round(float(edge), PLACES) for edge in region["box"]]
        left, top, right, bottom = edges
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        return None
    if not Image.objects.filter(pk=image, study=study).exists():
        return None
    return {"image": str(image), "box": edges}


def _ms(span: timedelta) -> int:
    return max(0, round(span.total_seconds() * 1000))


def _locked() -> Conflict:
    return Conflict(
        "own_reading_locked",
        _("Your unaided reading is locked and cannot be changed. Enter your current assessment as the final reading."),
    )


def _already_signed() -> Conflict:
    return Conflict(
        "already_signed", _("The case is signed. An unaided reading is no longer possible. Add an addendum instead.")
    )
