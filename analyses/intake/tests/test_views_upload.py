"""Intake by page: film by film with script, all at once without."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from analyses.intake import services as intake
from analyses.models import Analysis, Image, Study
from analyses.tests.factories import PatientFactory, StudyFactory, png_bytes

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def film(seed=0, name="film.png"):
    return SimpleUploadedFile(name, png_bytes(seed=seed), content_type="image/png")


def test_the_limits_stand_on_the_page_before_the_upload(web):
    text = web.get("/upload/").content.decode()
    for words in (*intake.FORMATS, "up to 128 MB per film", "million pixels", "no multi-frame or deflated"):
        assert words in text


def test_a_film_sent_by_script_is_answered_with_its_id_and_case(web, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks():
        response = web.post("/upload/", {"image": film(), "patient_id": "40-1", "view_position": "AP"}, headers=JSON)
    answer = response.json()
    analysis = Analysis.objects.get()
    assert response.status_code == 202
    assert answer["id"] == str(analysis.pk)
    assert answer["case"] == f"/cases/{analysis.image.study_id}/"
    assert analysis.image.view_position == "AP"


def test_films_of_one_form_become_one_case(web):
    key = str(uuid.uuid4())
    for seed in (1, 2):
        web.post("/upload/", {"image": film(seed), "patient_id": "40-1", "case_key": key}, headers=JSON)
    assert Study.objects.count() == 1
    assert Image.objects.count() == 2


def test_the_form_without_script_takes_several_films_into_one_case(web):
    key = str(uuid.uuid4())
    response = web.post("/upload/", {"image": [film(1), film(2)], "patient_id": "40-1", "case_key": key})
    study = Study.objects.get()
    assert response["Location"] == f"/cases/{study.pk}/"
    assert study.images.count() == 2


def test_the_same_film_again_is_answered_with_what_exists_unless_asked_for_again(web):
    first = web.post("/upload/", {"image": film(), "patient_id": "40-1"}, headers=JSON)
    same = web.post("/upload/", {"image": film(), "patient_id": "40-1"}, headers=JSON)
    assert (same.status_code, same.json()["id"], same.json()["created"]) == (200, first.json()["id"], False)
    again = web.post("/upload/", {"image": film(), "patient_id": "40-1", "again": "on"}, headers=JSON)
    assert (again.status_code, again.json()["created"]) == (202, True)


@pytest.mark.parametrize(
    ("data", "status", "code", "field"),
    [
        ({}, 400, "bad_field", "image"),
        ({"image": SimpleUploadedFile("x.png", b"")}, 400, "empty_file", "image"),
        ({"image": "film", "patient_birth_date": "2199-01-01"}, 400, "bad_field", "patient_birth_date"),
        ({"image": "film", "patient_id": "x" * 65}, 400, "bad_field", "patient_id"),
        ({"image": "film", "laterality": "Q"}, 400, "bad_field", "laterality"),
    ],
)
def test_a_refusal_by_script_has_code_sentence_and_field(web, data, status, code, field):
    if data.get("image") == "film":
        data = data | {"image": film()}
    response = web.post("/upload/", data, headers=JSON)
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code)
    assert answer["detail"]
    assert answer["fields"][field]
    assert not Analysis.objects.exists()


def test_a_film_over_the_limit_is_refused_with_413(web, settings):
    settings.MAX_UPLOAD_BYTES = 100
    response = web.post("/upload/", {"image": film()}, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_a_refused_plain_form_comes_back_with_what_was_typed(web):
    response = web.post("/upload/", {"patient_id": "40-1", "patient_name": "PATIENT 0001"})
    text = response.content.decode()
    assert response.status_code == 400
    assert 'value="PATIENT 0001"' in text
    assert "Choose at least one film" in text


def test_further_films_join_the_case_they_are_added_to(web, department):
    study = StudyFactory(patient=PatientFactory(department=department), owner=department)
    response = web.post(f"/cases/{study.pk}/add/", {"image": film(3)}, headers=JSON)
    assert response.json()["case"] == f"/cases/{study.pk}/"
    assert study.images.count() == 1


def test_films_cannot_be_added_to_a_case_of_another_department(web, other_department):
    foreign = StudyFactory(patient=PatientFactory(department=other_department), owner=other_department)
    assert web.post(f"/cases/{foreign.pk}/add/", {"image": film()}, headers=JSON).status_code == 404


@pytest.mark.parametrize("role", ["clerk", "api_client", "administrator", "auditor"])
def test_nobody_but_doctors_uploads_by_page(client, request, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get("/upload/").status_code == 403
    assert client.post("/upload/", {"image": film()}).status_code == 403
