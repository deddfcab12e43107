"""The case as a whole: what it sums up to, whose it is, and every correction of that."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.answers.current import current_analyses, keep_warnings, recheck
from analyses.errors import Conflict, Invalid, invalid_fields
from analyses.models import Analysis, ReadingState, Study, Task
from analyses.notifications import services as notifications
from analyses.record import identity
from analyses.record.cases import lock, require_unsigned, touch
from analyses.record.fields import CASE_FIELDS, IDENTITY_FIELDS, CaseFields, cleaned, stated_reason
from analyses.record.patients import find_or_make, lock_department, require_same_person, value_of, with_number
from analyses.reports import services as reports

EDITABLE = tuple(name for name in CASE_FIELDS if name != "laterality")
# It shares the field ``subject`` of the trail with both record numbers.
REASSIGNMENT_REASON = 120
CHOICES = ("typed", "file", "record")


@transaction.atomic
def assign_patient(study: Study, fields: CaseFields, user: User) -> None:
    """Give an unassigned case its patient.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``already_assigned``; ``patient_mismatch``: the number is known with other details.
    """
    values = _identity_values(fields)
    lock_department(study.department_id)
    locked = lock(study.pk)
    if locked.patient_id is not None:
        raise Conflict("already_assigned", _("The case already has a patient. Reassign it and give a reason."))
    require_same_person(locked.department_id, values)
    _give_patient(locked, values)
    recheck(locked)
    _after_identity_change(locked, "assigned to a patient", user)
    audit.record("assign_patient", user=user, obj=locked, case_id=locked.pk, subject=values["patient_id"])
    study.refresh_from_db()


@transaction.atomic
def reassign(
    study: Study,
    *,
    user: User,
    reason: str,
    patient_id: str = "",
    patient_name: str = "",
    patient_birth_date: date | None = None,
    patient_sex: str = "",
    laterality: str = "",
) -> None:
    """Move a case to the right patient or the right side; issued reports become void and the trail keeps both.

    With the patient's own record number, the other details correct the patient's row.

    Raises:
        Invalid: ``bad_field``, ``nothing_changed``.
        Conflict: ``patient_mismatch``: the number is known with other details.
    """
    given = cleaned(
        CaseFields(
            patient_id=patient_id,
            patient_name=patient_name,
            patient_birth_date=patient_birth_date,
            patient_sex=patient_sex,
            laterality=laterality,
        )
    )
    reason = stated_reason(reason, REASSIGNMENT_REASON)
    lock_department(study.department_id)
    locked = lock(study.pk)
    before = identity.recorded(locked)
    said = _own_number_as_recorded(locked, given.said())
    changed = [name for name, value in said.items() if value != before.get(name, "")]
    if not changed:
        raise Invalid("nothing_changed", _("Nothing was changed. Change the patient or the side."))
    if "patient_id" in changed:
        require_same_person(locked.department_id, said)
        _give_patient(locked, said)
    elif set(changed) & set(IDENTITY_FIELDS):
        _correct_patient(locked, {name: said[name] for name in changed if name in IDENTITY_FIELDS})
    if "laterality" in changed:
        locked.laterality = said["laterality"]
        locked.save(update_fields=["laterality"])
    _decide(locked, set(said))
    _after_identity_change(locked, reason, user)
    subject = " -> ".join((_subject(before) or "unassigned", _subject(identity.recorded(locked)) or "unassigned"))
    audit.record(
        "reassign",
        user=user,
        obj=locked,
        case_id=locked.pk,
        subject=f"{subject}: {reason}",
        detail={"fields": changed}
        | ({"side": [before["laterality"], locked.laterality]} if said.get("laterality") else {}),
    )
    study.refresh_from_db()


@transaction.atomic
def confirm_identity(analysis: Analysis, code_or_field: str, choice: str, user: User) -> None:
    """Decide one contradiction of a film: what was typed, what its file says, or what the record says.

    A side that has no value stands for the record. The same contradiction of the case's other films is decided with it;
    films that contradict the decision get a warning of their own.

    Raises:
        Invalid: ``bad_field`` for an unknown choice.
        Conflict: ``nothing_to_confirm``.
    """
    if choice not in CHOICES:
        raise invalid_fields({"choice": [_("Unknown.")]}, _("Choose the entry or the value in the file."))
    department_id = analysis.department_id
    lock_department(department_id)
    study = lock(Study.objects.only("pk").get(images=analysis.image_id).pk)
    row = Analysis.objects.select_for_update(of=("self",), no_key=True).select_related("image").get(pk=analysis.pk)
    field = next((w["field"] for w in row.open_warnings if code_or_field in (w["field"], w["code"])), None)
    if field is None:
        raise Conflict("nothing_to_confirm", _("This has already been resolved. Reload the page."))
    before = identity.recorded(study).get(field, "")
    value = {"typed": row.image.typed, "file": row.image.header}.get(choice, {}).get(field, "") or before
    if value != before:
        evidence = row.image.header if choice == "file" else row.image.typed
        _set(study, field, value, evidence)
    _decide_alike(study, row, field, choice)
    recheck(study, [field])
    if field in ("patient_id", "laterality") and value != before:
        _after_identity_change(study, "identity confirmed otherwise", user)
    else:
        touch(study)
    audit.record(
        "confirm_identity",
        user=user,
        obj=row,
        case_id=study.pk,
        subject=identity.recorded(study).get("patient_id", ""),
        detail={"field": field, "choice": choice},
    )
    analysis.refresh_from_db()


@transaction.atomic
def edit_case(study: Study, fields: CaseFields, user: User) -> None:
    """Set the details of the examination as given (empty clears); patient and side are changed by ``reassign`` only.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``case_signed``.
    """
    given = cleaned(fields)
    locked = lock(study.pk)
    require_unsigned(locked)
    changed = [name for name in EDITABLE if getattr(locked, name) != getattr(given, name)]
    if not changed:
        return
    for name in changed:
        setattr(locked, name, getattr(given, name))
    locked.save(update_fields=changed)
    _decide(locked, set(changed))
    touch(locked)
    audit.record(
        "edit_case",
        user=user,
        obj=locked,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={"fields": changed},
    )
    study.refresh_from_db()


def _decide(study: Study, names: set[str]) -> None:
    """A doctor has stated these values by hand: close the films' contradictions with them, also those not yet seen.

    A film that still waits may name somebody else in its header; that is found, and asked, when it is read.
    """
    record = {name: value for name, value in identity.recorded(study).items() if name in names}
    for analysis in current_analyses(study, Task.TUMOUR):
        found = identity.contradictions(analysis.image.typed, analysis.image.header, record)
        known = identity.merged(analysis.warnings, found)
        keep_warnings(analysis, [_closed(w, "edited") if w.get("field") in names else w for w in known])


def _decide_alike(study: Study, decided: Analysis, field: str, choice: str) -> None:
    """Close the warning of this film, and that of other films which state the same on both sides."""
    for analysis in current_analyses(study, Task.TUMOUR):
        pairs = ((analysis.image.typed, decided.image.typed), (analysis.image.header, decided.image.header))
        same = all(mine.get(field, "") == its.get(field, "") for mine, its in pairs)
        if analysis.pk == decided.pk or same:
            keep_warnings(analysis, [_closed(w, choice) if w.get("field") == field else w for w in analysis.warnings])


def _closed(warning: Mapping[str, Any], how: str) -> dict[str, Any]:
    return {**warning, "confirmed": warning.get("confirmed") or how}


def _set(study: Study, field: str, value: str, evidence: Mapping[str, str]) -> None:
    """Put a decided value into the record."""
    if field == "patient_id":
        _give_patient(study, {name: evidence.get(name, "") for name in IDENTITY_FIELDS} | {"patient_id": value})
    elif field in IDENTITY_FIELDS:
        _correct_patient(study, {field: value})
    else:
        setattr(study, field, value_of(field, value))
        study.save(update_fields=[field])


def _give_patient(study: Study, values: Mapping[str, str]) -> None:
    study.patient = find_or_make(study.department_id, values)
    study.save(update_fields=["patient"])


def _correct_patient(study: Study, values: Mapping[str, str]) -> None:
    """Overwrite details of the patient's row; all cases of the patient change with it."""
    patient = study.patient
    if patient is None:
        raise Conflict("unassigned", _("The case has no patient yet. Assign a patient first."))
    for name, value in values.items():
        setattr(patient, name, value_of(name, value))
    patient.save(update_fields=list(values))
    for other in Study.objects.filter(patient=patient).exclude(pk=study.pk):
        touch(other)


def _after_identity_change(study: Study, reason: str, user: User) -> None:
    reports.void_reports(study, reason)
    if study.reading_state == ReadingState.FINAL:
        Study.objects.filter(pk=study.pk).update(reading_state=ReadingState.AMENDED)
        notifications.amended(study, by=user)
    touch(study)


def _identity_values(fields: CaseFields) -> dict[str, str]:
    said = cleaned(fields).said()
    if not said.get("patient_id"):
        problem = {"patient_id": [_("A record number is required to assign the patient.")]}
        raise invalid_fields(problem, _("Enter the record number."))
    return {name: said.get(name, "") for name in IDENTITY_FIELDS}


def _own_number_as_recorded(study: Study, said: dict[str, str]) -> dict[str, str]:
    """The patient's own record number in another spelling is no other number."""
    patient, number = study.patient, said.get("patient_id", "")
    if patient is not None and number and with_number(study.department_id, number) == patient:
        return {**said, "patient_id": patient.patient_id}
    return said


def _subject(record: Mapping[str, str]) -> str:
    return record.get("patient_id", "")
