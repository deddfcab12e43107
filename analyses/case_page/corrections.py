"""The case as a whole: what it sums up to, whose it is, and every correction of that."""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.answers.across import check_across
from analyses.answers.current import closed, current_analyses, decide, keep_warnings, recheck
from analyses.errors import Conflict, Invalid, invalid_fields
from analyses.models import Analysis, ReadingState, Referral, Study, Task
from analyses.notifications import services as notifications
from analyses.record import across, identity
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
    check_across(locked)
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
    decide(locked, set(said))
    check_across(locked)
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
    films that contradict the decision get a warning of their own. What is asked about other cases is decided for this
    one by ``record``: the film is in the right case.

    Raises:
        Invalid: ``bad_field`` for an unknown choice.
        Conflict: ``nothing_to_confirm``; ``films_disagree``: the files of other films name another patient than the
            chosen one, so that the case cannot become that patient's.
    """
    if choice not in CHOICES:
        raise invalid_fields({"choice": [_("Unknown.")]}, _("Choose the entry or the value in the file."))
    department_id = analysis.department_id
    lock_department(department_id)
    study = lock(Study.objects.only("pk").get(images=analysis.image_id).pk)
    row = Analysis.objects.select_for_update(of=("self",), no_key=True).select_related("image").get(pk=analysis.pk)
    warning = next((w for w in row.open_warnings if code_or_field in (w["field"], w["code"])), None)
    if warning is None:
        raise Conflict("nothing_to_confirm", _("This has already been resolved. Reload the page."))
    field = warning["field"]
    if across.is_across(warning):
        _keep_here(study, row, field, choice, user)
        analysis.refresh_from_db()
        return
    before = identity.recorded(study).get(field, "")
    value = {"typed": row.image.typed, "file": row.image.header}.get(choice, {}).get(field, "") or before
    if value != before:
        evidence = row.image.header if choice == "file" else row.image.typed
        if field == "patient_id":
            _require_agreement(study, row, value)
        _set(study, field, value, evidence)
    _decide_alike(study, row, field, choice)
    recheck(study, [field])
    check_across(study)
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
    lock_department(study.department_id)
    locked = lock(study.pk)
    require_unsigned(locked)
    changed = [name for name in EDITABLE if getattr(locked, name) != getattr(given, name)]
    if not changed:
        return
    for name in changed:
        setattr(locked, name, getattr(given, name))
    locked.save(update_fields=changed)
    decide(locked, set(changed))
    check_across(locked)
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


def other_patients_film(analyses: Iterable[Analysis], row: Analysis, number: str) -> bool:
    """Whether the file of another film than `row` names another record number than this one."""
    others = (analysis.image.header.get("patient_id", "") for analysis in analyses if analysis.pk != row.pk)
    return any(not identity.agree("patient_id", named, number) for named in others)


def _require_agreement(study: Study, row: Analysis, number: str) -> None:
    """Refuse to make the case the patient's with this number where other films' files name somebody else."""
    if other_patients_film(current_analyses(study, Task.TUMOUR), row, number):
        raise Conflict(
            "films_disagree",
            _("Other films of this case name another patient. Move this film to its own case instead."),
        )


def _keep_here(study: Study, row: Analysis, field: str, choice: str, user: User) -> None:
    """Decide that the films which are asked about are in the right case; the other case is asked for itself."""
    if choice != "record":
        raise invalid_fields({"choice": [_("Unknown.")]}, _("Confirm this case, or move the film."))
    for analysis in current_analyses(study, Task.TUMOUR):
        asked = [across.is_across(entry) and entry["field"] == field for entry in analysis.warnings]
        pairs = zip(analysis.warnings, asked, strict=True)
        keep_warnings(analysis, [closed(entry, choice) if mine else entry for entry, mine in pairs])
    touch(study)
    audit.record(
        "confirm_identity",
        user=user,
        obj=row,
        case_id=study.pk,
        subject=study.record_number,
        detail={"field": field, "choice": choice},
    )


def _decide_alike(study: Study, decided: Analysis, field: str, choice: str) -> None:
    """Close the warning of this film, and that of other films which state the same on both sides."""
    for analysis in current_analyses(study, Task.TUMOUR):
        pairs = ((analysis.image.typed, decided.image.typed), (analysis.image.header, decided.image.header))
        same = all(mine.get(field, "") == its.get(field, "") for mine, its in pairs)
        if analysis.pk == decided.pk or same:
            keep_warnings(analysis, [closed(w, choice) if w.get("field") == field else w for w in analysis.warnings])


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
    Referral.objects.filter(study=study, voided_at__isnull=True).update(voided_at=timezone.now())
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
