"""A department's reading templates: made, used, retired, and closed to others."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from analyses.errors import Conflict, Invalid
from analyses.models import ReadingTemplate, Review
from analyses.reading import templates as reading_templates
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import StudyFactory, result

ENCHONDROMA = Findings(number="one", margin="IA", matrix="chondroid")


@pytest.fixture
def web(doctor) -> Client:
    client = Client()
    client.force_login(doctor)
    return client


@pytest.fixture
def template(doctor) -> ReadingTemplate:
    return reading_templates.save_template(
        doctor,
        name="Enchondroma",
        body_part="hand",
        findings=ENCHONDROMA,
        impression="Enchondroma, unchanged.",
        recommendation="follow_up",
        recommendation_months=12,
    )


def test_a_template_is_made_on_its_page_listed_and_changed(web, doctor):
    sent = {"name": "Cyst", "body_part": "humerus", "number": "one", "margin": "IB", "impression": "Simple bone cyst."}
    assert web.post("/templates/new/", sent).status_code == 302
    template = ReadingTemplate.objects.get()
    assert template.department_id == doctor.department_id
    assert template.findings == {"number": "one", "margin": "IB"}
    text = web.get("/templates/").content.decode()
    assert "Cyst" in text
    assert "Geographic, sharply defined" in text
    assert web.post(f"/templates/{template.pk}/", sent | {"margin": "IA"}).status_code == 302
    template.refresh_from_db()
    assert template.findings["margin"] == "IA"


def test_a_department_has_one_template_in_use_of_each_name(web, template, doctor):
    answer = web.post("/templates/new/", {"name": "Enchondroma"})
    assert answer.status_code == 400
    assert "already has a template with this name" in answer.content.decode()
    reading_templates.retire_template(template, doctor)
    assert web.post("/templates/new/", {"name": "Enchondroma"}).status_code == 302


def test_a_template_with_an_impossible_recommendation_is_refused_at_its_field(doctor):
    with pytest.raises(Invalid) as caught:
        reading_templates.save_template(doctor, name="x", findings=Findings(), recommendation="follow_up")
    assert list(caught.value.fields) == ["recommendation_months"]


def test_a_template_fills_what_is_empty_keeps_what_was_typed_and_saves_nothing(web, template, department):
    study = StudyFactory(owner=department, body_part_examined="HAND")
    result("benign", study=study)
    sent = {"action": "template", "template": str(template.pk), "margin": "II", "impression": "My own words."}
    answer = web.post(f"/cases/{study.pk}/reading/", sent)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert '<option value="II" selected>' in text
    assert '<option value="chondroid" selected>' in text
    assert '<option value="follow_up" selected>' in text
    assert 'value="12"' in text
    assert "My own words." in text
    assert "Enchondroma, unchanged." not in text
    assert "errorlist" not in text
    assert not Review.objects.exists()


def test_the_templates_of_the_body_part_come_first_and_retired_ones_not_at_all(web, template, doctor, department):
    reading_templates.save_template(doctor, name="Any part", findings=Findings())
    gone = reading_templates.save_template(doctor, name="Gone", findings=Findings())
    reading_templates.retire_template(gone, doctor)
    study = StudyFactory(owner=department, body_part_examined="HAND")
    result("benign", study=study)
    text = web.get(f"/cases/{study.pk}/").content.decode()
    assert text.index(">Enchondroma<") < text.index(">Any part<")
    assert ">Gone<" not in text
    sent = {"action": "template", "template": str(gone.pk)}
    assert web.post(f"/cases/{study.pk}/reading/", sent).status_code == 404


def test_another_departments_template_is_neither_offered_nor_found(template, second_doctor, other_department):
    web = Client()
    web.force_login(second_doctor)
    study = StudyFactory(owner=other_department)
    result("benign", study=study)
    assert ">Enchondroma<" not in web.get(f"/cases/{study.pk}/").content.decode()
    assert web.get(f"/templates/{template.pk}/").status_code == 404
    sent = {"action": "template", "template": str(template.pk)}
    assert web.post(f"/cases/{study.pk}/reading/", sent).status_code == 404


def test_a_retired_template_is_not_changed_any_more(template, doctor):
    reading_templates.retire_template(template, doctor)
    with pytest.raises(Conflict):
        reading_templates.save_template(doctor, name="Again", findings=Findings(), template=template)
    with pytest.raises(Conflict):
        reading_templates.retire_template(template, doctor)


@pytest.mark.parametrize("who", ["clerk", "api_client", "administrator", "auditor"])
def test_only_doctors_make_templates(request, who):
    with pytest.raises(PermissionDenied):
        reading_templates.save_template(request.getfixturevalue(who), name="x", findings=Findings())
