"""What whoever is blind must not learn by a detour: from a place in a list, colleagues' words, refusals, arms."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import UserFactory
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict
from analyses.evidence.reader_studies.tests import signed_in, started
from analyses.evidence.trial import services as trials
from analyses.models import Review, Study, Trial, TrialAllocation, UnaidedReading
from analyses.reading import second_reading, unaided_reading
from analyses.reading import services as reading
from analyses.referral import services as referral
from analyses.structured_reading.content import Structured
from analyses.tests.factories import ADVISED, ImageFactory, StudyFactory, result

pytestmark = pytest.mark.django_db
SECRET = "Moth-eaten, I would biopsy."


@pytest.fixture
def first_readers(doctor):
    """The doctor's department, reading first."""
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    return doctor.department


@pytest.fixture
def study(first_readers) -> Study:
    return result("malignant", image__study__owner=first_readers).image.study


@pytest.fixture
def colleague(first_readers):
    return UserFactory(name="Colleague", department=first_readers, roles=["doctor"])


def lock(study: Study, reader, **fields) -> UnaidedReading:
    now = timezone.now()
    values = {"mode": "own_first", "opened_at": now, "locked_at": now, "reading": "benign", "likelihood": 20}
    return UnaidedReading.objects.create(study=study, reader=reader, **values | fields)


def hide(study: Study, reader) -> UnaidedReading:
    """A reading locked in the hidden arm of a trial."""
    return lock(study, reader, mode="trial", arm="hidden", answer=snapshots.snapshot(study, timezone.now()))


def text_of(user, study: Study, tail: str = "") -> str:
    return signed_in(user).get(f"/cases/{study.pk}/{tail}").content.decode()


# --- the list ----------------------------------------------------------------------------------------------------
def test_a_hidden_case_of_a_department_that_sees_answers_stands_behind_the_answered(doctor, department):
    names = ("normal", "benign", "withheld", "malignant")
    studies = {name: StudyFactory(owner=department) for name in names}
    for name, study in studies.items():
        result(name, study=study)
    for name in ("malignant", "benign"):
        UnaidedReading.objects.create(study=studies[name], reader=doctor, mode="own_first", opened_at=timezone.now())
    rows = signed_in(doctor).get("/cases/").context["rows"]
    assert [row.pk for row in rows] == [studies[name].pk for name in ("withheld", "normal", "benign", "malignant")]


# --- a film that comes after the lock ----------------------------------------------------------------------------
def test_a_film_that_came_after_the_lock_counts_for_agreement_and_referral(first_readers, doctor):
    study = result("benign", image__study__owner=first_readers).image.study
    unaided_reading.open_reading(study, doctor)
    unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=20)
    assert snapshots.answered_outcome(CaseState(study, doctor)) == "benign"
    result("malignant", image=ImageFactory(study=study))
    study.refresh_from_db()
    assert snapshots.answered_outcome(CaseState(study, doctor)) == "malignant"
    review = reading.save_reading(study, user=doctor, reading="benign")
    assert (review.model_outcome, review.agrees_with_model) == ("malignant", False)
    assert referral.is_suspicious(CaseState(study, doctor), review)


# --- what colleagues said ----------------------------------------------------------------------------------------
def test_answered_second_readings_are_closed_to_whoever_has_not_seen_the_answer(study, doctor, colleague):
    lock(study, doctor)
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, likelihood=93, impression=SECRET)
    asked = second_reading.ask(study, user=doctor, colleague=colleague, question="Do you agree?")
    second_reading.answer(asked, user=colleague, reading="malignant", likelihood=88, text=SECRET)
    third = UserFactory(department=doctor.department, roles=["doctor"])
    for blind in (third, colleague):
        text = text_of(blind, study)
        assert "Colleague has answered. Second readings are shown to you together with the model" in text
        for word in (SECRET, ">93<", ">88<"):
            assert word not in text
    text = text_of(doctor, study)
    assert SECRET in text
    assert ">88<" in text


def test_in_the_hidden_arm_the_answer_of_a_colleague_who_is_blind_too_is_shown(study, doctor, colleague):
    hide(study, doctor)
    asked = second_reading.ask(study, user=doctor, colleague=colleague, question="Do you agree?")
    second_reading.answer(asked, user=colleague, reading="malignant", likelihood=88, text=SECRET)
    assert SECRET in text_of(doctor, study)
    lock(study, colleague)
    assert CaseState(study, colleague).sees_model
    assert SECRET not in text_of(doctor, study)


