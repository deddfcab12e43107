"""One form of a record or accession number decides equality and look-up alike; charts of before are never joined."""

import importlib

import pytest
from django.apps import apps
from django.core.files.base import ContentFile

from accounts.spelling import normal_number
from analyses.case_page import corrections
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Patient, Study
from analyses.record.patients import charts_of_same_number, find_or_make, with_number
from analyses.tests.factories import PatientFactory, StudyFactory, png_bytes

pytestmark = pytest.mark.django_db
SPELLINGS = ["P 12-3", "p12-3", "Ｐ１２-３", "P\u00a012-3", "P12-3"]
OTHERS = ["P12 - 4", "P123", "P012-3", "P1 2-33"]


@pytest.fixture
def submit(doctor):
    def post(number: str, seed: int = 0, **said):
        upload = ContentFile(png_bytes(seed=seed), name="film.png")
        fields = CaseFields(patient_id=number, **said)
        return intake.submit_image(user=doctor, token=None, upload=upload, fields=fields)

    return post


def test_all_spellings_of_a_number_find_one_chart(department, submit):
    for seed, number in enumerate(SPELLINGS):
        submit(number, seed)
    assert [patient.patient_id for patient in Patient.objects.all()] == SPELLINGS[:1]
    for seed, number in enumerate(OTHERS, start=10):
        submit(number, seed)
    assert Patient.objects.count() == 1 + len(OTHERS)


def test_films_of_one_accession_number_join_in_any_spelling(submit):
    first = submit("P 12-3", 1, accession_number="A 77").analysis.image.study
    again = submit("p12-3", 2, accession_number="a77").analysis.image.study
    assert first == again
    assert submit("p12-3", 3, accession_number="a78").analysis.image.study != first


def test_the_same_film_under_another_spelling_of_the_number_is_the_same_film(submit):
    submit("P 12-3")
    assert not submit("p12-3").created
    assert submit("p12-4").created


def test_a_changed_number_is_looked_up_as_it_is_now(department):
    patient = PatientFactory(department=department, patient_id="Old 1", patient_name="Doe^Jane")
    patient.patient_id = "New 2"
    patient.save(update_fields=["patient_id"])
    assert with_number(department.pk, "old1") is None
    assert with_number(department.pk, "new2") == patient
    Patient.objects.bulk_create([Patient(department=department, patient_id="Bulk 3", patient_name="Roe^Ida")])
    assert with_number(department.pk, "BULK3").search_words == " roe ida"


def two_charts(department):
    """As an older version made them: rows whose numbers differ in spelling alone."""
    older = PatientFactory(department=department, patient_id="P 12-3", patient_name="DOE JANE")
    return older, PatientFactory(department=department, patient_id="p12-3", patient_name="ROE IDA")


def test_of_two_charts_the_one_spelt_so_is_found_else_the_older_and_none_is_joined(department):
    older, younger = two_charts(department)
    assert with_number(department.pk, "P 12-3") == older
    assert with_number(department.pk, "p12-3") == younger
    assert with_number(department.pk, "P12-3") == older
    assert find_or_make(department.pk, {"patient_id": "P12-3"}) == older
    assert charts_of_same_number(older) == [younger]
    assert Patient.objects.count() == 2


def test_the_case_page_tells_of_the_second_chart_and_a_case_can_move_to_it(client, doctor, department):
    older, younger = two_charts(department)
    study = StudyFactory(patient=older, department=department)
    client.force_login(doctor)
    page = client.get(f"/cases/{study.pk}/").content.decode()
    assert "same number in a different spelling: p12-3." in page
    corrections.reassign(study, patient_id="p12-3", reason="one patient", user=doctor)
    assert study.patient == younger


def test_ones_own_number_in_another_spelling_corrects_details_and_moves_nothing(doctor, department):
    patient = PatientFactory(department=department, patient_id="P 12-3", patient_name="DOE JANE")
    study = StudyFactory(patient=patient, department=department)
    corrections.reassign(study, patient_id="p12-3", patient_name="ROE IDA", reason="married", user=doctor)
    patient.refresh_from_db()
    assert (study.patient, patient.patient_name, patient.search_words) == (patient, "ROE IDA", " roe ida")


def test_numbers_of_another_department_are_other_numbers(department, submit):
    other = PatientFactory(patient_id="P 12-3")
    assert submit("p12-3").analysis.image.study.patient != other


def test_rows_of_an_older_version_get_their_forms(department):
    study = StudyFactory(department=department, accession_number="Ａ 7")
    two_charts(department)
    Patient.objects.update(patient_id_normal="", search_words="", search_joined="")
    Study.objects.update(accession_number_normal="")
    importlib.import_module("analyses.migrations.0026_fill_normal_forms").fill(apps, None)
    for patient in Patient.objects.all():
        assert patient.patient_id_normal == normal_number(patient.patient_id)
        assert patient.search_words
        assert patient.search_joined
    study.refresh_from_db()
    assert study.accession_number_normal == "a7"
    assert {p.patient_id for p in Patient.objects.filter(patient_id_normal="p12-3")} == {"P 12-3", "p12-3"}
