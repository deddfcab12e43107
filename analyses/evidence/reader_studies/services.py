"""Every change of a reader study by an administrator: put together, started, waived, closed."""

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.models import Department, Role, User
from accounts.permissions import Action, may, require
from analyses.errors import Conflict, Invalid, invalid_field
from analyses.evidence.reader_studies import design, snapshot
from analyses.models import (
    ReaderStudy,
    ReaderStudyCase,
    ReaderStudyReader,
    ReaderStudyReading,
    ReaderStudyState,
    ReferenceTruth,
    Study,
)
from analyses.record.cases import is_signed
from analyses.record.fields import stated_reason

MAX_WASHOUT_DAYS = 365
MAX_CASES = 1000
MAX_READERS = 50
Row = tuple[str, str]
# Why a case cannot be read in a reader study: of a row to be added, and of a case at the start.
UNFIT_ROW = {
    snapshot.NO_FILM: gettext_lazy("this case has no displayable film."),
    snapshot.BURNED_IN: gettext_lazy("this case has a film with burned-in text, which may identify the patient."),
}
UNFIT_CASE = {
    snapshot.NO_FILM: gettext_lazy("Case %(number)s has no displayable film. Remove the case."),
    snapshot.BURNED_IN: gettext_lazy(
        "Case %(number)s has a film with burned-in text, which may identify the patient. Remove the case."
    ),
    "unsigned": gettext_lazy("Case %(number)s is no longer signed. Remove the case."),
}


def create_reader_study(*, name: str, department: Department, washout_days: int, by: User) -> ReaderStudy:
    """A draft without cases and readers.

    Raises:
        Invalid: ``bad_field``.
    """
    require(by, Action.MANAGE_READER_STUDIES)
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise invalid_field("name", _("Enter a study name of at most 120 characters."))
    if not 0 <= washout_days <= MAX_WASHOUT_DAYS:
        raise invalid_field("washout_days", _("Enter 0 to %(most)s days.") % {"most": MAX_WASHOUT_DAYS})
    if not department.is_active:
        raise invalid_field("department", _("Choose an active department."))
    with transaction.atomic():
        made = ReaderStudy.objects.create(name=name, department=department, washout_days=washout_days, created_by=by)
        record("create_reader_study", by, made, washout_days=washout_days)
    return made


@transaction.atomic
def add_cases(reader_study: ReaderStudy, rows: Sequence[Row], by: User) -> int:
    """Put cases with their truth into a draft: all rows, or none where one is refused.

    Args:
        rows: (case id, truth) as text.

    Returns:
        How many were added.

    Raises:
        Invalid: ``bad_rows``; ``fields["rows"]`` has one sentence for every refused row, numbered from 1.
        Conflict: ``not_a_draft``.
    """
    reader_study = locked_draft(reader_study, by)
    if not rows:
        raise invalid_field("rows", _("The list is empty. Enter one case id and its truth per line."))
    known = set(reader_study.cases.values_list("case_id", flat=True))
    faults, found = [], []
    for number, (text, truth) in enumerate(rows, start=1):
        case, fault = _checked_case(reader_study, text.strip(), truth.strip().lower(), known)
        if case is None:
            faults.append(_("Row %(number)s: %(fault)s") % {"number": number, "fault": fault})
        else:
            known.add(case.pk)
            found.append((case, truth.strip().lower()))
    if len(known) > MAX_CASES:
        faults.append(_("A study has at most %(most)s cases.") % {"most": MAX_CASES})
    if faults:
        raise Invalid("bad_rows", _("Nothing was added. Correct the rows below."), fields={"rows": faults})
    append(reader_study, found)
    record("add_study_cases", by, reader_study, cases=len(found))
    return len(found)


def append(reader_study: ReaderStudy, found: Sequence[tuple[Study, str]]) -> list[ReaderStudyCase]:
    """Put cases that were checked behind those of a held draft, with their truth; the new rows."""
    start = (reader_study.cases.aggregate(Max("number"))["number__max"] or 0) + 1
    return ReaderStudyCase.objects.bulk_create(
        ReaderStudyCase(reader_study=reader_study, case=case, truth=truth, number=number)
        for number, (case, truth) in enumerate(found, start=start)
    )


