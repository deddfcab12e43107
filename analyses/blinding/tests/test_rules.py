"""The rules of blindness as tables: who is blind in every state of a reading, and what a blind copy may still hold."""

import itertools

import pytest
from django.utils import timezone

from accounts.models import ReadingMode
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import ANSWER_FIELDS, hidden_among, hidden_cases, hidden_from, without_answer
from analyses.models import Analysis, Arm, Study, UnaidedReading
from analyses.tests.factories import WITHHELD, result

pytestmark = pytest.mark.django_db
# What an analysis holds that is the same whatever the model answered.
NEUTRAL = {
    *("id", "image", "department", "requested_by", "api_token", "status", "stage", "request_id", "task", "modality"),
    *("created_at", "queued_at", "woken_at", "retry_after", "started_at", "finished_at", "attempts"),
    *("lease_token", "lease_expires_at", "worker", "error_code", "error_message", "warnings"),
    # Of the file alone; ``computed`` is read by no page.
    *("input_sha256", "input_stats", "canonical_sha256", "computed"),
}


@pytest.mark.parametrize(
    ("mode", "arm", "locked", "signed"),
    list(itertools.product(ReadingMode.values, ["", Arm.SHOWN, Arm.HIDDEN], [False, True], [False, True])),
)
def test_a_reading_that_was_opened_keeps_its_rule_whatever_the_department_does_later(doctor, mode, arm, locked, signed):
    study = result("malignant", image__study__owner=doctor.department).image.study
    now = timezone.now()
    opened = ReadingMode.TRIAL if arm else ReadingMode.OWN_FIRST
    UnaidedReading.objects.create(
        study=study, reader=doctor, mode=opened, arm=arm, opened_at=now, locked_at=now if locked else None
    )
    doctor.department.reading_mode = mode
    doctor.department.save()
    Study.objects.filter(pk=study.pk).update(reading_state="final" if signed else "preliminary")
    study.refresh_from_db()

    hidden = not signed and (not locked or arm == Arm.HIDDEN)
    assert CaseState(study, doctor).is_blind is hidden
    assert Study.objects.filter(hidden_cases(doctor), pk=study.pk).exists() is hidden
    assert (study.pk in hidden_among(doctor, [study.pk])) is hidden
    assert (study.pk in hidden_from(doctor)) is hidden
    assert Analysis.objects.filter(hidden_cases(doctor, "image__study")).exists() is hidden


@pytest.mark.parametrize("outcome", ["normal", "benign", "malignant", "withheld", "not_analysable"])
def test_a_blind_copy_holds_nothing_that_depends_on_the_answer(doctor, outcome):
    """Times of the stages among it: a film that was refused was not classified."""
    fields = {"subtypes": [["x", 1.0]], "regions": [{}], "distance": 1.0, "computed": {}, "wanted_model": "m"}
    row = result(outcome, image__study__owner=doctor.department, **fields)
    if outcome == "withheld":
        assert row.leaning == WITHHELD["leaning"]
    blind = without_answer(row)
    for name, value in ANSWER_FIELDS.items():
        assert getattr(blind, name) == value, name
    assert blind.timings_ms == {}
    row.refresh_from_db()
    assert row.timings_ms, "the record itself keeps them"


def test_every_column_of_an_analysis_is_known_to_be_an_answer_or_neutral():
    columns = {field.name for field in Analysis._meta.concrete_fields}
    assert columns - set(ANSWER_FIELDS) - NEUTRAL == set()
    assert set(ANSWER_FIELDS) <= columns
    assert set(ANSWER_FIELDS) & NEUTRAL == set()
