"""Names of patients: read as people write them, stored and sent as they came."""

import pytest

from analyses.record.names import written_name
from analyses.reports import content
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory

STORED, WRITTEN = "Müller^Anna^Katharina", "MÜLLER, Anna Katharina"


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        (STORED, WRITTEN),
        ("Müller^Anna Katharina", WRITTEN),
        ("Müller^Anna^^Dr.^MSc", "MÜLLER, Dr. Anna, MSc"),
        ("Groß^Jörg", "GROẞ, Jörg"),
        ("Müller^^^^", "MÜLLER"),
        ("^Anna", "Anna"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA, Tarou"),
        ("=山田^太郎", "山田, 太郎"),
        ("Yamada=山田", "Yamada"),
        ("=山田太郎=やまだ", "山田太郎"),
        ("^^^^", ""),
        ("Anna Müller", "Anna Müller"),
        ("", ""),
    ],
)
def test_a_dicom_name_is_written_in_reading_order_and_a_typed_one_is_left_alone(stored, written):
    assert written_name(stored) == written


@pytest.fixture
def study(department):
    patient = PatientFactory(department=department, patient_id="R1", patient_name=STORED)
    return StudyFactory(patient=patient, owner=department, referring_physician_name="Doe^Jane")


@pytest.mark.django_db
def test_pages_and_report_show_no_caret_and_the_record_keeps_the_name(client, doctor, study):
    AnalysisFactory(image=ImageFactory(study=study))
    client.force_login(doctor)
    for address in ("/cases/", f"/cases/{study.pk}/", "/reports/?state="):
        assert STORED not in client.get(address).content.decode(), address
    assert WRITTEN in client.get("/cases/").content.decode()
    assert WRITTEN in client.get(f"/cases/{study.pk}/").content.decode()
    values = [value for _, value in content.facts(study)]
    assert WRITTEN in values
    assert "DOE, Jane" in values
    study.patient.refresh_from_db()
    assert study.patient.patient_name == STORED


@pytest.mark.django_db
def test_a_name_is_found_as_it_is_written_on_the_page(client, doctor, study):
    client.force_login(doctor)
    assert WRITTEN in client.get("/cases/", {"q": WRITTEN}).content.decode()
    assert "No matches" in client.get("/cases/", {"q": "Meier, Anna"}).content.decode()
