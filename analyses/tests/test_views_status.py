"""The status page for administrators and the model's card for everybody."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analyses.models import ProcessSeen
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result
from analyses.views.model_card import figures_of
from inference.card import load_card

pytestmark = pytest.mark.django_db


def test_the_status_page_shows_queue_processes_and_failures_without_patient_data(client, administrator, department):
    patient = PatientFactory(department=department, patient_id="SECRET-1", patient_name="HIDDEN^NAME")
    study = StudyFactory(patient=patient, owner=department, accession_number="SECRET-2")
    AnalysisFactory(image=ImageFactory(study=study), queued_at=timezone.now() - timedelta(minutes=90))
    result("failed", study=study)
    now = timezone.now()
    ProcessSeen.objects.create(kind="worker", name="worker-1", started_at=now, seen_at=now)
    ProcessSeen.objects.create(kind="sweeper", name="sweeper-1", started_at=now, seen_at=now - timedelta(hours=1))
    client.force_login(administrator)
    text = client.get("/status/").content.decode()
    for words in (
        "waited 90 min",
        "1 waiting",
        "unreadable",
        "worker-1",
        "Alive",
        "sweeper-1",
        "Not seen lately",
        "free of",
    ):
        assert words in text
    for secret in ("SECRET-1", "HIDDEN", "SECRET-2"):
        assert secret not in text


def test_the_status_page_says_when_nothing_works_the_queue(client, administrator):
    client.force_login(administrator)
    text = client.get("/status/").content.decode()
    assert "No worker has been seen" in text
    assert "The queue is empty." in text


@pytest.mark.parametrize("role", ["doctor", "clerk", "api_client", "auditor"])
def test_only_administrators_see_the_status_page(client, request, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get("/status/").status_code == 403


@pytest.mark.parametrize("role", ["doctor", "clerk", "api_client", "administrator", "auditor"])
def test_everybody_may_read_the_model_card(client, request, role):
    card = load_card()
    client.force_login(request.getfixturevalue(role))
    response = client.get("/model/")
    text = response.content.decode()
    assert f"{card['name']} {card['version']}" in text
    assert card["weights"]["sha256"] in text
    assert len(response.context["card"]["limits"]) == len(card["limits"])


def test_a_card_without_figures_warns(client, doctor, monkeypatch):
    card = {key: value for key, value in load_card().items() if key != "figures"}
    monkeypatch.setattr("analyses.views.status.load_card", lambda: card)
    client.force_login(doctor)
    assert "has not been evaluated" in client.get("/model/").content.decode()


def test_a_figure_stands_on_the_page_with_its_interval_and_how_it_was_measured(client, doctor, monkeypatch):
    figure = {"estimate": 0.812, "low": 0.701, "high": 0.9, "n": 551}
    card = load_card() | {"figures": {"malignant_auroc": figure}, "evaluation": {"part": "test", "films": 551}}
    monkeypatch.setattr("analyses.views.status.load_card", lambda: card)
    client.force_login(doctor)
    text = client.get("/model/").content.decode()
    for words in ("AUROC, malignant", "0.812", "0.701 to 0.900", "551", "Films", "has not been evaluated"):
        assert (words in text) == (words != "has not been evaluated")


def test_every_figure_of_the_card_is_shown_with_its_interval():
    figures = figures_of(
        {"macro_auroc": {"estimate": 0.9, "low": 0.8, "high": 0.95, "n": 551}, "recall": {"benign": {"estimate": 1.0}}}
    )
    assert [(figure["name"], figure["estimate"], figure["low"]) for figure in figures] == [
        ("Macro AUROC", 0.9, 0.8),
        ("recall, benign", 1.0, None),
    ]
