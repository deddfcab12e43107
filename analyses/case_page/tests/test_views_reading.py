"""The reading on the case page: form, live check, templates, versions."""

import json
import re
from datetime import date

import pytest
from django.test import Client

from accounts.models import ReadingMode
from analyses.models import Review, UnaidedReading
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import ADVISED, StudyFactory, result

FULL = {
    "reading": "benign",
    "likelihood": "10",
    "number": "one",
    "bone": "tibia",
    "side": "L",
    "part": "metaphysis",
    "end": "proximal",
    "size_1": "12",
    "size_2": "20",
    "margin": "IA",
    "recommendation": "follow_up",
    "recommendation_months": "6",
    "disagreement_reason": "history",
}


@pytest.fixture
def web(doctor) -> Client:
    client = Client()
    client.force_login(doctor)
    return client


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


def url(study, rest="") -> str:
    return f"/cases/{study.pk}/{rest}"


def page(web, study) -> str:
    return web.get(url(study)).content.decode()


def test_a_structured_reading_is_saved_from_the_page_and_comes_back_in_the_form(web, case):
    sent = FULL | {"model_reading": "malignant", "version": "0", "action": "save"}
    assert web.post(url(case, "reading/"), sent).status_code == 302
    review = Review.objects.get()
    assert (review.likelihood, review.recommendation_months, review.disagreement_reason) == (10, 6, "history")
    assert review.findings["size_mm"] == [20, 12]
    text = page(web, case)
    assert '<option value="tibia" selected>' in text
    assert 'name="version" value="1"' in text
    assert "Solitary lesion, left tibia, proximal metaphysis, 20 × 12 mm." in text


def test_signing_against_the_model_asks_for_a_reason_where_its_answer_is_shown(web, case):
    sent = {"reading": "benign", "impression": "Fibroma.", "model_reading": "malignant", "action": "sign"}
    answer = web.post(url(case, "reading/"), sent)
    assert answer.status_code == 400
    assert "State why you overrule the model." in answer.content.decode()
    assert "Fibroma." in answer.content.decode()
    assert not Review.objects.exists()
    assert web.post(url(case, "reading/"), sent | {"disagreement_reason": "more_seen"}).status_code == 302
    assert "The film shows more" in page(web, case)


def test_agreeing_asks_for_no_reason(web, case):
    sent = {"reading": "malignant", "recommendation": "refer", "model_reading": "malignant", "action": "sign"}
    assert web.post(url(case, "reading/"), sent).status_code == 302
    assert Review.objects.get().is_signed


