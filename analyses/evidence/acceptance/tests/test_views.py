"""The pages of site acceptance: set up, hand in films, start, figures, accept, take back."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from analyses.evidence.acceptance import running, sets
from analyses.evidence.acceptance.tests.test_acceptance import (  # noqa: F401 (fixtures)
    CUTS,
    closed_case,
    films,
    make,
    model,
    stored,
    table,
)
from analyses.models import AcceptanceRun, SiteAcceptance
from analyses.pipeline import queue
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS as USE
from analyses.tests.factories import StudyFactory, result
from analyses.tests.toy_model import TOY

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(administrator, monkeypatch) -> Client:
    monkeypatch.setattr(queue, "send", lambda task, argument: None)
    client = Client()
    client.force_login(administrator)
    return client


def page(run) -> str:
    return reverse("analyses:acceptance_run", args=[run.pk])


def uploaded(names=(8, 4)) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(film.name, film.read()) for film in films(*names)]


def set_up(admin, department, **fields):
    labels = SimpleUploadedFile("labels.csv", table())
    data = {"department": department.pk, "model": TOY, "films_from": "files", "labels": labels}
    return admin.post(reverse("analyses:acceptances"), data | fields)


def test_from_the_label_file_to_an_accepted_model_and_back(admin, department, model):  # noqa: F811
    said = admin.get(reverse("analyses:acceptances")).content.decode()
    assert "No acceptance yet" in said
    assert "not accepted" in said
    answer = set_up(admin, department)
    run = AcceptanceRun.objects.get()
    assert answer.url == page(run)
    assert "0 of 12 films received" in admin.get(page(run)).content.decode()
    late = admin.post(reverse("analyses:acceptance_start", args=[run.pk]), follow=True)
    assert "12 of 12 rows" in late.content.decode()
    sent = admin.post(reverse("analyses:acceptance_films", args=[run.pk]), {"films": uploaded()}, follow=True)
    assert "12 films received." in sent.content.decode()
    started = admin.post(reverse("analyses:acceptance_start", args=[run.pk]), follow=True).content.decode()
    assert "0 of 12 films" in started
    running.run_slice(run.pk)
    said = admin.get(page(run)).content.decode()
    for text in ("False alarms", "rule met", "Drift from the model card", "Accept the model", "at most 0.20"):
        assert text in said
    accept = {"cut_offs": "card", "reason": "tried on our films"}
    said = admin.post(reverse("analyses:acceptance_accept", args=[run.pk]), accept, follow=True).content.decode()
    row = SiteAcceptance.objects.get()
    assert "tried on our films" in said
    assert row.cut_offs["name"] == "balanced"
    withdraw = reverse("analyses:acceptance_withdraw", args=[row.pk])
    assert admin.post(withdraw, {"reason": ""}).status_code == 400
    said = admin.post(withdraw, {"reason": "new detector"}, follow=True).content.decode()
    assert "new detector" in said
    assert "Accept the model" in said
    assert admin.post(withdraw, {"reason": "again"}).status_code == 409
    assert "new detector" in admin.get(reverse("analyses:acceptances")).content.decode()


def test_local_cut_offs_can_be_accepted_and_others_cannot(admin, make):  # noqa: F811
    run = make()
    accept = reverse("analyses:acceptance_accept", args=[run.pk])
    assert admin.post(accept, {"cut_offs": "mine", "reason": "x"}).status_code == 400
    admin.post(accept, {"cut_offs": "local", "reason": "x"})
    assert SiteAcceptance.objects.get().cut_offs["name"] == "local"
    assert admin.post(accept, {"cut_offs": "local", "reason": "x"}).status_code == 409


def test_a_run_that_does_not_meet_the_rule_offers_nothing(admin, make):  # noqa: F811
    run = make(missed=2)
    said = admin.get(page(run)).content.decode()
    assert "rule not met" in said
    assert "Accept the model" not in said
    answer = admin.post(reverse("analyses:acceptance_accept", args=[run.pk]), {"cut_offs": "card", "reason": "x"})
    assert answer.status_code == 400
    assert not SiteAcceptance.objects.exists()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"labels": ""}, "Choose the label file."),
        ({"labels": SimpleUploadedFile("l.csv", table(clear=5))}, "5 tumour-free films and 4"),
        ({"labels": SimpleUploadedFile("l.csv", table(ill=0))}, "an acceptance needs both"),
        ({"labels": SimpleUploadedFile("l.csv", b"")}, "no row below its header"),
        ({"films_from": "cases", "labels": ""}, "0 tumour-free films and 0"),
        ({"model": "none-1"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_set_up_says_why(admin, department, model, fields, text):  # noqa: F811
    answer = set_up(admin, department, **fields)
    assert answer.status_code == 400
    assert text in answer.content.decode()


def test_a_script_hears_what_became_of_its_films(admin, department, administrator, model):  # noqa: F811
    run = sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator)
    url = reverse("analyses:acceptance_films", args=[run.pk])
    other = SimpleUploadedFile("other.png", b"x")
    answer = admin.post(url, {"films": [*uploaded()[:2], other]}, headers={"accept": "application/json"})
    assert answer.json() == {"stored": 2, "unknown": 1, "refused": 0, "doubled": 0, "lacking": 10}
    assert admin.post(url, {}, headers={"accept": "application/json"}).status_code == 400
    assert admin.post(url, {}).status_code == 400
    admin.post(reverse("analyses:acceptance_cancel", args=[run.pk]))
    late = admin.post(url, {"films": uploaded()[:1]}, headers={"accept": "application/json"})
    assert (late.status_code, late.json()["code"]) == (409, "not_collecting")
    assert stored() == []
    assert "Its films are deleted" in admin.get(page(run)).content.decode() or "Cancelled" in page(run)


def test_a_failed_run_says_why_in_german_too(admin, make, administrator):  # noqa: F811
    run = make()
    text = "4 of 12 films are among the films that the model learnt from. Use films of this site."
    AcceptanceRun.objects.update(status="failed", error_code="training_films", error_message=text, result=None)
    assert text in admin.get(page(run)).content.decode()
    administrator.language = "de"
    administrator.save()
    assert "4 von 12 Aufnahmen gehören zu den Trainingsaufnahmen" in admin.get(page(run)).content.decode()


def test_cases_make_a_set_without_upload(admin, department, doctor, model):  # noqa: F811
    for truth in ["normal"] * 6 + ["malignant"] * 2:
        closed_case(department, doctor, truth)
    set_up(admin, department, films_from="cases", labels="")
    run = AcceptanceRun.objects.get()
    assert (run.status, run.films.count()) == ("queued", 8)


# --- what others see ---------------------------------------------------------------------------------------------
def test_case_page_and_api_say_that_the_model_is_not_accepted(doctor, department):
    client = Client()
    client.force_login(doctor)
    study = StudyFactory(owner=department)
    answer = result("malignant", study=study, site_acceptance="not_accepted", operating_point=CUTS)
    said = client.get(reverse("analyses:case", args=[study.pk])).content.decode()
    assert "Not accepted at this site" in said
    told = client.get(reverse("api:analysis-detail", args=[answer.pk])).json()
    assert told["site_acceptance"] == "not_accepted"
    answer.site_acceptance = "accepted"
    answer.save()
    assert "Not accepted at this site" not in client.get(reverse("analyses:case", args=[study.pk])).content.decode()
    assert (
        json.dumps(client.get(reverse("api:analysis-detail", args=[answer.pk])).json()["site_acceptance"])
        == '"accepted"'
    )


def test_the_report_says_that_the_model_is_not_accepted(department):
    from django.template.loader import render_to_string

    from analyses.reports.content import _film

    answer = result("benign", study=StudyFactory(owner=department), site_acceptance="not_accepted")
    html = render_to_string("analyses/reports/_answer.html", {"film": _film(1, answer)})
    assert "Not accepted at this site." in html
    kept_back = result("withheld", study=StudyFactory(owner=department), site_acceptance="not_accepted")
    kept_back.withheld_reasons = ["not_accepted_at_site"]
    html = render_to_string("analyses/reports/_answer.html", {"film": _film(1, kept_back)})
    assert "Not accepted at this site." not in html
    assert "The model has not been accepted in this department." in html
