"""The status page for administrators."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analyses.models import ProcessSeen
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result

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
        "Running",
        "sweeper-1",
        "Not seen recently",
        "free of",
    ):
        assert words in text
    for secret in ("SECRET-1", "HIDDEN", "SECRET-2"):
        assert secret not in text


def test_the_status_page_says_when_nothing_works_the_queue(client, administrator):
    client.force_login(administrator)
    text = client.get("/status/").content.decode()
    assert "No worker has been seen recently" in text
    assert "The queue is empty." in text


@pytest.mark.parametrize("role", ["doctor", "clerk", "api_client", "auditor"])
def test_only_administrators_see_the_status_page(client, request, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get("/status/").status_code == 403