def test_who_is_asked_for_a_second_reading_gets_no_letter_that_holds_the_first(doctor, department):
    study = result("benign", image__study__owner=department).image.study
    colleague = UserFactory(department=department, roles=["doctor"])
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, likelihood=90, impression=SECRET)
    made = referral.refer(study, doctor)
    second_reading.ask(study, user=doctor, colleague=colleague, question="Do you agree?")
    web = signed_in(colleague)
    assert "Create letter, films and report" not in text_of(colleague, study)
    assert web.post(f"/cases/{study.pk}/refer/").status_code == 409
    assert web.get(reverse("analyses:referral_download", args=[made.pk])).status_code == 404
    with pytest.raises(Conflict) as refused:
        referral.refer(study, colleague)
    assert refused.value.code == "not_suspicious"


# --- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("guess", ["malignant", "benign"])
def test_a_guess_at_a_hidden_answer_is_neither_refused_nor_kept(study, doctor, guess):
    hide(study, doctor)
    given = Structured(disagreement_reason="other", disagreement_text="A guess.", recommendation="refer")
    agrees = guess == "malignant"
    review = reading.save_reading(study, user=doctor, reading=guess, structure=given, agrees_with_model=agrees)
    review = reading.save_reading(study, user=doctor, reading=guess, structure=given, agrees_with_model=not agrees)
    assert (review.agrees_with_model, review.model_outcome) == (None, "")
    assert (review.disagreement_reason, review.disagreement_text) == ("", "")
    signed = reading.sign(study, doctor)
    assert (signed.agrees_with_model, signed.model_outcome) == (agrees, "malignant")


@pytest.mark.parametrize("agrees", [True, False])
def test_a_signed_case_says_so_first_whatever_is_guessed(study, doctor, agrees):
    lock(study, doctor)
    reading.save_reading(study, user=doctor, reading="benign")
    reading.sign(study, doctor)
    with pytest.raises(Conflict) as refused:
        reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, agrees_with_model=agrees)
    assert refused.value.code == "already_signed"


def test_a_draft_that_is_not_shown_is_replaced_with_the_first_save_and_not_told_when_it_grew(study, doctor, colleague):
    Review.objects.create(study=study, reader=colleague, reading="malignant", impression=SECRET, version=3)
    hide(study, doctor)
    web = signed_in(doctor)
    assert web.get(f"/cases/{study.pk}/").context["reading_form"].initial["version"] == 3
    sent = {"reading": "benign", "likelihood": "20", "action": "save"}
    stale = web.post(f"/cases/{study.pk}/reading/", sent | {"version": "2"})
    assert stale.status_code == 409
    assert SECRET not in stale.content.decode()
    assert web.post(f"/cases/{study.pk}/reading/", sent | {"version": "3"}).status_code == 302
    assert Review.objects.get().reader == doctor


# --- arms --------------------------------------------------------------------------------------------------------
def test_while_a_trial_runs_only_the_reader_is_told_the_arm_of_a_signed_case(study, doctor, colleague, administrator):
    doctor.department.reading_mode = "trial"
    doctor.department.save()
    trial: Trial = trials.start_trial(name="With and without", planned_cases=40, user=administrator)
    unaided_reading.open_reading(study, doctor)
    unaided_reading.lock_reading(study, doctor, reading="malignant", likelihood=90)
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(study, doctor)
    arm = TrialAllocation.objects.get(study=study).arm
    told = {"shown": "; the answer was shown.", "hidden": "; the answer was hidden by the random allocation."}[arm]
    assert told in text_of(doctor, study)
    text = text_of(colleague, study)
    assert "Unaided and final readings" in text
    assert "; the answer was" not in text
    trials.close_trial(trial, administrator)
    assert told in text_of(colleague, study)


# --- the cases of a reader study ---------------------------------------------------------------------------------
def test_a_reader_of_an_open_reader_study_finds_no_reading_and_no_outcome_of_its_cases(doctor, administrator):
    made = started(doctor.department, administrator)
    reader = made.readers.first().user
    row = made.cases.first()
    study = row.case
    review = Review.objects.get(study=study)
    review.addenda.create(author=review.reader, text=SECRET, reason="other")
    outsider = UserFactory(department=doctor.department, roles=["doctor"])
    assert SECRET in text_of(outsider, study, "versions/")
    assert "outcome-head" in text_of(outsider, study)
    assert SECRET not in text_of(reader, study, "versions/")
    assert "outcome-head" not in text_of(reader, study)
