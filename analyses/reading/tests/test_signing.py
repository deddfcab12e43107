"""What a signature needs beyond a reading, and what becomes of films that had no answer when it was given."""

import io
import itertools

import pytest
from pypdf import PdfReader

from accounts import services as accounts
from accounts.models import AuditEvent, Department
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict
from analyses.models import Analysis, Notification, Reading, Report, ReportKind, Review, UnaidedReading
from analyses.models.vocabulary import Recommendation
from analyses.pipeline import queue, results
from analyses.reading import services as reading
from analyses.reports import content
from analyses.reports import services as reports
from analyses.structured_reading import signature
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import ADVISED, AnalysisFactory, ImageFactory, StudyFactory, result


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("benign", study=study)
    study.refresh_from_db()
    return study


def answered_late(waiting: Analysis, header: dict[str, str] | None = None) -> None:
    """A worker answers a film that waited."""
    claim = queue.claim(waiting.pk, "worker")
    assert claim is not None
    meta = {"format": "png", "width_px": 64, "height_px": 80, "identity": header or {}}
    decoded = results.DecodedImage(meta, "canonical/late.png", "d" * 64, 64, 80)
    results.finish(claim, decoded, results.Answer(None, "", "", {}, ""))
    Analysis.objects.filter(pk=waiting.pk).update(outcome="malignant", malignant_probability=0.9)


@pytest.mark.parametrize(("read", "advice"), list(itertools.product(Reading.values, ["", *Recommendation.values])))
def test_a_reading_that_may_be_malignant_is_signed_only_with_a_recommendation(case, doctor, read, advice):
    months, other = (6 if advice == "follow_up" else None), ("Ask us." if advice == "other" else "")
    structure = Structured(recommendation=advice, recommendation_months=months, recommendation_text=other)
    reading.save_reading(case, user=doctor, reading=read, structure=structure)
    if read in ("malignant", "cannot_tell") and not advice:
        with pytest.raises(Conflict) as caught:
            reading.sign(case, doctor)
        assert caught.value.code == "incomplete"
        assert list(caught.value.fields) == ["recommendation"]
        assert not Review.objects.get().is_signed
    else:
        assert reading.sign(case, doctor, ["no_referral_malignant"]).is_signed


@pytest.mark.parametrize("read", Reading.values)
def test_the_impression_is_always_written(case, doctor, read):
    review = reading.save_reading(case, user=doctor, reading=read, structure=ADVISED)
    assert review.impression
    assert reading.sign(case, doctor).impression == review.impression


def test_a_written_impression_follows_the_reading_and_one_typed_by_hand_stays(case, doctor):
    first = reading.save_reading(case, user=doctor, reading="benign").impression
    second = reading.save_reading(case, user=doctor, reading="malignant", impression=first).impression
    assert (first, second) == ("Lesion with benign features.", "Lesion suspicious for malignancy.")
    placed = Structured(findings=Findings(bone="femur", side="L"))
    third = reading.save_reading(case, user=doctor, reading="malignant", impression=second, structure=placed).impression
    assert third == "Left femur: lesion suspicious for malignancy."
    typed = reading.save_reading(case, user=doctor, reading="benign", impression="Fibroma.").impression
    assert reading.save_reading(case, user=doctor, reading="malignant", impression=typed).impression == "Fibroma."


@pytest.mark.parametrize("impression", ["", ".", "- -", "\n"])
def test_a_draft_without_words_for_an_impression_is_not_signed(case, doctor, impression):
    reading.save_reading(case, user=doctor, reading="normal")
    Review.objects.update(impression=impression)
    with pytest.raises(Conflict) as caught:
        reading.sign(case, doctor)
    assert (caught.value.code, list(caught.value.fields)) == ("incomplete", ["impression"])


def test_a_case_of_sixty_films_is_signed_while_all_but_one_wait(case, doctor):
    for _ in range(59):
        AnalysisFactory(image=ImageFactory(study=case))
    reading.save_reading(case, user=doctor, reading="benign")
    assert len(reading.sign(case, doctor).unanswered) == 59


def test_a_late_answer_changes_neither_signature_nor_report_and_the_reader_is_told(case, doctor):
    waiting = AnalysisFactory(image=ImageFactory(study=case))
    second = AnalysisFactory(image=ImageFactory(study=case))
    reading.save_reading(case, user=doctor, reading="benign")
    review = reading.sign(case, doctor)
    issued = reports.issue_report(case, doctor)
    answered_late(waiting)
    answered_late(second)

    case.refresh_from_db()
    state = CaseState(case, doctor)
    rows = snapshots.signed_analyses(state, doctor)
    assert signature.covers(case, review, rows)
    assert [row.outcome for row in rows] == ["benign", "", ""]
    assert content.answer_line(rows[1]) == "The model had not answered when this was read or reported."
    assert reports.issue_report(case, doctor) == issued
    assert (issued.kind, reports.state_of(Report.objects.get())) == (ReportKind.FINAL, "valid")
    assert [row.kind for row in Notification.objects.filter(user=doctor)] == ["late_answer"]
    assert [row.outcome for row in snapshots.answered_analyses(state, doctor)] == ["benign", "malignant", "malignant"]


