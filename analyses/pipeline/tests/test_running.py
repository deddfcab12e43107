"""One analysis from claim to end: what is stored, what is refused, and what happens when something breaks."""

import hashlib

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone

from accounts.models import AuditEvent
from analyses import tasks
from analyses.case_page import corrections
from analyses.errors import StorageFull
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis, Patient, SecondReading, Study, UnaidedReading
from analyses.pipeline import queue, running
from analyses.record import storage
from analyses.tests.factories import PatientFactory, png_bytes
from analyses.tests.fakes import DEEP, GREY
from inference.errors import DecodeError
from inference.imaging.canonical import canonical_sha256
from inference.imaging.display import unpack

pytestmark = pytest.mark.django_db
HEADER = {"patient_id": "R1", "patient_name": "DOE JANE", "patient_birth_date": "1980-01-02", "patient_sex": "F"}


def derived_files() -> list[str]:
    found = []
    for folder in ("canonical", "display", "saliency"):
        try:
            found += [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]]
        except FileNotFoundError:
            continue
    return sorted(found)


def test_a_result_can_be_replayed_from_what_is_stored(analyse):
    done = analyse()
    image = done.image
    assert (done.status, done.stage, done.outcome, done.malignant_probability) == (
        "succeeded",
        "done",
        "malignant",
        0.7,
    )
    assert (done.model_name, done.model_version, done.model_sha256) == ("m", "1", "f" * 64)
    assert done.input_sha256 == image.original_sha256 == hashlib.sha256(storage.read(image.original_file)).hexdigest()
    assert done.canonical_sha256 == image.canonical_sha256 == canonical_sha256(GREY)
    assert done.preprocessing_version == "1"
    assert set(done.timings_ms) == {"waiting", "decoding", "checking", "classifying", "explaining"}
    assert done.lease_token is None
    assert done.finished_at >= done.started_at


def test_the_canonical_image_and_the_saliency_map_are_stored_and_the_film_described(analyse):
    done = analyse()
    image = done.image
    assert derived_files() == sorted([image.canonical_file, image.display_file, done.saliency_file])
    assert (image.file_format, image.width_px, image.height_px) == ("png", 128, 160)
    assert (image.canonical_width_px, image.canonical_height_px) == (64, 80)
    assert (image.pixel_spacing_mm, image.spacing_source) == ([0.1, 0.1], "calibrated")


def test_the_case_learns_the_result_and_the_trail_has_it(analyse):
    study = analyse().image.study
    assert (study.status, study.outcome, study.malignant_probability, study.revision) == (
        "succeeded",
        "malignant",
        0.7,
        2,
    )
    assert AuditEvent.objects.get(action="result").detail == {"status": "succeeded", "outcome": "malignant"}


def test_running_a_message_twice_changes_nothing(analyse, predictor):
    done = analyse()
    assert not running.run(done.pk, "w")
    assert predictor.calls == 1


def test_analysing_again_uses_the_stored_canonical_image_again(analyse, doctor):
    first = analyse()
    upload = ContentFile(storage.read(first.image.original_file))
    again = intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields(), again=True).analysis
    running.run(again.pk, "w")
    again.refresh_from_db()
    assert again.status == "succeeded"
    for folder in ("canonical", "display"):
        assert len([name for name in derived_files() if name.startswith(folder)]) == 1


def test_the_values_for_the_viewer_are_stored_with_their_description(analyse):
    image = analyse().image
    assert (image.display["source"], image.display["rows"], image.display["columns"]) == ("values", 160, 128)
    assert (unpack(storage.read(image.display_file), 160, 128) == DEEP).all()


@pytest.mark.parametrize("source", ["typed", "file"])
def test_a_modality_without_a_model_is_read_and_shown_but_not_judged(analyse, decoder, predictor, source):
    decoder.modality = "MR" if source == "file" else ""
    done = analyse(CaseFields(modality="MR") if source == "typed" else None)
    assert (done.status, done.outcome, done.reason_code) == ("succeeded", "not_analysable", "outside_intended_use")
    assert done.probabilities is None
    assert done.image.canonical_file
    assert (predictor.calls, done.image.modality) == (0, "MR")


def test_an_animals_film_is_shown_and_remarked_on_but_not_judged(analyse, decoder, predictor):
    decoder.warnings = ["not_human"]
    done = analyse()
    assert (done.status, done.outcome, done.reason_code) == ("succeeded", "not_analysable", "not_human")
    assert [entry["code"] for entry in done.warnings] == ["not_human"]
    assert done.image.canonical_file
    assert predictor.calls == 0


def test_a_file_that_cannot_be_read_fails_with_its_code_and_sentence(analyse, decoder):
    decoder.error = DecodeError("unreadable", "Export it again.")
    done = analyse()
    assert (done.status, done.error_code, done.error_message) == ("failed", "unreadable", "Export it again.")
    assert done.image.study.status == "failed"


