"""One film, examination or accession number under two patients is asked about on both cases, and holds both reports."""

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from accounts.models import AuditEvent
from analyses.answers.across import check_across
from analyses.answers.current import current_analyses
from analyses.case_page import corrections
from analyses.errors import Conflict, Invalid
from analyses.intake import services as intake
from analyses.models import Analysis, Study, Task
from analyses.record.across import question, with_questions
from analyses.record.fields import CaseFields
from analyses.reports import services as reports
from analyses.tests.factories import StudyFactory, png_bytes, result

pytestmark = pytest.mark.django_db
FILM = png_bytes(seed=900)


@pytest.fixture
def submit(doctor):
    def post(patient_id, content=FILM, **fields):
        said = CaseFields(patient_id=patient_id, **fields)
        return intake.submit_image(user=doctor, token=None, upload=ContentFile(content, name="x"), fields=said).analysis

    return post


def asked(analysis) -> list[tuple[str, list[str]]]:
    analysis.refresh_from_db()
    return [(entry["field"], entry["cases"]) for entry in analysis.open_warnings]


def case_of(department, number, **fields):
    return result("benign", study=StudyFactory(owner=department, patient__patient_id=number, **fields))


def test_the_same_bytes_under_two_patients_are_asked_about_on_both(submit):
    first, second = submit("R1"), submit("R2")
    assert asked(first) == [("same_film", [str(second.image.study_id)])]
    assert asked(second) == [("same_film", [str(first.image.study_id)])]
    third = submit("R3")
    assert len(asked(third)[0][1]) == len(asked(first)[0][1]) == 2


def test_the_same_bytes_of_one_patient_ask_nothing(submit):
    first = submit("R1")
    again = submit("R1", accession_number="A9")
    assert asked(first) == asked(again) == []


def test_one_accession_number_with_two_patients_is_asked_about_on_the_first_film_of_both(submit):
    first = submit("R1", png_bytes(seed=1), accession_number="A1")
    later = submit("R1", png_bytes(seed=2), accession_number="A1")
    other = submit("R2", png_bytes(seed=3), accession_number="a 1")
    assert asked(first) == [("same_accession", [str(other.image.study_id)])]
    assert asked(later) == []
    assert asked(other) == [("same_accession", [str(first.image.study_id)])]


def test_one_study_uid_with_two_patients_is_asked_about_when_the_headers_are_read(analyse, decoder):
    decoder.identity = {"patient_id": "R1", "study_instance_uid": "1.2.3"}
    first = analyse()
    decoder.identity = {"patient_id": "R2", "study_instance_uid": "1.2.3"}
    second = analyse()
    assert asked(first) == [("same_study", [str(second.image.study_id)])]
    assert asked(second) == [("same_study", [str(first.image.study_id)])]


def test_two_spellings_of_one_number_are_one_patient(submit):
    first, second = submit("R1"), submit("r 1")
    assert asked(first) == asked(second) == []


def test_what_happens_in_another_department_is_never_told(submit, second_doctor):
    first = submit("R1")
    upload = ContentFile(FILM, name="x")
    fields = CaseFields(patient_id="R2")
    foreign = intake.submit_image(user=second_doctor, token=None, upload=upload, fields=fields).analysis
    assert asked(first) == asked(foreign) == []


def test_the_report_of_both_waits_until_each_is_decided(department, doctor):
    one, other = case_of(department, "R1", accession_number="A1"), case_of(department, "R2", accession_number="A1")
    before = reports.issue_report(one.image.study, doctor)
    check_across(other.image.study)
    for analysis in (one, other):
        with pytest.raises(Conflict) as refused:
            reports.issue_report(Study.objects.get(pk=analysis.image.study_id), doctor)
        assert refused.value.code == "identity_unconfirmed"
    before.refresh_from_db()
    assert reports.state_of(before) == "superseded"
    corrections.confirm_identity(one, "same_accession", "record", doctor)
    assert asked(one) == []
    assert asked(other), "a decision on one case leaves the other undecided"
    assert reports.issue_report(one.image.study, doctor)
    event = AuditEvent.objects.get(action="confirm_identity")
    assert (event.subject, event.detail) == ("R1", {"field": "same_accession", "choice": "record"})
    with pytest.raises(Conflict):
        corrections.confirm_identity(one, "same_accession", "record", doctor)


