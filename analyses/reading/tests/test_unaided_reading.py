"""The unaided reading before the model's answer: opened, kept, locked once, revealed as it stood, then compared."""

import uuid

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, Invalid
from analyses.models import Analysis, ReadingRevision, Report, Study, UnaidedReading
from analyses.pipeline import queue, summary
from analyses.pipeline.reanalysis import reanalyse_case
from analyses.pipeline.results import join_same_examination
from analyses.reading import services as reading
from analyses.reading import unaided_reading
from analyses.record import cases
from analyses.reports import services as reports
from analyses.structured_reading.signature import content_sha256
from analyses.tests.factories import ADVISED, AnalysisFactory, ImageFactory, result
from analyses.worklist import assignment

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(doctor) -> Study:
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    return result("malignant", image__study__owner=doctor.department).image.study


def locked(study: Study, doctor, **values) -> UnaidedReading:
    unaided_reading.open_reading(study, doctor)
    return unaided_reading.lock_reading(study, doctor, **({"reading": "benign", "likelihood": 20} | values))


def refusal(call, *args, **values) -> str:
    with pytest.raises((Conflict, Invalid)) as refused:
        call(*args, **values)
    assert refused.value.message.endswith(".")
    return refused.value.code


def test_a_reading_is_opened_once_and_keeps_its_mode(study, doctor):
    unaided = unaided_reading.open_reading(study, doctor)
    doctor.department.reading_mode = "at_once"
    doctor.department.save()
    assert unaided_reading.open_reading(study, doctor) == unaided
    assert unaided.mode == "own_first"
    assert not unaided.arm
    event = AuditEvent.objects.get(action="open_own_reading")
    assert (event.case_id, event.detail) == (study.pk, {"mode": "own_first"})


def test_a_department_that_sees_the_answer_at_once_has_no_unaided_reading(study, doctor):
    doctor.department.reading_mode = "at_once"
    doctor.department.save()
    assert refusal(unaided_reading.open_reading, study, doctor) == "shown_at_once"


def test_a_signed_case_takes_no_unaided_reading(study, doctor):
    unaided_reading.open_reading(study, doctor)
    Study.objects.filter(pk=study.pk).update(reading_state="final")
    assert refusal(unaided_reading.lock_reading, study, doctor, reading="normal", likelihood=1) == "already_signed"
    colleague = UserFactory(department=doctor.department, roles=["doctor"])
    assert refusal(unaided_reading.open_reading, study, colleague) == "already_signed"


def test_a_draft_may_be_incomplete_and_is_kept(study, doctor):
    assert refusal(unaided_reading.keep_draft, study, doctor, likelihood=30) == "not_open"
    unaided_reading.open_reading(study, doctor)
    unaided_reading.keep_draft(study, doctor, likelihood=30)
    kept = UnaidedReading.objects.get()
    assert (kept.reading, kept.likelihood, kept.locked_at) == ("", 30, None)
    unaided_reading.keep_draft(study, doctor, reading="cannot_tell", likelihood=30)
    assert UnaidedReading.objects.get().likelihood is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reading": "", "likelihood": 5}, "reading"),
        ({"reading": "odd", "likelihood": 5}, "reading"),
        ({"reading": "benign"}, "likelihood"),
        ({"reading": "benign", "likelihood": 101}, "likelihood"),
        ({"reading": "benign", "likelihood": -1}, "likelihood"),
        ({"reading": "benign", "likelihood": 5, "region": {"image": "x", "box": [0, 0, 1, 1]}}, "region"),
        ({"reading": "benign", "likelihood": 5, "region": {"image": str(uuid.uuid4()), "box": [0, 0, 1, 1]}}, "region"),
    ],
)
def test_an_incomplete_reading_is_not_locked(study, doctor, values, field):
    unaided_reading.open_reading(study, doctor)
    with pytest.raises(Invalid) as refused:
        unaided_reading.lock_reading(study, doctor, **values)
    assert list(refused.value.fields) == [field]
    assert UnaidedReading.objects.get().locked_at is None


@pytest.mark.parametrize("box", [[0.5, 0, 0.5, 1], [0, 0, 1.2, 1], [0, 0, 1], [0, float("nan"), 1, 1], "abcd", None])
def test_a_region_lies_on_a_film(study, doctor, box):
    unaided_reading.open_reading(study, doctor)
    region = {"image": str(study.images.get().pk), "box": box}
    call = unaided_reading.lock_reading
    assert refusal(call, study, doctor, reading="benign", likelihood=5, region=region) == "bad_field"