def test_a_contradiction_stops_the_signature_until_it_is_confirmed_on_the_page(web, case):
    sent = FULL | {"margin": "II", "recommendation": "none", "recommendation_months": "", "action": "sign"}
    answer = web.post(url(case, "reading/"), sent | {"version": "0"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "The margin is aggressive (grade II), but the recommendation is no follow-up." in text
    assert not Review.objects.get().is_signed
    version = re.search(r'name="version" value="(\d+)"', text).group(1)
    confirmed = sent | {"version": version, "confirmed": ["no_follow_up_aggressive"]}
    assert web.post(url(case, "reading/"), confirmed).status_code == 302
    assert Review.objects.get().is_signed


def test_an_older_tab_is_refused_and_both_texts_stand_on_the_page(web, case, doctor):
    reading.save_reading(case, user=doctor, reading="benign", impression="Written in the other tab.", version=0)
    sent = {"reading": "malignant", "impression": "Written here.", "version": "0", "action": "save"}
    answer = web.post(url(case, "reading/"), sent)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Written in the other tab." in text
    assert "Written here." in text
    assert Review.objects.get().impression == "Written in the other tab."
    version = re.search(r'name="version" value="(\d+)"', text).group(1)
    assert web.post(url(case, "reading/"), sent | {"version": version}).status_code == 302
    assert Review.objects.get().impression == "Written here."


def test_a_version_of_a_draft_that_never_was_is_refused_and_the_form_goes_on(web, case):
    sent = {"reading": "malignant", "impression": "Written here.", "version": "7", "action": "save"}
    answer = web.post(url(case, "reading/"), sent)
    assert answer.status_code == 409
    assert "Written here." in answer.content.decode()
    assert web.post(url(case, "reading/"), sent | {"version": "0"}).status_code == 302


def test_a_double_submit_saves_once_and_says_so_twice(web, case):
    sent = {"reading": "malignant", "impression": "Once.", "version": "0", "action": "save"}
    assert [web.post(url(case, "reading/"), sent).status_code for _ in range(2)] == [302, 302]
    assert Review.objects.get().version == 1


def checked(web, study, **fields):
    answer = web.post(url(study, "reading/check/"), fields)
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_the_check_writes_the_text_points_out_contradictions_and_keeps_nothing(web, case):
    found = checked(web, case, reading="benign", number="one", bone="humerus", side="R", margin="IA")
    assert found["findings_text"].startswith("Solitary lesion, right humerus.")
    assert found["impression"] == "Right humerus: lesion with benign features."
    assert "Examined side: left" in found["contradictions"]
    assert 'value="other_bone"' in found["contradictions"]
    assert not Review.objects.exists()


def test_the_check_understands_a_form_that_is_not_complete(web, case):
    found = checked(web, case, size_1="many", likelihood="999", bone="moon")
    assert (found["findings_text"], found["impression"]) == ("", "")
    assert "notice" not in found["contradictions"]


def test_the_check_answers_the_same_whatever_the_model_said(web, department):
    answers = []
    for outcome in ("malignant", "normal", "withheld"):
        study = StudyFactory(owner=department)
        result(outcome, study=study)
        answers.append(checked(web, study, **FULL))
    assert answers[0] == answers[1] == answers[2]


def test_the_page_says_why_bone_rads_is_not_offered_and_offers_it_where_it_can_hold(web, case, department):
    assert "Bone-RADS is defined for CT and MR, not for radiographs." in page(web, case)
    study = StudyFactory(owner=department, modality="CT", patient__patient_birth_date=date(1980, 1, 1))
    result("benign", study=study)
    text = page(web, study)
    assert "not for radiographs" not in text
    assert "4, suspicious: biopsy or oncologic referral" in text


def test_an_addendum_on_the_page_needs_a_reason(web, case, doctor):
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(case, doctor)
    assert web.post(url(case, "addendum/"), {"text": "Later."}).status_code == 400
    assert web.post(url(case, "addendum/"), {"text": "Later.", "reason": "pathology"}).status_code == 302
    assert "Pathology or follow-up" in page(web, case)


def test_every_version_is_listed_with_time_person_hash_and_its_readable_pdf(web, case, doctor):
    reports.issue_report(case, doctor)
    given = Structured(findings=Findings(number="one"), recommendation="refer")
    reading.save_reading(case, user=doctor, reading="malignant", structure=given)
    review = reading.sign(case, doctor)
    final = reports.issue_report(case, doctor)
    reading.add_addendum(case, doctor, "Later.", "pathology")
    amended = reports.issue_report(case, doctor)
    text = web.get(url(case, "versions/")).content.decode()
    for mark in (review.signed_sha256, final.pdf_sha256, amended.pdf_sha256, "Pathology or follow-up", "superseded"):
        assert mark in text
    assert text.index(amended.pdf_sha256) < text.index(final.pdf_sha256)
    first = web.get(f"/reports/{final.pk}.pdf")
    assert first.status_code == 200
    assert first.content.startswith(b"%PDF")


def test_a_blind_reader_finds_no_report_among_the_versions(web, case, doctor, department):
    report = reports.issue_report(case, doctor)
    assert report.pdf_sha256 in web.get(url(case, "versions/")).content.decode()
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save()
    assert report.pdf_sha256 not in web.get(url(case, "versions/")).content.decode()


def test_a_case_without_versions_says_how_the_first_one_comes(web, case):
    assert "Nothing signed or issued yet" in web.get(url(case, "versions/")).content.decode()


def test_the_form_keeps_no_patient_identity_in_its_storage_key(web, case, doctor):
    key = re.search(r'data-reading="([^"]*)"', page(web, case)).group(1)
    assert key == f"{doctor.pk}:{case.pk}"


def test_whoever_was_shown_no_answer_is_asked_for_no_reason(web, case, doctor):
    """In a trial's hidden arm the page shows no model reading, so that overruling is nothing to explain."""
    sent = {"reading": "benign", "model_reading": "", "action": "sign"}
    assert web.post(url(case, "reading/"), sent).status_code == 302
    assert Review.objects.get().disagreement_reason == ""
    assert not UnaidedReading.objects.exists()