def test_a_decoder_that_is_away_puts_the_film_back(analyse, decoder):
    decoder.error = DecodeError("decoder_unavailable", "m", retriable=True)
    done = analyse()
    assert (done.status, done.attempts, done.error_code) == ("queued", 1, "")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SoftTimeLimitExceeded(), "failed", "too_slow"),
        (RuntimeError("DOE JANE"), "failed", "internal_error"),
        (MemoryError(), "queued", ""),
    ],
)
def test_a_fault_of_the_model_ends_in_a_code_that_names_nobody(analyse, predictor, error, status, code):
    predictor.error = error
    done = analyse()
    assert (done.status, done.error_code) == (status, code)
    assert "DOE" not in done.error_message


def test_a_full_disk_puts_the_film_back_and_leaves_no_file(analyse, monkeypatch):
    def full(folder, *_):
        if folder == "saliency":
            raise StorageFull("storage_full", "m")
        return default_storage.save(f"{folder}/x.png", ContentFile(b"x"))

    monkeypatch.setattr(storage, "store_bytes", full)
    assert analyse().status == "queued"
    assert derived_files() == []


def test_a_missing_or_damaged_original_fails_and_says_so(analyse, decoder, doctor):
    for change, code in ((default_storage.delete, "original_missing"), (_damage, "original_damaged")):
        upload = ContentFile(png_bytes(seed=ord(code[9])))
        posted = intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields()).analysis
        change(posted.image.original_file)
        running.run(posted.pk, "w")
        posted.refresh_from_db()
        assert (posted.status, posted.error_code) == ("failed", code)


def _damage(name):
    with default_storage.open(name, "rb+") as file:
        file.write(b"damaged")


def test_a_cancelled_analysis_stops_and_leaves_no_file(analyse, predictor, doctor):
    predictor.during = lambda: queue.cancel(Analysis.objects.get(), doctor)
    done = analyse()
    assert (done.status, done.outcome) == ("cancelled", "")
    assert derived_files() == []


def test_a_result_that_comes_too_late_is_thrown_away_with_its_files(analyse, monkeypatch):
    stored = storage.store_bytes

    def lose_the_lease(*args):
        Analysis.objects.update(lease_token=None)
        return stored(*args)

    monkeypatch.setattr(storage, "store_bytes", lose_the_lease)
    assert analyse().outcome == ""
    assert derived_files() == []


def test_the_task_tries_once_more_on_a_new_connection_and_then_leaves_the_row_to_the_sweeper(monkeypatch):
    calls = []

    def gone(*_):
        calls.append("run")
        raise OperationalError

    monkeypatch.setattr(running, "run", gone)
    monkeypatch.setattr("django.db.connection.close", lambda: calls.append("close"))
    tasks.run_analysis.apply(args=["00000000-0000-4000-8000-000000000000"], throw=True)
    assert calls == ["run", "close"] * 2


def test_the_next_film_is_taken_ahead_while_one_is_judged_unless_it_was_begun_before(analyse, predictor, doctor):
    fresh, begun = (
        intake.submit_image(
            user=doctor, token=None, upload=ContentFile(png_bytes(seed=70 + n)), fields=CaseFields(patient_id=f"P{n}")
        ).analysis
        for n in range(2)
    )
    Analysis.objects.filter(pk=begun.pk).update(attempts=1, queued_at="2020-01-01T00:00Z")
    seen = []
    predictor.during = lambda: seen.append(set(Analysis.objects.filter(status="running").values_list("pk", flat=True)))
    first = analyse()
    assert seen == [{first.pk, fresh.pk}, {fresh.pk}, {begun.pk}]
    assert Analysis.objects.filter(status="succeeded").count() == 3


def test_a_woken_worker_goes_on_with_what_has_waited_longest(analyse, doctor):
    ids = []
    for seed in range(3):
        upload = ContentFile(png_bytes(seed=seed + 50))
        fields = CaseFields(patient_id=f"P{seed}")
        ids.append(intake.submit_image(user=doctor, token=None, upload=upload, fields=fields).analysis.pk)
    tasks.run_analysis.apply(args=[str(ids[2])], throw=True)
    assert Analysis.objects.filter(pk__in=ids, status="succeeded").count() == 3


# --- what a header adds to the record ---------------------------------------------------------------------------


def test_a_header_fills_what_nobody_typed(analyse, decoder):
    decoder.identity = HEADER | {
        "accession_number": "A1",
        "laterality": "R",
        "view_position": "AP",
        "study_date": "2020-02-03",
    }
    done = analyse()
    study = done.image.study
    assert (study.patient.patient_id, study.patient.patient_name, study.patient.patient_sex) == ("R1", "DOE JANE", "F")
    assert (study.accession_number, study.laterality, str(study.study_date)) == ("A1", "R", "2020-02-03")
    assert done.image.view_position == "AP"
    assert done.open_warnings == []