def _checked_case(reader_study: ReaderStudy, text: str, truth: str, known: set[UUID]) -> tuple[Study | None, str]:
    try:
        key = UUID(text)
    except ValueError:
        return None, _("this is not a case id.")
    if truth not in ReferenceTruth.values:
        return None, _("the truth must be normal, benign or malignant.")
    if key in known:
        return None, _("this case is already in the study.")
    case = Study.objects.filter(pk=key, department=reader_study.department_id).first()
    if case is None:
        return None, _("the study's department has no such case.")
    if not is_signed(case):
        return None, _("this case is not signed; a study takes closed cases only.")
    fault = snapshot.unfit_code(case)
    return (None, str(UNFIT_ROW[fault])) if fault else (case, "")


@transaction.atomic
def remove_case(reader_study: ReaderStudy, number: int, by: User) -> None:
    """Take a case out of a draft.

    Raises:
        Conflict: ``not_a_draft``, ``unknown_case``.
    """
    reader_study = locked_draft(reader_study, by)
    if not reader_study.cases.filter(number=number).delete()[0]:
        raise Conflict("unknown_case", _("This case is no longer in the study."))
    record("remove_study_case", by, reader_study, number=number)


def possible_readers(reader_study: ReaderStudy) -> list[User]:
    """Active doctors of the department who do not read in it and manage no reader studies (which show the truth)."""
    doctors = User.objects.filter(
        is_active=True, department=reader_study.department_id, role_assignments__role=Role.DOCTOR
    ).exclude(reader_study_readers__reader_study=reader_study)
    return [doctor for doctor in doctors if not may(doctor, Action.MANAGE_READER_STUDIES)]


@transaction.atomic
def add_reader(reader_study: ReaderStudy, user: User, by: User) -> ReaderStudyReader:
    """Let this doctor read the draft's cases once it is started.

    Raises:
        Invalid: ``not_a_reader``.
        Conflict: ``not_a_draft``, ``too_many_readers``.
    """
    reader_study = locked_draft(reader_study, by)
    if user not in possible_readers(reader_study):
        raise Invalid("not_a_reader", _("Choose an active doctor of the department who is not yet in the study."))
    if reader_study.readers.count() >= MAX_READERS:
        raise Conflict("too_many_readers", _("A study has at most %(most)s readers.") % {"most": MAX_READERS})
    number = (reader_study.readers.aggregate(Max("number"))["number__max"] or 0) + 1
    made = ReaderStudyReader.objects.create(reader_study=reader_study, user=user, number=number)
    record("add_study_reader", by, reader_study, reader=str(user.pk))
    return made


@transaction.atomic
def remove_reader(reader_study: ReaderStudy, number: int, by: User) -> None:
    """Take a reader out of a draft.

    Raises:
        Conflict: ``not_a_draft``, ``unknown_reader``.
    """
    reader_study = locked_draft(reader_study, by)
    if not reader_study.readers.filter(number=number).delete()[0]:
        raise Conflict("unknown_reader", _("This reader is no longer in the study."))
    record("remove_study_reader", by, reader_study, number=number)


@transaction.atomic
def start(reader_study: ReaderStudy, by: User) -> None:
    """Keep films and answers as they stand, draw all orders, and open the reader study to its readers.

    Raises:
        Conflict: ``not_a_draft``, ``too_small``, ``unfit_case``, ``unfit_reader``.
    """
    reader_study = locked_draft(reader_study, by)
    cases = list(reader_study.cases.select_related("case"))
    readers = list(reader_study.readers.select_related("user"))
    if len(cases) < 2 or not readers:
        raise Conflict("too_small", _("A study needs at least two cases and one reader."))
    for row in cases:
        fault = snapshot.unfit_code(row.case) or ("" if is_signed(row.case) else "unsigned")
        if fault:
            raise Conflict("unfit_case", UNFIT_CASE[fault] % {"number": row.number})
        row.films = snapshot.take(row.case)
    for reader in readers:
        if not is_eligible(reader.user, reader_study):
            message = _("Reader %(number)s is no longer an active doctor of the department. Remove the reader.")
            raise Conflict("unfit_reader", message % {"number": reader.number})
    ReaderStudyCase.objects.bulk_update(cases, ["films"])
    reader_study.seed = secrets.token_hex(16)
    _draw(reader_study.seed, readers, cases)
    reader_study.state, reader_study.started_at = ReaderStudyState.OPEN, timezone.now()
    reader_study.save(update_fields=["seed", "state", "started_at"])
    record("start_reader_study", by, reader_study, cases=len(cases), readers=len(readers))


