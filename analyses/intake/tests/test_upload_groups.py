"""Several patients in one upload are several cases, shown before anything is stored."""

import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditEvent
from analyses.models import Image, Study
from analyses.tests.dicom_files import dicom_film
from analyses.tests.factories import StudyFactory, png_bytes

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
GROUPS = "/upload/groups/"


def film_of(number: int, patient: int, **elements):
    said = {"PatientID": f"R{patient}", "PatientName": f"Doe{patient}^Jane", "StudyInstanceUID": f"1.2.{patient}"}
    return dicom_film(number, **said | elements)


def thirteen_of_seven():
    return [film_of(number, number % 7, StudyDate="20260301") for number in range(13)]


def picture(seed=0):
    return SimpleUploadedFile("film.png", png_bytes(seed=seed), content_type="image/png")


@pytest.fixture
def web(client, doctor, door):
    client.force_login(doctor)
    return client


def test_thirteen_films_of_seven_patients_are_shown_as_seven_cases_and_nothing_is_stored(web):
    answer = web.post(GROUPS, {"image": thirteen_of_seven()}).json()
    assert answer["summary"] == "13 films → 7 cases"
    assert [case["films"] for case in answer["cases"]] == [[n, n + 7] if n < 6 else [n] for n in range(7)]
    first = answer["cases"][0]
    assert first["patient"] == "DOE0, Jane, R0"
    assert "03/01/2026" in first["about"] or "2026" in first["about"]
    assert len({case["key"] for case in answer["cases"]}) == 7
    assert not Image.objects.exists()
    assert not Study.objects.exists()


def test_what_the_page_knows_already_is_not_sent_twice(web, door):
    first = web.post(GROUPS, {"image": [film_of(1, 1)]}).json()
    asked = door.asked
    known = json.dumps([*first["headers"], None, {}])
    answer = web.post(GROUPS, {"known": known, "image": [film_of(2, 2)]}).json()
    assert [case["films"] for case in answer["cases"]] == [[0], [1], [2]]
    assert [case["entries"] for case in answer["cases"]] == [False, False, True]
    assert answer["cases"][2]["patient"] == "No patient named in the file"
    assert door.asked == asked + 1


@pytest.mark.parametrize("known", ["{", "{}", "[1]", "[null, null]", json.dumps([{}] * 501), "[" * 5000])
def test_a_list_that_no_page_sends_is_refused(web, known):
    answer = web.post(GROUPS, {"known": known, "image": [film_of(1, 1)]})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_field")


def test_whatever_a_page_sends_back_is_compared_as_text(web):
    known = json.dumps([{"patient_id": ["R1"], "patient_name": None, "study_date": "not a date", "x": "y" * 999}])
    answer = web.post(GROUPS, {"known": known}).json()
    assert answer["cases"][0]["about"] == ""


def test_nobody_but_doctors_asks(client, clerk):
    client.force_login(clerk)
    assert client.post(GROUPS, {}).status_code == 403


def test_the_form_without_script_stores_nothing_before_the_cases_were_seen(web):
    key = str(uuid.uuid4())
    answer = web.post("/upload/", {"image": thirteen_of_seven(), "case_key": key})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "13 films → 7 cases" in text
    assert "DOE3, Jane, R3" in text
    assert not Image.objects.exists()
    answer = web.post("/upload/", {"image": thirteen_of_seven(), "case_key": key, "separate": "on"})
    assert answer["Location"] == "/cases/"
    assert (Study.objects.count(), Image.objects.count()) == (7, 13)


def test_what_is_typed_is_said_only_of_films_that_name_nobody(web):
    films = [film_of(1, 1), film_of(2, 2), picture()]
    web.post("/upload/", {"image": films, "separate": "on", "patient_id": "R9", "case_key": str(uuid.uuid4())})
    assert sorted(study.record_number for study in Study.objects.all()) == ["", "", "R9"]
    assert [image.typed for image in Image.objects.exclude(early_header={})] == [{}, {}]


def test_films_of_one_examination_stay_one_case_with_a_picture(web):
    films = [film_of(1, 1), film_of(2, 1), picture()]
    answer = web.post("/upload/", {"image": films, "patient_id": "R1", "case_key": str(uuid.uuid4())})
    study = Study.objects.get()
    assert answer["Location"] == f"/cases/{study.pk}/"
    assert study.images.count() == 3


def test_film_by_film_those_of_others_are_kept_apart_unless_the_page_says_that_a_person_joined_them(web):
    key = str(uuid.uuid4())
    cases = [
        web.post("/upload/", {"image": film, "case_key": key} | extra, headers=JSON).json()["case"]
        for film, extra in [(film_of(1, 1), {}), (film_of(2, 2), {}), (film_of(3, 2), {"together": "on"})]
    ]
    assert cases[0] == cases[2] != cases[1]


def test_adding_a_film_of_somebody_else_asks_for_a_word(web, department):
    study = StudyFactory(owner=department, patient__patient_id="R1", patient__patient_name="Doe1 Jane")
    address = f"/cases/{study.pk}/add/"
    refused = web.post(address, {"image": film_of(2, 2)}, headers=JSON)
    assert (refused.status_code, refused.json()["code"]) == (409, "films_disagree")
    assert "The films belong to this case" in web.get(address).content.decode()
    assert web.post(address, {"image": film_of(2, 2), "together": "on"}, headers=JSON).status_code == 202
    assert web.post(address, {"image": film_of(1, 1), "together": ""}, headers=JSON).status_code == 409
    assert AuditEvent.objects.filter(action="upload").count() == 1