def test_the_lock_is_hashed_audited_and_holds(study, doctor):
    region = {"image": str(study.images.get().pk), "box": [0.1, 0.2, 0.3, 0.45678]}
    unaided = locked(study, doctor, region=region)
    unaided.refresh_from_db()
    assert unaided.region["box"] == [0.1, 0.2, 0.3, 0.4568]
    assert unaided.locked_sha256 == content_sha256(unaided_reading.locked_content(unaided))
    assert unaided.revealed_at == unaided.locked_at
    event = AuditEvent.objects.get(action="lock_own_reading")
    assert event.detail == {"sha256": unaided.locked_sha256, "reading": "benign"}
    # The same again, as a second click or a second tab sends it, changes nothing; another content is refused.
    again = unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20, region=region)
    assert again.locked_at == unaided.locked_at
    assert AuditEvent.objects.filter(action="lock_own_reading").count() == 1
    assert (
        refusal(unaided_reading.lock_reading, study, doctor, reading="malignant", likelihood=80) == "own_reading_locked"
    )
    assert refusal(unaided_reading.keep_draft, study, doctor, reading="malignant") == "own_reading_locked"
    assert UnaidedReading.objects.get().reading == "benign"


def test_cannot_tell_has_no_likelihood(study, doctor):
    assert locked(study, doctor, reading="cannot_tell", likelihood=50).likelihood is None


def test_a_deactivated_reader_locks_nothing(study, doctor):
    unaided_reading.open_reading(study, doctor)
    doctor.is_active = False
    doctor.save()
    with pytest.raises(PermissionDenied):
        unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20)
    # A colleague reads the case all the same.
    colleague = UserFactory(department=doctor.department, roles=["doctor"])
    assert locked(study, colleague).is_locked


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite relies on the models")
@pytest.mark.parametrize(
    "change", [{"reading": "malignant"}, {"likelihood": 99}, {"locked_at": None}, {"arm": "shown"}, {"answer": {}}]
)
def test_the_database_refuses_to_change_a_locked_reading(study, doctor, change):
    unaided = locked(study, doctor)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        UnaidedReading.objects.filter(pk=unaided.pk).update(**change)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        UnaidedReading.objects.filter(pk=unaided.pk).delete()


def test_the_answer_of_the_lock_is_kept_with_everything_it_was(study, doctor):
    unaided = locked(study, doctor)
    analysis = Analysis.objects.get()
    answer = unaided.answer
    assert (answer["complete"], answer["outcome"], answer["malignant_probability"]) == (True, "malignant", 0.8)
    film = answer["films"][0]
    assert film["analysis"] == str(analysis.pk)
    assert film["probabilities"] == analysis.probabilities
    assert film["model"] == {"name": "bonescan-test", "version": "0.0", "sha256": "c" * 64}
    assert film["operating_point"]["malignant"] == 0.3


@pytest.mark.parametrize("outcome", ["withheld", "not_analysable", "failed"])
def test_a_case_without_an_answer_is_read_and_signed(doctor, outcome):
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    study = result(outcome, image__study__owner=doctor.department).image.study
    unaided = locked(study, doctor)
    assert unaided.answer["complete"]
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    assert reading.sign(study, doctor).agrees_with_model is None
    assert ReadingRevision.objects.get().direction == "no_answer"


def test_the_answer_that_was_running_at_the_lock_is_kept_when_it_comes(study, doctor):
    film = ImageFactory(study=study)
    running = AnalysisFactory(image=film)
    summary.summarise(study)
    unaided = locked(study, doctor)
    assert not unaided.answer["complete"]
    assert unaided.revealed_at is None
    claim = queue.claim(running.pk, "w")
    assert claim is not None
    queue.fail(claim, "unreadable", "Export it again.")
    unaided.refresh_from_db()
    assert unaided.answer["complete"]
    assert unaided.answer["outcome"] == "malignant"
    assert unaided.answer["films"][1]["error_code"] == "unreadable"
    assert unaided.revealed_at is not None


def test_a_second_analysis_that_fails_after_the_lock_leaves_the_earlier_answer_of_the_film(study, doctor):
    first = Analysis.objects.get()
    reanalyse_case(study.pk)
    unaided = locked(study, doctor)
    assert not unaided.answer["complete"]
    again = Analysis.objects.exclude(pk=first.pk).get()
    claim = queue.claim(again.pk, "w")
    assert claim is not None
    queue.fail(claim, "unreadable", "Export it again.")
    unaided.refresh_from_db()
    assert unaided.answer["complete"]
    assert unaided.answer["outcome"] == "malignant"
    assert [film["analysis"] for film in unaided.answer["films"]] == [str(first.pk)]
    review = reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, agrees_with_model=True)
    assert review.model_outcome == "malignant"


