"""Moves one film of a case to a case of its own, and voids what was said of the films together."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.answers.across import check_across
from analyses.answers.current import current_analyses, decide, keep_warnings, recheck
from analyses.errors import Conflict
from analyses.models import (
    Image,
    ReaderStudyCase,
    ReaderStudyState,
    ReadingState,
    Referral,
    Review,
    Study,
    Task,
    UnaidedReading,
)
from analyses.notifications import services as notifications
from analyses.pipeline import summary
from analyses.record import cases
from analyses.record.across import FILM_MOVED, question
from analyses.record.fields import CASE_FIELDS, IDENTITY_FIELDS, CaseFields, cleaned, stated_reason
from analyses.record.identity import AGAINST_RECORD
from analyses.record.patients import find_or_make, lock_department, require_same_person, value_of
from analyses.reports import services as reports

# It shares the field ``subject`` of the trail with both record numbers.
MOVE_REASON = 120
# What describes the picture rather than the patient stays with the film where its file does not say it.
_OF_THE_PICTURE = ("modality", "body_part_examined")


@transaction.atomic
def move_film(image: Image, *, user: User, reason: str, fields: CaseFields | None = None) -> Study:
    """Give a film a case of its own: of the stated patient, or unassigned where none is stated.

    What stood on the films together is void: reports, referrals, a draft, drafts of unaided readings; locked unaided
    readings are kept and count nowhere. A signed reading stays signed and becomes *amended*: its readers are told, and
    no further report is issued before a doctor says that it still stands. Measurements go with the film.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``only_film``, ``still_running``, ``in_reader_study``; ``patient_mismatch``: the record number is
            known with other details.
    """
    require(user, Action.EDIT_CASE)
    reason = stated_reason(reason, MOVE_REASON)
    said = {name: value for name, value in cleaned(fields or CaseFields()).said().items() if name in IDENTITY_FIELDS}
    case_id = Image.objects.values_list("study_id", flat=True).get(pk=image.pk)
    lock_department(image.study.department_id)
    study = cases.lock(case_id)
    moved = Image.objects.get(pk=image.pk)
    _require_movable(study, moved)
    if said.get("patient_id"):
        require_same_person(study.department_id, said)
    new = _own_case(study, moved, user)
    if said.get("patient_id"):
        new.patient = find_or_make(study.department_id, said)
    new.save(force_insert=True)
    moved.study = new
    moved.save(update_fields=["study"])
    _forget_old_record(new)
    decide(new, set(said))
    recheck(new)
    voided = _void(study, reason, user)
    for changed in (study, new):
        summary.summarise(changed)
    check_across(new)
    _record(study, new, moved, user, reason, voided)
    image.refresh_from_db()
    return new


def _require_movable(study: Study, moved: Image) -> None:
    if moved.study_id != study.pk or study.images.count() < 2:
        raise Conflict("only_film", _("This is the only film of its case. Reassign the case instead."))
    if moved.analyses.unfinished().exists():
        raise Conflict(
            "still_running", _("The film is being analysed. Wait for its answer or cancel it, then move it.")
        )
    if ReaderStudyCase.objects.filter(case=study, reader_study__state=ReaderStudyState.OPEN).exists():
        raise Conflict(
            "in_reader_study", _("The case is being read in a reader study. Move the film after it is closed.")
        )


def _own_case(study: Study, moved: Image, user: User) -> Study:
    """The new case, unsaved: what the film's file says, and of its old case only what describes the picture."""
    said = {name: moved.header.get(name, "") for name in (*CASE_FIELDS, "study_instance_uid")}
    said |= {name: said[name] or getattr(study, name) for name in _OF_THE_PICTURE}
    details = {name: value_of(name, value) for name, value in said.items() if value}
    return Study(department_id=study.department_id, created_by=user, api_token_id=study.api_token_id, **details)


def _forget_old_record(new: Study) -> None:
    """What the film contradicted in its old case's record, and what was asked there, is no question in the new one."""
    for analysis in current_analyses(new, Task.TUMOUR):
        others = [w for w in analysis.warnings if w["field"] != FILM_MOVED]
        keep_warnings(analysis, [w for w in others if w.get("confirmed") or w.get("against") != AGAINST_RECORD])


def _void(study: Study, reason: str, user: User) -> dict[str, int]:
    """Void what stood on the films together; returns how much of each."""
    now = timezone.now()
    locked = UnaidedReading.objects.filter(study=study, locked_at__isnull=False, voided_at__isnull=True)
    opened = UnaidedReading.objects.filter(study=study, locked_at__isnull=True)
    counts = {
        "reports": reports.void_reports(study, reason),
        "referrals": Referral.objects.filter(study=study, voided_at__isnull=True).update(voided_at=now),
        "unaided_readings": locked.update(voided_at=now),
        "unaided_drafts": opened.exclude(reading="", likelihood__isnull=True, region__isnull=True).update(
            reading="", likelihood=None, region=None
        ),
    }
    if cases.is_signed(study):
        state = ReadingState.AMENDED
        notifications.amended(study, by=user)
        first = current_analyses(study, Task.TUMOUR)[0]
        keep_warnings(first, [*(w for w in first.warnings if w["field"] != FILM_MOVED), question(FILM_MOVED)])
    else:
        state = ReadingState.IN_READING if study.assigned_to_id else ReadingState.UNREAD
        draft = Review.objects.filter(study=study)
        if draft.exists():
            notifications.amended(study, by=user)
        counts["drafts"] = draft.delete()[0]
    cases.touch(study, reading_state=state)
    return {name: number for name, number in counts.items() if number}


def _record(study: Study, new: Study, moved: Image, user: User, reason: str, voided: dict[str, int]) -> None:
    """One event in the trail of either case."""
    numbers = " -> ".join(case.record_number or "unassigned" for case in (study, new))
    ways: list[tuple[Study, dict[str, Any]]] = [(study, {"to": str(new.pk)}), (new, {"from": str(study.pk)})]
    for case, way in ways:
        audit.record(
            "move_film",
            user=user,
            obj=moved,
            case_id=case.pk,
            subject=f"{numbers}: {reason}",
            detail=way | ({"voided": voided} if case is study and voided else {}),
        )
