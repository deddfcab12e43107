"""A wrong tag kept a film from the model: a doctor states what it shows, with a reason, and it is analysed."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from analyses.errors import Conflict, Invalid
from analyses.models import Analysis, Study
from analyses.pipeline import running, tag_correction
from analyses.tests.factories import result

pytestmark = pytest.mark.django_db
RIGHT = {"modality": "DX", "body_part_examined": "tibia", "reason": "wrong preset"}


@pytest.fixture
def refused(analyse, decoder):
    """A film that its tags kept from the model."""
    decoder.use = {"modality": "DX", "body_part_examined": "CHEST"}
    decoder.identity = {"modality": "DX", "body_part_examined": "CHEST", "patient_id": "R7"}
    return analyse()


def address(analysis: Analysis) -> str:
    return reverse("analyses:film_tags", args=[analysis.image.study_id, analysis.pk])


def test_the_case_page_leads_to_the_correction_and_the_correction_to_an_answer(client, doctor, refused, predictor):
    client.force_login(doctor)
    case = f"/cases/{refused.image.study_id}/"
    assert address(refused) in client.get(case).content.decode()
    page = client.get(address(refused)).content.decode()
    assert "Body part (0018,0015) is CHEST." in page
    assert client.post(address(refused), RIGHT).status_code == 302
    again = Analysis.objects.get(status="queued")
    assert running.run(again.pk, "w")
    again = Analysis.objects.select_related("image__study").get(pk=again.pk)
    assert (again.outcome, predictor.calls, again.image.study.outcome) == ("malignant", 1, "malignant")
    assert again.image.header["body_part_examined"] == "CHEST"  # the file stays as it is
    assert again.image.study.body_part_examined == "TIBIA"
    assert again.open_warnings == []
    assert address(refused) not in client.get(case).content.decode()


def test_the_correction_is_recorded_with_tags_reason_and_name(doctor, refused):
    tag_correction.correct_tags(refused, **RIGHT, user=doctor)
    event = AuditEvent.objects.get(action="correct_tags")
    assert (event.user, event.case_id) == (doctor, refused.image.study_id)
    assert event.detail["tags"] == ["CHEST"]
    assert (event.detail["body_part_examined"], event.detail["reason"]) == ("TIBIA", "wrong preset")
    kept = Analysis.objects.get(pk=refused.pk).image.corrected
    assert (kept["modality"], kept["body_part_examined"], kept["by"]) == ("DX", "TIBIA", str(doctor.pk))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"modality": "MG"}, "modality"),
        ({"body_part_examined": "SKULL"}, "body_part_examined"),
        ({"body_part_examined": ""}, "body_part_examined"),
        ({"reason": "  "}, "reason"),
    ],
)
def test_a_correction_needs_a_radiograph_a_bone_and_a_reason(client, doctor, refused, wrong, field):
    with pytest.raises(Invalid) as refusal:
        tag_correction.correct_tags(refused, **RIGHT | wrong, user=doctor)
    assert field in refusal.value.fields
    client.force_login(doctor)
    assert client.post(address(refused), RIGHT | wrong).status_code == 400
    assert not Analysis.objects.filter(status="queued").exists()


def test_a_film_that_no_tag_refused_and_one_already_corrected_have_nothing_to_correct(doctor, refused):
    other = result("not_analysable", image__study__owner=doctor.department)
    with pytest.raises(Conflict, match="do not keep it"):
        tag_correction.correct_tags(other, **RIGHT, user=doctor)
    tag_correction.correct_tags(refused, **RIGHT, user=doctor)
    with pytest.raises(Conflict, match="do not keep it"):
        tag_correction.correct_tags(refused, **RIGHT, user=doctor)
    assert Analysis.objects.filter(image=refused.image).count() == 2


def test_a_signed_case_is_not_corrected(client, doctor, refused):
    Study.objects.filter(pk=refused.image.study_id).update(reading_state="final")
    with pytest.raises(Conflict):
        tag_correction.correct_tags(refused, **RIGHT, user=doctor)
    client.force_login(doctor)
    assert address(refused) not in client.get(f"/cases/{refused.image.study_id}/").content.decode()


def test_details_that_did_not_come_from_the_wrong_tag_stay(doctor, refused):
    Study.objects.filter(pk=refused.image.study_id).update(body_part_examined="ANKLE")
    tag_correction.correct_tags(refused, **RIGHT, user=doctor)
    assert Study.objects.get(pk=refused.image.study_id).body_part_examined == "ANKLE"


def test_whoever_is_still_blind_learns_nothing_from_the_address(client, doctor, refused):
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    client.force_login(doctor)
    for answer in (client.get(address(refused)), client.post(address(refused), RIGHT)):
        assert (answer.status_code, answer["Location"]) == (302, f"/cases/{refused.image.study_id}/")
    assert not AuditEvent.objects.filter(action="correct_tags").exists()
