"""What a case sums up to, and how its patient, side and details are corrected."""

from datetime import date, timedelta

import pytest

from accounts.models import AuditEvent
from analyses.case_page import corrections
from analyses.errors import Conflict, Invalid
from analyses.models import Analysis, Patient, Report, Study
from analyses.pipeline import summary
from analyses.record import cases
from analyses.record.fields import CaseFields
from analyses.record.identity import warning
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(department):
    return StudyFactory(department=department, patient__patient_id="R1", patient__patient_name="DOE JANE")


def film(study, typed=None, header=None, warnings=()):
    image = ImageFactory(study=study, typed=typed or {}, header=header or {})
    return AnalysisFactory(image=image, status="succeeded", outcome="normal", modality="DX", warnings=list(warnings))


def report(study, **fields):
    values = {"revision": study.revision, "kind": "final", "pdf_file": "reports/x.pdf", "pdf_size_bytes": 1}
    number = str(Report.objects.count())
    return Report.objects.create(study=study, pdf_sha256=number, verification_code=number, **(values | fields))


def test_the_most_suspicious_film_speaks_for_the_case_and_nothing_is_averaged(study):
    for outcome in ("normal", "not_analysable", "malignant", "benign"):
        result(outcome, study=study)
    study.refresh_from_db()
    assert (study.status, study.outcome, study.malignant_probability) == ("succeeded", "malignant", 0.8)


def test_of_two_malignant_films_the_more_probable_one_counts(study):
    result("malignant", study=study, malignant_probability=0.6)
    result("malignant", study=study, malignant_probability=0.7)
    study.refresh_from_db()
    assert study.malignant_probability == 0.7


def test_only_the_latest_analysis_of_a_film_counts(study):
    old = result("malignant", study=study)
    new = AnalysisFactory(image=old.image, status="succeeded", outcome="benign", malignant_probability=0.2)
    Analysis.objects.filter(pk=old.pk).update(created_at=new.created_at - timedelta(hours=1))
    summary.summarise(study)
    assert study.outcome == "benign"


def test_a_case_waits_while_any_film_waits_but_shows_what_is_known(study):
    result("malignant", study=study)
    AnalysisFactory(image__study=study)
    summary.summarise(study)
    assert (study.status, study.outcome) == ("queued", "malignant")


def test_a_failed_film_does_not_hide_the_answer_of_another(study):
    result("failed", study=study)
    result("normal", study=study)
    study.refresh_from_db()
    assert (study.status, study.outcome) == ("succeeded", "normal")


def test_a_case_whose_films_all_failed_has_failed(study):
    result("failed", study=study)
    study.refresh_from_db()
    assert (study.status, study.outcome, study.malignant_probability) == ("failed", "", None)


def test_a_touch_counts_one_change(study):
    before = study.revision
    cases.touch(study)
    study.refresh_from_db()
    assert study.revision == before + 1


def test_an_unassigned_case_gets_its_patient(department, doctor):
    study = StudyFactory(patient=None, department=department)
    corrections.assign_patient(study, CaseFields(patient_id="R7", patient_name="Doe Jane"), doctor)
    assert (study.patient.patient_id, study.patient.patient_name) == ("R7", "Doe Jane")
    event = AuditEvent.objects.get(action="assign_patient")
    assert (event.case_id, event.subject) == (study.pk, "R7")
    with pytest.raises(Conflict, match="Reassign"):
        corrections.assign_patient(study, CaseFields(patient_id="R8"), doctor)


def test_a_case_is_not_assigned_to_a_number_that_belongs_to_somebody_else(department, doctor):
    PatientFactory(department=department, patient_id="R7", patient_name="ROE JOHN")
    study = StudyFactory(patient=None, department=department)
    with pytest.raises(Conflict) as refused:
        corrections.assign_patient(study, CaseFields(patient_id="R7", patient_name="Doe Jane"), doctor)
    assert (refused.value.code, list(refused.value.fields)) == ("patient_mismatch", ["patient_name"])
    study.refresh_from_db()
    assert study.patient is None


def test_an_assignment_needs_a_record_number(department, doctor):
    with pytest.raises(Invalid):
        corrections.assign_patient(
            StudyFactory(patient=None, department=department), CaseFields(patient_name="x"), doctor
        )


