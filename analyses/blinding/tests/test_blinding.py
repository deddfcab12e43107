"""Who must not see the model's answer yet, as one predicate and as one condition that must agree."""

import pytest
from django.utils import timezone

from accounts.models import ReadingMode
from accounts.tests.factories import UserFactory
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import hidden_cases
from analyses.models import ReaderStudy, Review, Study, UnaidedReading
from analyses.tests.factories import result

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(doctor) -> Study:
    return result("malignant", image__study__owner=doctor.department).image.study


def department_reads(doctor, mode: str) -> None:
    doctor.department.reading_mode = mode
    doctor.department.save(update_fields=["reading_mode"])


def unaided_reading(study, reader, **fields) -> UnaidedReading:
    values = {"mode": ReadingMode.OWN_FIRST, "opened_at": timezone.now(), "locked_at": timezone.now()} | fields
    return UnaidedReading.objects.create(study=study, reader=reader, reading="benign", likelihood=20, **values)


def sees(user, study) -> bool:
    """Both ways of asking; they must agree."""
    one = CaseState(study, user).sees_model
    assert Study.objects.filter(hidden_cases(user), pk=study.pk).exists() is not one
    return one


def test_answers_are_shown_at_once_unless_the_department_chose_otherwise(doctor, study):
    assert sees(doctor, study)


@pytest.mark.parametrize("mode", [ReadingMode.OWN_FIRST, ReadingMode.TRIAL])
def test_a_doctor_who_reads_first_is_blind_until_the_unaided_reading_is_locked(doctor, study, mode):
    department_reads(doctor, mode)
    assert not sees(doctor, study)
    unaided = unaided_reading(study, doctor, locked_at=None)
    assert not sees(doctor, study)
    unaided.locked_at = timezone.now()
    unaided.save()
    assert sees(doctor, study)


def test_a_colleagues_lock_opens_nothing(doctor, study):
    department_reads(doctor, ReadingMode.OWN_FIRST)
    unaided_reading(study, UserFactory(department=doctor.department, roles=["doctor"]))
    assert not sees(doctor, study)


def test_the_hidden_arm_stays_blind_until_the_signature(doctor, study):
    department_reads(doctor, ReadingMode.TRIAL)
    unaided_reading(study, doctor, mode=ReadingMode.TRIAL, arm="hidden")
    assert not sees(doctor, study)
    study.reading_state = "final"
    study.save()
    assert sees(doctor, study)


def test_the_shown_arm_sees_the_answer_after_the_lock(doctor, study):
    department_reads(doctor, ReadingMode.TRIAL)
    unaided_reading(study, doctor, mode=ReadingMode.TRIAL, arm="shown")
    assert sees(doctor, study)


def reads_for_a_reader_study(doctor, study) -> ReaderStudy:
    made = ReaderStudy.objects.create(
        department=study.department, name="Study", washout_days=28, state="open", created_by=doctor
    )
    made.cases.create(case=study, number=1, truth="malignant", films=[])
    made.readers.create(user=doctor, number=1)
    return made


def test_readers_of_an_open_reader_study_are_blind_to_its_signed_cases_until_it_is_closed(doctor, study):
    study.reading_state = "final"
    study.save()
    made = reads_for_a_reader_study(doctor, study)
    assert not sees(doctor, study)
    assert sees(UserFactory(department=doctor.department, roles=["doctor"]), study)
    made.state = "closed"
    made.save()
    assert sees(doctor, study)


def test_the_case_page_says_why_a_case_of_a_reader_study_is_closed(client, doctor, study):
    study.reading_state = "final"
    study.save()
    Review.objects.create(study=study, reader=doctor, reading="malignant", signed_at=timezone.now())
    reads_for_a_reader_study(doctor, study)
    client.force_login(doctor)
    page = client.get(f"/cases/{study.pk}/").content.decode()
    assert "until the reader study is closed" in page
    assert "Second opinion" not in page
    assert "Begin reading" not in page
    assert "Suspicious for malignancy" not in page