@pytest.mark.parametrize("choice", ["file", "typed"])
def test_a_question_about_another_case_knows_no_file_and_no_entry(submit, doctor, choice):
    first, _second = submit("R1"), submit("R2")
    first.refresh_from_db()
    with pytest.raises(Invalid):
        corrections.confirm_identity(first, "same_film", choice, doctor)


def test_a_correction_of_the_patient_answers_the_question_on_both(submit, doctor):
    first, second = submit("R1"), submit("R2")
    corrections.reassign(second.image.study, user=doctor, reason="Typing error.", patient_id="R1")
    assert asked(first) == asked(second) == []


def test_an_unassigned_case_asks_when_it_gets_its_patient(submit, doctor):
    first = submit("R1")
    unassigned = submit("")
    assert asked(unassigned) == []
    corrections.assign_patient(unassigned.image.study, CaseFields(patient_id="R2"), doctor)
    assert [field for field, _ in asked(unassigned)] == [field for field, _ in asked(first)] == ["same_film"]


def test_a_corrected_accession_number_is_looked_for_as_well(department, doctor):
    one, other = case_of(department, "R1", accession_number="A1"), case_of(department, "R2", accession_number="A2")
    corrections.edit_case(other.image.study, CaseFields(accession_number="A1"), doctor)
    assert [field for field, _ in asked(one)] == [field for field, _ in asked(other)] == ["same_accession"]
    corrections.edit_case(other.image.study, CaseFields(accession_number="A2"), doctor)
    assert asked(one) == asked(other) == []


def test_a_signed_case_is_asked_as_well_and_its_report_stays(signed, doctor):
    report = reports.issue_report(signed, doctor)
    other = case_of(signed.department, "R2", accession_number=signed.accession_number)
    check_across(other.image.study)
    assert [field for field, _ in asked(current_analyses(signed, Task.TUMOUR)[0])] == ["same_accession"]
    report.refresh_from_db()
    signed.refresh_from_db()
    assert reports.state_of(report) == "valid"


def test_the_page_names_the_other_case_and_takes_the_decision(client, doctor, submit):
    first, second = submit("R1"), submit("R2")
    client.force_login(doctor)
    page = client.get(reverse("analyses:case", args=[first.image.study_id])).content.decode()
    assert "also filed under another patient" in page
    assert f'href="/cases/{second.image.study_id}/"' in page
    confirm = reverse("analyses:film_confirm", args=[first.image.study_id, first.pk])
    assert client.post(confirm, {"field": "same_film", "choice": "record"}).status_code == 302
    assert asked(first) == []


def test_a_decision_holds_for_the_cases_that_it_was_made_about():
    decided = question("same_film", ["a"]) | {"confirmed": "record"}
    assert with_questions([decided], {"same_film": {"a"}}) == [decided]
    assert with_questions([decided], {}) == [decided]
    assert with_questions([decided], {"same_film": {"a", "b"}}) == [question("same_film", ["a", "b"])]
    assert with_questions([question("same_film", ["a"])], {}) == []
    other = {"code": "laterality_mismatch", "field": "laterality", "against": "file", "confirmed": None}
    assert with_questions([other], {"same_study": {"a"}}) == [other, question("same_study", ["a"])]


def test_no_file_choice_takes_films_along_whose_files_name_somebody_else(department, doctor):
    study = StudyFactory(owner=department, patient__patient_id="R1")
    mine = result("normal", study=study, image__header={"patient_id": "R1"})
    warning = {"code": "patient_id_mismatch", "field": "patient_id", "against": "record", "confirmed": None}
    other = result("normal", study=study, image__header={"patient_id": "R2"}, warnings=[warning])
    with pytest.raises(Conflict) as refused:
        corrections.confirm_identity(other, "patient_id", "file", doctor)
    assert refused.value.code == "films_disagree"
    study.refresh_from_db()
    assert study.patient.patient_id == "R1"
    assert Analysis.objects.get(pk=mine.pk).open_warnings == []
    corrections.confirm_identity(other, "patient_id", "record", doctor)
    assert asked_fields(other) == []


def asked_fields(analysis) -> list[str]:
    analysis.refresh_from_db()
    return [entry["field"] for entry in analysis.open_warnings]