def test_a_newer_answer_changes_nothing_of_what_is_compared_signed_and_reported(study, doctor):
    first = Analysis.objects.get()
    locked(study, doctor)
    reanalyse_case(study.pk)
    newer = Analysis.objects.exclude(pk=first.pk)
    newer.update(status="succeeded", stage="done", outcome="normal", malignant_probability=0.01)
    summary.summarise(study)
    study.refresh_from_db()
    assert study.outcome == "normal"
    review = reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, agrees_with_model=True)
    assert review.model_outcome == "malignant"
    signed = reading.sign(study, doctor)
    assert signed.agrees_with_model
    study.refresh_from_db()
    report = reports.issue_report(study, doctor)
    assert report.kind == "final"
    assert ReadingRevision.objects.get().direction == "towards"


def test_the_final_reading_waits_for_the_lock(study, doctor):
    assert refusal(reading.save_reading, study, user=doctor, reading="benign") == "read_first"
    unaided_reading.open_reading(study, doctor)
    assert refusal(reading.save_reading, study, user=doctor, reading="benign") == "read_first"
    assert refusal(reports.issue_report, study, doctor) == "read_first"
    unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20)
    reading.save_reading(study, user=doctor, reading="benign")
    assert reading.sign(study, doctor).is_signed


def test_a_draft_from_before_the_mode_changed_is_not_signed_without_an_unaided_reading(doctor, study):
    doctor.department.reading_mode = "at_once"
    doctor.department.save()
    reading.save_reading(study, user=doctor, reading="benign")
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    assert refusal(reading.sign, study, doctor) == "read_first"


def test_a_reading_that_is_open_when_the_mode_changes_still_has_to_be_locked(doctor, study):
    unaided_reading.open_reading(study, doctor)
    doctor.department.reading_mode = "at_once"
    doctor.department.save()
    assert refusal(reading.save_reading, study, user=doctor, reading="benign") == "read_first"
    unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20)
    assert reading.save_reading(study, user=doctor, reading="benign").reading == "benign"


def test_the_revision_and_the_times_are_recorded_at_the_signature(study, doctor):
    unaided = unaided_reading.open_reading(study, doctor)
    unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20)
    reading.save_reading(study, user=doctor, reading="malignant", likelihood=85, structure=ADVISED)
    before = timezone.now()
    reading.sign(study, doctor)
    unaided.refresh_from_db()
    change = ReadingRevision.objects.get()
    assert (change.reading, change.likelihood, change.direction, change.answer_seen) == (
        "malignant",
        85,
        "towards",
        True,
    )
    assert change.unaided_reading_ms == round((unaided.locked_at - unaided.opened_at).total_seconds() * 1000)
    assert change.signed_at >= before
    assert change.final_reading_ms == round((change.signed_at - unaided.revealed_at).total_seconds() * 1000)
    assert AuditEvent.objects.get(action="compare_readings").detail == {"changed": True, "direction": "towards"}
    with pytest.raises(TypeError):
        change.save()


def test_a_hidden_answer_is_revealed_by_the_signature_and_reported(study, doctor):
    unaided = locked(study, doctor)
    hidden = UnaidedReading.objects.create(
        study=study,
        reader=UserFactory(department=doctor.department, roles=["doctor"]),
        mode="trial",
        arm="hidden",
        reading="benign",
        likelihood=10,
        opened_at=unaided.opened_at,
        locked_at=unaided.locked_at,
        answer=unaided.answer,
    )
    reader = hidden.reader
    assignment.take_over(study, reader)
    reading.save_reading(study, user=reader, reading="benign")
    assert refusal(reports.issue_report, study, reader) == "read_first"
    signed = reading.sign(study, reader)
    assert signed.agrees_with_model is False
    hidden.refresh_from_db()
    assert hidden.revealed_at == signed.signed_at
    assert not ReadingRevision.objects.get().answer_seen
    study.refresh_from_db()
    assert Report.objects.filter(study=study).exists() or reports.issue_report(study, reader)


def test_a_case_whose_reading_is_open_is_not_dissolved_by_a_file_that_names_another(study, doctor):
    """A header may say that a film belongs to another examination; the case that is being read stays."""
    target = result(
        "benign", image__study__owner=doctor.department, image__study__study_instance_uid="1.2.3"
    ).image.study
    Study.objects.filter(pk=target.pk).update(patient=study.patient)
    study = cases.lock(study.pk)
    image, header = study.images.get(), {"study_instance_uid": "1.2.3"}
    unaided_reading.open_reading(study, doctor)
    assert join_same_examination(study, image, header, []) == (study, None)
    assert study.unaided_readings.exists()