def _draw(seed: str, readers: list[ReaderStudyReader], cases: list[ReaderStudyCase]) -> None:
    reader_of, case_of = {row.number: row for row in readers}, {row.number: row for row in cases}
    slots = design.draw(seed, list(reader_of), {row.number: row.truth for row in cases})
    ReaderStudyReading.objects.bulk_create(
        [
            ReaderStudyReading(
                reader=reader_of[slot.reader],
                study_case=case_of[slot.case],
                condition=slot.condition,
                session=slot.session,
                position=slot.position,
            )
            for slot in slots
        ],
        batch_size=500,
    )


@transaction.atomic
def waive_washout(reader: ReaderStudyReader, reason: str, by: User) -> None:
    """Let one reader begin session 2 before the wash-out has passed; the reader study says so in its results.

    Raises:
        Invalid: ``bad_field`` without a reason.
        Conflict: ``not_open``, ``already_waived``.
    """
    require(by, Action.MANAGE_READER_STUDIES)
    reason = stated_reason(reason)
    reader_study = lock(reader.reader_study_id)
    if not reader_study.is_open:
        raise Conflict("not_open", _("The study is not open."))
    row = reader_study.readers.get(pk=reader.pk)
    if row.washout_waived_at is not None:
        raise Conflict("already_waived", _("The wash-out of this reader has already been waived."))
    row.washout_waived_at, row.washout_waived_by, row.washout_waived_reason = timezone.now(), by, reason
    row.save(update_fields=["washout_waived_at", "washout_waived_by", "washout_waived_reason"])
    record("waive_washout", by, reader_study, reader=row.number, reason=reason)


@transaction.atomic
def close(reader_study: ReaderStudy, by: User) -> None:
    """End the readings for good; what is missing stays missing, and the results say which readers are incomplete.

    Raises:
        Conflict: ``not_open``.
    """
    require(by, Action.MANAGE_READER_STUDIES)
    reader_study = lock(reader_study.pk)
    if not reader_study.is_open:
        raise Conflict("not_open", _("The study is not open."))
    reader_study.state, reader_study.closed_at = ReaderStudyState.CLOSED, timezone.now()
    reader_study.save(update_fields=["state", "closed_at"])
    missing = ReaderStudyReading.objects.filter(reader__reader_study=reader_study, submitted_at=None).count()
    record("close_reader_study", by, reader_study, missing=missing)


def is_eligible(user: User, reader_study: ReaderStudy) -> bool:
    """Whether this account may read for the reader study now."""
    return user.is_active and user.has_role(Role.DOCTOR) and user.department_id == reader_study.department_id


def eligible(reader_study: ReaderStudy) -> set[UUID]:
    """The accounts of the reader study's readers that may read for it now, in one query."""
    doctors = reader_study.readers.filter(user__is_active=True, user__department=reader_study.department_id)
    return set(doctors.filter(user__role_assignments__role=Role.DOCTOR).values_list("user_id", flat=True))


def lock(pk: Any) -> ReaderStudy:
    """The reader study as it is now, locked until the transaction ends."""
    return ReaderStudy.objects.select_for_update(no_key=True).get(pk=pk)


def locked_draft(reader_study: ReaderStudy, by: User) -> ReaderStudy:
    """The reader study as it is now, locked, where this user may still change its cases and readers."""
    require(by, Action.MANAGE_READER_STUDIES)
    reader_study = lock(reader_study.pk)
    if not reader_study.is_draft:
        raise Conflict("not_a_draft", _("The study has started. Cases and readers can no longer be changed."))
    return reader_study


def record(action: str, by: User, reader_study: ReaderStudy, **detail: Any) -> None:
    """Write a line about this study into the audit log."""
    audit.record(action, user=by, obj=reader_study, department=reader_study.department, detail=detail)