def test_a_reassigned_case_moves_voids_its_reports_and_leaves_both_numbers_in_the_trail(study, doctor):
    old, issued = study.patient, report(study)
    corrections.reassign(
        study, patient_id="R2", patient_name="ROE JOHN", laterality="R", reason="Films swapped.", user=doctor
    )
    assert (study.patient.patient_id, study.laterality) == ("R2", "R")
    assert study.revision == 2
    issued.refresh_from_db()
    assert (issued.state, issued.end_reason) == ("void", "Films swapped.")
    old.refresh_from_db()
    assert (old.patient_id, old.patient_name) == ("R1", "DOE JANE")
    event = AuditEvent.objects.get(action="reassign")
    assert event.subject == "R1 -> R2: Films swapped."
    assert event.detail == {"fields": ["patient_id", "patient_name", "laterality"], "side": ["L", "R"]}


def test_a_reassignment_joins_an_existing_patient_only_when_the_details_fit(study, doctor, department):
    other = PatientFactory(department=department, patient_id="R2", patient_name="ROE JOHN")
    with pytest.raises(Conflict) as refused:
        corrections.reassign(study, patient_id="R2", patient_name="DOE JANE", reason="x", user=doctor)
    assert refused.value.code == "patient_mismatch"
    corrections.reassign(study, patient_id="R2", reason="x", user=doctor)
    assert study.patient == other


def test_a_reassignment_never_reaches_into_another_department(study, doctor, other_department):
    PatientFactory(department=other_department, patient_id="R2", patient_name="ROE JOHN")
    corrections.reassign(study, patient_id="R2", reason="x", user=doctor)
    assert study.patient.department == study.department
    assert study.patient.patient_name == ""


def test_correcting_a_patients_name_counts_as_a_change_of_all_the_patients_cases(study, doctor, department):
    sibling = StudyFactory(department=department, patient=study.patient)
    corrections.reassign(study, patient_id="R1", patient_name="DOE JANET", reason="Misspelt.", user=doctor)
    sibling.refresh_from_db()
    assert (sibling.patient.patient_name, sibling.revision, study.revision) == ("DOE JANET", 2, 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"patient_id": "R1", "reason": "x"}, "nothing_changed"),
        ({"patient_id": "R2", "reason": " "}, "bad_field"),
        ({"patient_id": "R2", "reason": "x" * 121}, "bad_field"),
        ({"laterality": "Q", "reason": "x"}, "bad_field"),
    ],
)
def test_a_reassignment_without_change_or_reason_is_refused(study, doctor, change, code):
    with pytest.raises(Invalid) as refused:
        corrections.reassign(study, user=doctor, **change)
    assert refused.value.code == code
    study.refresh_from_db()
    assert study.revision == 1


def test_a_signed_case_that_is_reassigned_counts_as_amended(study, doctor):
    study.reading_state = "final"
    study.save()
    corrections.reassign(study, patient_id="R2", reason="x", user=doctor)
    assert study.reading_state == "amended"


def test_a_reassignment_decides_what_was_open_and_what_it_contradicts(study, doctor):
    asked = film(study, {"patient_id": "R1"}, {"patient_id": "R2"}, [warning("patient_id", "file")])
    silent = film(study, {"patient_id": "R1"})
    corrections.reassign(study, patient_id="R2", reason="x", user=doctor)
    for analysis in (asked, silent):
        analysis.refresh_from_db()
        assert analysis.open_warnings == []
        assert [entry["confirmed"] for entry in analysis.warnings] == ["edited"]


def test_confirming_what_was_typed_keeps_the_record(study, doctor):
    analysis = film(study, {"patient_id": "R1"}, {"patient_id": "R2"}, [warning("patient_id", "file")])
    corrections.confirm_identity(analysis, "patient_id", "typed", doctor)
    study.refresh_from_db()
    assert study.patient.patient_id == "R1"
    assert analysis.open_warnings == []
    assert study.revision == 2
    event = AuditEvent.objects.get(action="confirm_identity")
    assert (event.subject, event.detail) == ("R1", {"field": "patient_id", "choice": "typed"})


def test_confirming_what_the_file_says_moves_the_case_to_that_patient_and_voids_reports(study, doctor):
    header = {"patient_id": "R2", "patient_name": "ROE JOHN", "patient_birth_date": "1970-01-31"}
    issued = report(study)
    analysis = film(study, {"patient_id": "R1"}, header, [warning("patient_id", "file")])
    corrections.confirm_identity(analysis, "patient_id_mismatch", "file", doctor)
    study.refresh_from_db()
    patient = study.patient
    assert (patient.patient_id, patient.patient_name) == ("R2", "ROE JOHN")
    assert patient.patient_birth_date == date(1970, 1, 31)
    assert Patient.objects.get(patient_id="R1").patient_name == "DOE JANE"
    issued.refresh_from_db()
    assert issued.state == "void"


