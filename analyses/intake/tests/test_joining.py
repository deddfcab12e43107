"""Films of several patients or examinations never become one case by themselves, whatever names the case."""

import io
import uuid

import pydicom
import pytest
from django.core.files.base import ContentFile

from analyses.errors import Conflict
from analyses.intake import headers
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Image, Study
from analyses.tests.dicom_files import dicom_bytes
from analyses.tests.factories import StudyFactory, png_bytes
from inference.imaging.client import DecodeClient
from inference.imaging.server import start_server

pytestmark = pytest.mark.django_db
TYPED = CaseFields(patient_id="R1", accession_number="A1")
DOE = {"PatientID": "R1", "PatientName": "Doe^Jane", "StudyInstanceUID": "1.2.3"}
ROE = {"PatientID": "R2", "PatientName": "Roe^John", "StudyInstanceUID": "1.2.4"}


@pytest.fixture
def submit(doctor, door):
    def post(content: bytes, **options):
        upload = ContentFile(content, name="film")
        given = {"user": doctor, "token": None, "upload": upload, "fields": CaseFields()} | options
        return intake.submit_image(**given).analysis.image

    return post


@pytest.mark.parametrize("change", [ROE, DOE | {"StudyInstanceUID": "1.2.9"}, DOE | {"PatientName": "Roe^John"}])
def test_films_of_one_accession_number_whose_headers_differ_are_two_cases(submit, change):
    one, other = (submit(dicom_bytes(n, **said), fields=TYPED) for n, said in enumerate([DOE, change]))
    assert one.study != other.study
    third = submit(dicom_bytes(3, **change), fields=TYPED)
    assert third.study == other.study, "the third film finds the case of its examination among both"


def test_films_of_one_accession_number_whose_headers_agree_are_one_case(submit):
    one, two, picture = (
        submit(content, fields=TYPED)
        for content in (dicom_bytes(1, **DOE), dicom_bytes(2, **DOE | {"PatientName": "DOE^JANE^"}), png_bytes())
    )
    assert one.study == two.study == picture.study


def test_films_of_one_form_whose_headers_differ_are_cases_of_their_own_unless_a_person_says_otherwise(submit):
    key = uuid.uuid4()
    one, other = (submit(dicom_bytes(n, **said), case_key=key) for n, said in enumerate([DOE, ROE]))
    assert one.study != other.study
    assert (one.study.case_key, other.study.case_key) == (key, None)
    third = submit(dicom_bytes(5, **ROE), case_key=key, together=True)
    assert third.study == one.study


def test_a_film_that_names_another_patient_is_not_added_to_a_case_without_a_word(submit, department):
    study = StudyFactory(department=department, patient__patient_id="R1", patient__patient_name="Doe Jane")
    with pytest.raises(Conflict) as refused:
        submit(dicom_bytes(**ROE), study=study)
    assert refused.value.code == "films_disagree"
    assert not Image.objects.exists()
    assert submit(dicom_bytes(**ROE), study=study, together=True).study == study
    assert submit(png_bytes(), study=study).study == study


def test_a_film_of_another_examination_is_not_added_without_a_word(submit, department):
    study = StudyFactory(department=department, patient__patient_id="R1", patient__patient_name="Doe Jane")
    submit(dicom_bytes(1, **DOE), study=study)
    with pytest.raises(Conflict):
        submit(dicom_bytes(2, **DOE | {"StudyInstanceUID": "1.2.9"}), study=study)


def test_a_film_whose_header_nobody_can_read_joins_no_other_by_itself(submit, door):
    first = submit(dicom_bytes(1, **DOE), fields=TYPED)
    door.away = True
    unread = submit(dicom_bytes(2, **DOE), fields=TYPED)
    assert unread.study != first.study
    assert unread.early_header is None
    door.away = False
    assert submit(dicom_bytes(3, **ROE), fields=TYPED).study not in (first.study, unread.study)
    assert submit(dicom_bytes(4, **DOE), fields=TYPED).study == first.study


def test_what_the_header_said_at_the_door_is_kept(submit):
    image = submit(dicom_bytes(**DOE))
    assert (image.study_instance_uid, image.early_header["patient_id"]) == ("1.2.3", "R1")
    assert submit(png_bytes()).early_header == {}


def test_a_picture_is_not_sent_to_be_asked(submit, door):
    submit(png_bytes())
    assert door.asked == 0


@pytest.mark.parametrize("private_bytes", [0, headers.HEAD_BYTES + 1])
def test_a_header_behind_long_private_elements_is_found(submit, door, private_bytes):
    content = _with_private(dicom_bytes(**DOE), private_bytes)
    assert submit(content).early_header["patient_id"] == "R1"
    assert door.asked == (2 if private_bytes else 1)


def test_a_damaged_header_names_nobody_and_the_film_is_kept(submit):
    content = dicom_bytes(**DOE)
    image = submit(content[:200])
    assert image.early_header == {}
    assert Study.objects.get() == image.study


def _with_private(content: bytes, length: int) -> bytes:
    """With a private element of group 0009 (PS3.5, 7.8.1), which stands before the patient's."""
    ds = pydicom.dcmread(io.BytesIO(content))
    ds.add_new(0x00090010, "LO", "MAKER")
    ds.add_new(0x00091001, "OB", b"\0" * (length + length % 2))
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def test_the_sandbox_reads_headers_as_the_door_does(tmp_path):
    server = start_server(tmp_path / "d.sock")
    try:
        client = DecodeClient(server.socket_path)
        found = client.header(dicom_bytes(**DOE)[: headers.HEAD_BYTES])
        assert (found["identity"]["patient_id"], found["kind"], found["complete"]) == ("R1", "dicom", True)
        assert client.header(png_bytes())["kind"] == "png"
        assert client.decode(dicom_bytes(**DOE)).meta["identity"] == found["identity"]
    finally:
        server.stop()