def test_a_late_film_that_fails_or_is_cancelled_changes_nothing_on_paper(case, doctor):
    waiting, other = (AnalysisFactory(image=ImageFactory(study=case)) for _ in range(2))
    reading.save_reading(case, user=doctor, reading="benign")
    review = reading.sign(case, doctor)
    issued = reports.issue_report(case, doctor)
    claim = queue.claim(waiting.pk, "worker")
    queue.fail(claim, "unreadable", "Export it again.")
    queue.cancel(other, doctor)
    case.refresh_from_db()
    assert signature.covers(case, review, snapshots.signed_analyses(CaseState(case, doctor), doctor))
    assert reports.issue_report(case, doctor) == issued


def test_the_header_of_a_late_film_fills_nothing_behind_the_signature_and_a_contradiction_holds_the_report(
    case, doctor
):
    case.patient.patient_birth_date = None
    case.patient.save()
    waiting = AnalysisFactory(image=ImageFactory(study=case))
    reading.save_reading(case, user=doctor, reading="benign")
    review = reading.sign(case, doctor)
    reports.issue_report(case, doctor)
    mine = {"patient_id": case.patient.patient_id, "patient_birth_date": "1990-01-02", "patient_name": "OTHER^Person"}
    answered_late(waiting, mine)
    case.refresh_from_db()
    case.patient.refresh_from_db()
    assert case.patient.patient_birth_date is None
    assert signature.covers(case, review, snapshots.signed_analyses(CaseState(case, doctor), doctor))
    with pytest.raises(Conflict) as caught:
        reports.issue_report(case, doctor)
    assert caught.value.code == "identity_unconfirmed"


def test_a_reading_of_a_trial_waits_for_every_answer(case, doctor):
    AnalysisFactory(image=ImageFactory(study=case))
    reading.save_reading(case, user=doctor, reading="benign")
    now = case.created_at
    UnaidedReading.objects.create(
        study=case, reader=doctor, mode="trial", arm="shown", opened_at=now, locked_at=now, reading="benign", answer={}
    )
    with pytest.raises(Conflict) as caught:
        reading.sign(case, doctor)
    assert caught.value.code == "still_running"


def test_the_choice_to_wait_is_recorded_with_the_one_before(department, administrator):
    accounts.edit_department(department, name=department.name, waits_for_answers=True, by=administrator)
    assert Department.objects.get(pk=department.pk).waits_for_answers
    assert AuditEvent.objects.get(action="waiting_changed").detail == {"before": False, "after": True}
    accounts.edit_department(department, name=department.name, by=administrator)
    assert Department.objects.get(pk=department.pk).waits_for_answers


def test_a_signature_keeps_the_name_that_it_was_given_with(case, doctor):
    accounts.rename(doctor, title="Dr", name="Anna Berg", by=doctor)
    reading.save_reading(case, user=doctor, reading="benign")
    review = reading.sign(case, doctor)
    addendum = reading.add_addendum(case, doctor, "The lesion is new.")
    accounts.rename(doctor, title="Prof.", name="Anna Berg-Holm", by=doctor)
    review = Review.objects.select_related("reader").get()
    assert (review.signed_as, addendum.signed_as) == ("Dr Anna Berg", "Dr Anna Berg")
    case.refresh_from_db()
    assert signature.covers(case, review, snapshots.signed_analyses(CaseState(case, doctor), doctor))
    text = pdf_text(case, doctor)
    assert "Signed electronically by Dr Anna Berg (doctor@example.org)" in text
    assert "Berg-Holm" not in text


def test_a_signature_from_before_names_were_kept_keeps_its_words_and_verifies(case, doctor):
    """As the migration leaves it: the words that reports printed then, and a digest that was made without them."""
    reading.save_reading(case, user=doctor, reading="benign")
    review = reading.sign(case, doctor)
    rows = snapshots.signed_analyses(CaseState(case, doctor), doctor)
    digest = signature.signed_sha256(case, review, rows, review.signed_at, named=False)
    Review.objects.update(signed_sha256=digest, signed_as="doctor@example.org")
    accounts.rename(doctor, title="Dr", name="Anna Berg", by=doctor)
    case.refresh_from_db()
    assert signature.covers(case, Review.objects.get(), rows)
    assert "Signed electronically by doctor@example.org on" in pdf_text(case, doctor)


def pdf_text(case, doctor) -> str:
    pages = PdfReader(io.BytesIO(reports.report_bytes(reports.issue_report(case, doctor)))).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)