def test_one_decision_settles_the_same_contradiction_of_all_films_and_questions_the_others(study, doctor):
    pair = ({"patient_id": "R1"}, {"patient_id": "R2"}, [warning("patient_id", "file")])
    first, same, other = film(study, *pair), film(study, *pair), film(study, {"patient_id": "R1"})
    corrections.confirm_identity(first, "patient_id", "file", doctor)
    same.refresh_from_db()
    other.refresh_from_db()
    assert same.open_warnings == []
    assert [(w["field"], w["against"]) for w in other.open_warnings] == [("patient_id", "record")]
    corrections.confirm_identity(other, "patient_id", "file", doctor)  # its file says nothing: the record stands
    study.refresh_from_db()
    assert study.patient.patient_id == "R2"
    assert other.open_warnings == []


def test_a_known_patients_name_is_changed_only_when_a_doctor_confirms_the_other(study, doctor):
    analysis = film(study, {"patient_name": "DOE JANET"}, {}, [warning("patient_name", "record")])
    corrections.confirm_identity(analysis, "patient_name", "typed", doctor)
    study.patient.refresh_from_db()
    assert study.patient.patient_name == "DOE JANET"


def test_the_side_that_a_doctor_confirms_becomes_the_cases_side(study, doctor):
    analysis = film(study, {"laterality": "L"}, {"laterality": "R"}, [warning("laterality", "file")])
    corrections.confirm_identity(analysis, "laterality", "file", doctor)
    study.refresh_from_db()
    assert study.laterality == "R"


def test_nothing_is_confirmed_twice_or_by_an_unknown_word(study, doctor):
    analysis = film(study, {"laterality": "L"}, {"laterality": "R"}, [warning("laterality", "file")])
    with pytest.raises(Invalid):
        corrections.confirm_identity(analysis, "laterality", "both", doctor)
    corrections.confirm_identity(analysis, "laterality", "typed", doctor)
    with pytest.raises(Conflict) as refused:
        corrections.confirm_identity(analysis, "laterality", "file", doctor)
    assert refused.value.code == "nothing_to_confirm"


def test_details_are_set_as_given_and_patient_and_side_stay(study, doctor):
    fields = CaseFields(
        patient_id="R9", laterality="R", modality="cr", body_part_examined="hand", clinical_question="?"
    )
    corrections.edit_case(study, fields, doctor)
    assert (study.modality, study.body_part_examined, study.clinical_question) == ("CR", "HAND", "?")
    assert (study.accession_number, study.study_date) == ("", None)
    assert (study.patient.patient_id, study.laterality, study.revision) == ("R1", "L", 2)
    detail = AuditEvent.objects.get(action="edit_case").detail
    assert "accession_number" in detail["fields"]


def test_an_edit_that_changes_nothing_leaves_no_trace(study, doctor):
    fields = {name: getattr(study, name) for name in corrections.EDITABLE}
    corrections.edit_case(study, CaseFields(**fields), doctor)
    assert study.revision == 1
    assert not AuditEvent.objects.exists()


def test_a_signed_case_is_not_edited(study, doctor):
    study.reading_state = "final"
    study.save()
    with pytest.raises(Conflict) as refused:
        corrections.edit_case(study, CaseFields(modality="CR"), doctor)
    assert refused.value.code == "case_signed"


def test_no_audit_detail_names_the_patient(study, doctor):
    analysis = film(study, {"patient_id": "R1"}, {"patient_id": "R2"}, [warning("patient_id", "file")])
    corrections.confirm_identity(analysis, "patient_id", "file", doctor)
    corrections.reassign(study, patient_id="R3", patient_name="ROE", reason="Because ROE", user=doctor)
    for event in AuditEvent.objects.all():
        assert not {"R1", "R2", "R3", "ROE"} & set(str(event.detail).replace("'", " ").split())


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (("DX", "TIBIA", "L"), "DX tibia, left"),
        (("DX", "", ""), "DX"),
        (("", "TIBIA", "R"), "tibia, right"),
        (("", "", "R"), "right"),
        (("", "", ""), ""),
    ],
)
def test_what_was_examined_is_told_as_far_as_it_is_stated(stated, words):
    modality, part, side = stated
    assert Study(modality=modality, body_part_examined=part, laterality=side).examined == words