def test_what_was_typed_stays_and_a_contradiction_is_asked(analyse, decoder):
    decoder.identity = HEADER | {"laterality": "R"}
    done = analyse(CaseFields(patient_id="R2", laterality="L"))
    study = done.image.study
    assert (study.patient.patient_id, study.laterality) == ("R2", "L")
    assert {w["code"] for w in done.open_warnings} == {"patient_id_mismatch", "laterality_mismatch"}
    assert study.patient.patient_name == ""
    assert done.image.header["patient_id"] == "R1"


def test_a_known_patient_is_never_overwritten_by_a_header(analyse, decoder, department):
    PatientFactory(department=department, patient_id="R1", patient_name="ROE JOHN", patient_sex="F")
    decoder.identity = HEADER
    done = analyse()
    assert {w["field"] for w in done.open_warnings} == {"patient_name", "patient_birth_date"}
    assert done.image.study.patient.patient_name == "ROE JOHN"


def test_a_header_completes_a_known_patient(analyse, decoder):
    decoder.identity = HEADER
    done = analyse(CaseFields(patient_id="R1", patient_name="Jane Doe"))
    patient = done.image.study.patient
    assert (patient.patient_name, str(patient.patient_birth_date)) == ("Jane Doe", "1980-01-02")
    assert done.open_warnings == []


def test_films_of_one_case_whose_headers_name_different_patients_are_questioned(analyse, decoder):
    key = "6f1d1d50-0f39-4b6c-9e0f-0f6f3f3c8d11"
    decoder.identity = HEADER
    first = analyse(case_key=key)
    decoder.identity = HEADER | {"patient_id": "R2", "patient_name": "ROE JOHN"}
    second = analyse(case_key=key)
    assert first.image.study == second.image.study
    assert [(w["field"], w["against"]) for w in second.open_warnings] == [("patient_id", "record")]
    assert not Patient.objects.filter(patient_id="R2").exists()


def test_a_reassignment_while_the_film_waits_is_asked_about_only_when_the_file_says_otherwise(
    analyse, decoder, predictor, doctor
):
    def reassign():
        corrections.reassign(Study.objects.get(), patient_id="R2", reason="x", user=doctor)

    predictor.during, decoder.identity = reassign, {"patient_id": "R2"}
    assert analyse(CaseFields(patient_id="R1")).open_warnings == []


def test_a_third_patient_in_the_header_is_asked_about_after_a_reassignment(analyse, decoder, predictor, doctor):
    def reassign():
        corrections.reassign(Study.objects.get(), patient_id="R2", reason="x", user=doctor)

    predictor.during, decoder.identity = reassign, {"patient_id": "R3"}
    assert [w["field"] for w in analyse(CaseFields(patient_id="R1")).open_warnings] == ["patient_id"]


def test_films_of_one_examination_join_one_case(analyse, decoder):
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"}
    first, second = analyse(), analyse()
    assert first.image.study == second.image.study
    assert Study.objects.count() == 1
    event = AuditEvent.objects.filter(action="result").first()
    assert event.case_id == first.image.study.pk
    assert "moved_from" in event.detail


@pytest.mark.parametrize("change", [{"patient_id": "R2"}, {"study_instance_uid": "1.2.4"}])
def test_films_of_other_examinations_or_patients_do_not_join(analyse, decoder, change):
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"}
    first = analyse()
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"} | change
    assert analyse().image.study != first.image.study


def test_a_signed_case_is_joined_by_no_film(analyse, decoder):
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"}
    first = analyse()
    Study.objects.update(reading_state="final")
    assert analyse().image.study != first.image.study


def test_a_case_in_reading_is_joined_by_further_films_of_the_examination(analyse, decoder):
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"}
    first = analyse()
    Study.objects.update(reading_state="in_reading")
    assert analyse().image.study == first.image.study


@pytest.mark.parametrize("work", ["assigned", "asked", "read"])
def test_a_case_that_somebody_works_on_is_not_dissolved_into_another(analyse, decoder, predictor, doctor, work):
    decoder.identity = HEADER | {"study_instance_uid": "1.2.3"}
    first = analyse()

    def begin():
        study, now = Study.objects.exclude(pk=first.image.study_id).get(), timezone.now()
        if work == "assigned":
            Study.objects.filter(pk=study.pk).update(assigned_to=doctor)
        elif work == "asked":
            SecondReading.objects.create(study=study, asked_by=doctor, reader=doctor, question="?", asked_at=now)
        else:
            UnaidedReading.objects.create(study=study, reader=doctor, mode="own_first", opened_at=now)

    predictor.during = begin
    assert analyse().image.study != first.image.study


def test_remarks_of_the_decoder_are_kept_and_hold_nothing_back(analyse, decoder):
    decoder.warnings = ["burned_in_annotation"]
    done = analyse()
    assert done.warnings == [{"code": "burned_in_annotation", "field": "", "confirmed": None}]
    assert done.open_warnings == []


def test_an_ordinary_analysis_costs_few_statements(analyse, decoder, doctor, django_assert_max_num_queries):
    posted = intake.submit_image(user=doctor, token=None, upload=ContentFile(png_bytes()), fields=CaseFields()).analysis
    with django_assert_max_num_queries(20):
        running.run(posted.pk, "w")
