"""Finding, making and completing the rows of patients. Callers hold the department's lock."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Department
from accounts.spelling import normal_number
from analyses.errors import Conflict
from analyses.models import Patient, Study
from analyses.record.fields import CASE_FIELDS, IDENTITY_FIELDS
from analyses.record.identity import agree

_DATES = ("patient_birth_date", "study_date")


def lock_department(department_id: Any) -> Department:
    """Serialise what must not happen twice in a department: new patients, new cases, the same image posted twice.

    Held for a few ms, always taken before the locks of cases and analyses. (SQLite has one writer at a time anyway.)
    """
    return Department.objects.select_for_update(no_key=True).get(pk=department_id)


def value_of(name: str, text: str) -> Any:
    """A text as the field of a row wants it; a date that is none becomes None."""
    if name not in _DATES:
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def with_number(department_id: Any, number: str) -> Patient | None:
    """The patient whose record number is this one, in whichever spelling.

    Where several charts carry it (older versions took each spelling for a number of its own), the one spelt exactly so,
    else the oldest: they are never joined without a person's decision.
    """
    rows = Patient.objects.filter(department_id=department_id, patient_id_normal=normal_number(number))
    found = list(rows.order_by("created_at", "id"))
    return next((row for row in found if row.patient_id == number), found[0] if found else None)


def charts_of_same_number(patient: Patient) -> list[Patient]:
    """Other charts of the department whose record number is this patient's, spelt in another way."""
    rows = Patient.objects.filter(department_id=patient.department_id, patient_id_normal=patient.patient_id_normal)
    return list(rows.exclude(pk=patient.pk).order_by("created_at", "id"))


def find_or_make(department_id: Any, values: Mapping[str, str]) -> Patient:
    """The patient with this record number, made from ``values`` if new, completed from them where its row is empty."""
    patient = with_number(department_id, values["patient_id"])
    if patient is None:
        fields = {name: value_of(name, values[name]) for name in IDENTITY_FIELDS if values.get(name)}
        return Patient.objects.create(department_id=department_id, **fields)
    complete(patient, values)
    return patient


def complete(patient: Patient, values: Mapping[str, str]) -> None:
    """Fill what the patient's row does not say; what it says is never overwritten."""
    _fill(patient, IDENTITY_FIELDS, values)


def complete_case(study: Study, values: Mapping[str, str]) -> bool:
    """Fill what the case does not say; tells whether anything was filled."""
    return _fill(study, (*CASE_FIELDS, "study_instance_uid"), values)


def _fill(row: Patient | Study, names: tuple[str, ...], values: Mapping[str, str]) -> bool:
    filled = []
    for name in names:
        value = value_of(name, values[name]) if values.get(name) else None
        if value and not getattr(row, name):
            setattr(row, name, value)
            filled.append(name)
    if filled:
        row.save(update_fields=filled)
    return bool(filled)


def require_same_person(department_id: Any, values: Mapping[str, str]) -> None:
    """Refuse to put a case under a record number whose known name, birth date or sex contradicts what was entered.

    Raises:
        Conflict: ``patient_mismatch`` with the fields in question.
    """
    patient = with_number(department_id, values["patient_id"])
    if patient is None:
        return
    born = patient.patient_birth_date
    known = {
        "patient_name": patient.patient_name,
        "patient_birth_date": born.isoformat() if born else "",
        "patient_sex": patient.patient_sex,
    }
    wrong = {
        name: [_("Differs from the record.")] for name in known if not agree(name, values.get(name, ""), known[name])
    }
    if wrong:
        raise Conflict(
            "patient_mismatch",
            _(
                "This record number belongs to a patient with different details. Check the number, or"
                " leave the details empty."
            ),
            fields=wrong,
        )
