"""Two at once: a film posted twice, a row claimed by several workers, two films of one case ending together."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction

from analyses.case_page import corrections
from analyses.evidence.outcomes.csv_import import import_outcomes
from analyses.evidence.outcomes.tests.test_outcomes import signed_case
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis, CaseOutcome, IdempotencyKey, Image, Patient, Study
from analyses.pipeline import queue, results
from analyses.reading import services as reading
from analyses.record import cases
from analyses.tests.factories import ADVISED, AnalysisFactory, PatientFactory, StudyFactory, png_bytes, result

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6


@pytest.fixture(autouse=True)
def _silence(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("needs Postgres: SQLite has one writer at a time, and an in-memory one for each thread")
    monkeypatch.setattr(queue, "wake", lambda _: True)


def at_once(work: Callable[[int], object], times: int = AT_ONCE) -> list:
    """The results of calls that begin together, each on its own connection."""
    gate = threading.Barrier(times)

    def call(number: int) -> object:
        try:
            gate.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def test_the_same_film_posted_at_once_becomes_one_analysis(doctor):
    def post(_):
        upload = ContentFile(png_bytes())
        return intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields(patient_id="R1"))

    answers = at_once(post)
    assert len({answer.analysis.pk for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert (Analysis.objects.count(), Image.objects.count(), Patient.objects.count()) == (1, 1, 1)


def test_different_films_of_a_new_patient_posted_at_once_make_one_patient_and_one_case(doctor):
    def post(number):
        fields = CaseFields(patient_id="R1", accession_number="A1")
        return intake.submit_image(user=doctor, token=None, upload=ContentFile(png_bytes(seed=number)), fields=fields)

    at_once(post)
    assert (Patient.objects.count(), Study.objects.count(), Image.objects.count()) == (1, 1, AT_ONCE)


def test_one_idempotency_key_used_at_once_answers_one_analysis(doctor):
    def post(_):
        return intake.submit_image(
            user=doctor,
            token=None,
            upload=ContentFile(png_bytes()),
            fields=CaseFields(),
            idempotency_key="k",
            again=True,
        )

    assert len({answer.analysis.pk for answer in at_once(post)}) == 1
    assert (IdempotencyKey.objects.count(), Analysis.objects.count()) == (1, 1)


def test_one_row_is_claimed_by_one_of_many_workers():
    waiting = AnalysisFactory()
    claims = at_once(lambda number: queue.claim(waiting.pk, f"w{number}"))
    assert sum(claim is not None for claim in claims) == 1
    assert Analysis.objects.get().attempts == 1


def test_many_workers_share_the_queue_without_a_row_taken_twice():
    ids = {AnalysisFactory().pk for _ in range(AT_ONCE)}
    claims = at_once(lambda number: queue.claim_next(f"w{number}"))
    assert {claim.analysis.pk for claim in claims} == ids


def test_two_films_of_one_case_that_end_together_are_both_summed_up():
    study = StudyFactory()
    for _ in range(AT_ONCE):
        AnalysisFactory(image__study=study)
    claims = [queue.claim_next("w") for _ in range(AT_ONCE)]
    film = results.DecodedImage({"format": "png", "width_px": 1, "height_px": 1}, "c.png", "b" * 64, 1, 1)
    at_once(lambda number: results.finish(claims[number], film, results.Answer(None, "", "a" * 64, {}, "1")))
    study.refresh_from_db()
    assert (study.status, study.revision) == ("succeeded", 1 + AT_ONCE)


def test_a_cancel_and_a_result_that_meet_leave_one_of_the_two(doctor):
    for _ in range(5):
        analysis = AnalysisFactory()
        claim = queue.claim(analysis.pk, "w")
        film = results.DecodedImage({"format": "png", "width_px": 1, "height_px": 1}, "c.png", "b" * 64, 1, 1)
        answer = results.Answer(None, "", "a" * 64, {}, "1")

        def act(number, claim=claim, analysis=analysis, film=film, answer=answer):
            try:
                return results.finish(claim, film, answer) if number else queue.cancel(analysis, doctor)
            except Exception as error:
                return type(error).__name__

        outcomes = at_once(act, 2)
        status = Analysis.objects.get(pk=analysis.pk).status
        assert (status, sorted(map(str, outcomes))) in [
            ("cancelled", ["LeaseLost", "None"]),
            ("succeeded", ["Conflict", "None"]),
        ]


def while_held(change: Callable[[], object], work: Callable[[], object]) -> object:
    """What ``work`` answers that has to wait for a lock of ``change``, which is kept only after it began to wait."""

    def call() -> object:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            answer = pool.submit(call)
            ends = time.monotonic() + 20
            while not _somebody_waits():
                assert time.monotonic() < ends, "the work does not wait"
                assert not answer.done(), answer.result()
                time.sleep(0.01)
        return answer.result(20)


def _somebody_waits() -> bool:
    waiting = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    with connection.cursor() as cursor:
        cursor.execute(waiting + "WHERE NOT l.granted AND a.datname = current_database())")
        return bool(cursor.fetchone()[0])


def test_a_case_that_was_reassigned_while_its_lock_was_awaited_is_locked_with_the_new_patient(doctor):
    study = StudyFactory(owner=doctor.department)
    other = PatientFactory(department=doctor.department)

    def locked():
        with transaction.atomic():
            return cases.lock(study.pk)

    met = while_held(
        lambda: corrections.reassign(study, user=doctor, reason="mixed up", patient_id=other.patient_id), locked
    )
    assert met.patient == other
    assert met.record_number == other.patient_id


def test_a_signature_that_waited_for_a_reassignment_names_the_new_patient(doctor, quick_pdf):
    study = StudyFactory(owner=doctor.department)
    result("malignant", study=study)
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    other = PatientFactory(department=doctor.department)
    signed = []
    real = reading.signature.signed_content

    def kept(*args, **named):
        signed.append(real(*args, **named))
        return signed[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.signature, "signed_content", kept)
        while_held(
            lambda: corrections.reassign(study, user=doctor, reason="mixed up", patient_id=other.patient_id),
            lambda: reading.sign(study, doctor),
        )
    assert signed[0]["patient"] is not None
    assert other.patient_id in str(signed[0]["patient"])


def test_an_import_does_not_store_a_patients_outcome_on_a_case_that_became_anothers_meanwhile(doctor):
    study = signed_case(doctor)
    before, other = study.patient.patient_id, PatientFactory(department=doctor.department)
    data = f"patient_id,method,date,truth\r\n{before},pathology,2026-04-11,benign\r\n".encode()
    met = while_held(
        lambda: corrections.reassign(study, user=doctor, reason="mixed up", patient_id=other.patient_id),
        lambda: import_outcomes(data, user=doctor),
    )
    assert [row.answer for row in met.rows] == ["unknown"]
    assert not CaseOutcome.objects.exists()


def test_an_import_answers_a_case_that_was_dissolved_meanwhile_as_unknown(doctor):
    study = StudyFactory(owner=doctor.department)
    data = f"case,method,date,truth\r\n{study.pk},pathology,2026-04-11,benign\r\n".encode()
    met = while_held(lambda: Study.objects.filter(pk=study.pk).delete(), lambda: import_outcomes(data, user=doctor))
    assert [row.answer for row in met.rows] == ["unknown"]
