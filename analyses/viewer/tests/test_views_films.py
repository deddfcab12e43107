"""Films, saliency maps and thumbnails are served to those who may see the case, and to nobody else."""

import io

import pytest
from django.core.files.storage import default_storage
from PIL import Image as Picture

from accounts.models import AuditEvent
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, png_bytes, result

pytestmark = pytest.mark.django_db
KINDS = ["image", "saliency", "thumbnail"]


@pytest.fixture
def analysis(department):
    study = StudyFactory(patient=PatientFactory(department=department), owner=department)
    return result("malignant", study=study, image__film_bytes=png_bytes(300, 400))


def address(analysis, kind) -> str:
    return f"/films/{analysis.pk}/{kind}.png"


@pytest.mark.parametrize("kind", KINDS)
def test_a_doctor_gets_a_png_that_must_be_asked_for_each_time(client, doctor, analysis, kind):
    client.force_login(doctor)
    response = client.get(address(analysis, kind))
    assert response["Content-Type"] == "image/png"
    assert response["Cache-Control"] == "private, no-cache"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert Picture.open(io.BytesIO(response.content)).format == "PNG"
    again = client.get(address(analysis, kind), headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_thumbnail_is_small_and_keeps_the_aspect(client, doctor, analysis):
    client.force_login(doctor)
    assert Picture.open(io.BytesIO(client.get(address(analysis, "thumbnail")).content)).size == (84, 112)


def test_a_look_at_the_film_is_in_the_log_but_thumbnail_and_map_are_not(client, doctor, analysis):
    client.force_login(doctor)
    for kind in KINDS:
        client.get(address(analysis, kind))
    event = AuditEvent.objects.get(object_type="analysis")
    assert (event.action, event.case_id) == ("download_image", analysis.image.study_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_doctor_of_another_department_finds_nothing(client, second_doctor, analysis, kind):
    client.force_login(second_doctor)
    assert client.get(address(analysis, kind)).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["clerk", "api_client", "administrator", "auditor"])
def test_other_roles_may_not_see_films(client, request, analysis, kind, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get(address(analysis, kind)).status_code == 403


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_that_ended_ends_the_view_even_with_a_kept_copy(client, doctor, second_doctor, analysis, kind):
    client.force_login(doctor)
    tag = client.get(address(analysis, kind))["ETag"]
    client.force_login(second_doctor)
    assert client.get(address(analysis, kind), headers={"If-None-Match": tag}).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_decoded_yet_is_not_found(client, doctor, department, kind):
    study = StudyFactory(patient=PatientFactory(department=department), owner=department)
    client.force_login(doctor)
    assert client.get(address(AnalysisFactory(image=ImageFactory(study=study)), kind)).status_code == 404


def test_a_file_that_is_gone_is_not_found_rather_than_an_error(client, doctor, analysis):
    default_storage.delete(analysis.image.canonical_file)
    client.force_login(doctor)
    assert client.get(address(analysis, "image")).status_code == 404
