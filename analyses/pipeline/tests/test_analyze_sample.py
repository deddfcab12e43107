"""The first case that a newcomer sees."""

from io import StringIO

import pytest
from django.core.management import call_command

from analyses.models import Analysis
from analyses.pipeline import running

pytestmark = pytest.mark.django_db


def sample() -> str:
    out = StringIO()
    call_command("analyze_sample", stdout=out)
    return out.getvalue()


@pytest.mark.slow
def test_the_sample_is_analysed_once_by_the_shipped_model(doctor, monkeypatch):
    monkeypatch.setattr(running, "_process", {})
    first = sample()
    analysis = Analysis.objects.get()
    study = analysis.image.study
    assert (analysis.status, analysis.error_code) == ("succeeded", "")
    assert (study.patient.patient_id, study.modality, study.laterality) == ("11RG3", "CR", "R")
    assert analysis.open_warnings == []
    assert sample() == first
    assert Analysis.objects.count() == 1


def test_without_a_doctor_the_sample_is_left_out(department):
    assert "skipped" in sample()
    assert not Analysis.objects.exists()
