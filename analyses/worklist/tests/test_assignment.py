"""Whose work a case is: taken, handed over, taken over, given back, and what is refused to everybody else."""

import threading

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import connection

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, Invalid
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Notification, ReadingState, Review, Study
from analyses.notifications import services as notifications
from analyses.pipeline import queue
from analyses.reading import services as reading
from analyses.tests.factories import AnalysisFactory, ImageFactory, StudyFactory, png_bytes, result
from analyses.worklist import assignment


@pytest.fixture
def case(department) -> Study:
    study = StudyFactory(owner=department)
    result("benign", study=study)
    return study


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", name="Colleague", department=department, roles=["doctor"])


def refused(call, *args, **kwargs) -> str:
    with pytest.raises((Conflict, Invalid)) as caught:
        call(*args, **kwargs)
    return caught.value.code


def stands(case) -> tuple[str, object]:
    case.refresh_from_db()
    return case.reading_state, case.assigned_to


def told(user) -> list[str]:
    return list(Notification.objects.filter(user=user).order_by("created_at").values_list("kind", flat=True))


pytestmark = pytest.mark.django_db


def test_who_starts_reading_has_the_case_and_starting_again_changes_nothing(case, doctor):
    assignment.start_reading(case, doctor)
    assignment.start_reading(case, doctor)
    assert stands(case) == (ReadingState.IN_READING, doctor)
    assert AuditEvent.objects.filter(action="start_reading", case_id=case.pk).count() == 1


def test_saving_takes_the_case_without_another_step(case, doctor):
    reading.save_reading(case, user=doctor, reading="benign")
    assert stands(case) == (ReadingState.PRELIMINARY, doctor)


def test_a_colleagues_case_can_neither_be_started_nor_saved_nor_assigned_away(case, doctor, colleague):
    assignment.start_reading(case, doctor)
    third = UserFactory(department=doctor.department, roles=["doctor"])
    for call in (
        lambda: assignment.start_reading(case, colleague),
        lambda: reading.save_reading(case, user=colleague, reading="malignant"),
        lambda: assignment.assign(case, third, colleague),
    ):
        assert refused(call) == "assigned_to_other"
    assert stands(case) == (ReadingState.IN_READING, doctor)
    assert not Review.objects.exists()


def test_a_take_over_is_recorded_and_told_to_the_earlier_reader_once(case, doctor, colleague):
    assignment.start_reading(case, doctor)
    assignment.take_over(case, colleague)
    assignment.take_over(case, colleague)
    assert stands(case) == (ReadingState.IN_READING, colleague)
    event = AuditEvent.objects.get(action="take_over")
    assert (event.user, event.detail, event.case_id) == (colleague, {"from": str(doctor.pk)}, case.pk)
    assert told(doctor) == ["taken_over"]
    reading.save_reading(case, user=colleague, reading="malignant")
    assert refused(reading.sign, case, doctor) == "not_your_reading"


def test_who_lost_the_case_cannot_sign_the_own_draft_any_more(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="benign")
    assignment.take_over(case, colleague)
    assert refused(reading.sign, case, doctor) == "assigned_to_other"


def test_a_draft_keeps_its_state_through_take_over_and_release(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="benign")
    assignment.take_over(case, colleague)
    assert stands(case) == (ReadingState.PRELIMINARY, colleague)
    assignment.release(case, colleague)
    assert stands(case) == (ReadingState.PRELIMINARY, None)


def test_a_released_case_is_unread_and_only_its_reader_releases_it(case, doctor, colleague):
    assignment.start_reading(case, doctor)
    assert refused(assignment.release, case, colleague) == "not_yours"
    assignment.release(case, doctor)
    assert stands(case) == (ReadingState.UNREAD, None)
    assert refused(assignment.release, case, doctor) == "not_yours"


def test_an_assigned_case_stays_unread_until_the_colleague_begins(case, doctor, colleague):
    assignment.start_reading(case, doctor)
    assignment.assign(case, colleague, doctor)
    assignment.assign(case, colleague, doctor)
    assert stands(case) == (ReadingState.UNREAD, colleague)
    assert told(colleague) == ["assigned"]
    assignment.start_reading(case, colleague)
    assert stands(case) == (ReadingState.IN_READING, colleague)


@pytest.mark.parametrize("who", ["inactive", "clerk", "elsewhere", "oneself"])
def test_only_an_active_doctor_of_the_department_can_be_given_a_case(case, doctor, clerk, second_doctor, who):
    inactive = UserFactory(department=doctor.department, roles=["doctor"], is_active=False)
    to = {"inactive": inactive, "clerk": clerk, "elsewhere": second_doctor, "oneself": doctor}[who]
    assert refused(assignment.assign, case, to, doctor) == "bad_field"
    assert stands(case) == (ReadingState.UNREAD, None)


def test_the_case_of_a_deactivated_colleague_can_be_taken_over_and_nobody_is_told(case, doctor, colleague):
    assignment.start_reading(case, colleague)
    colleague.is_active = False
    colleague.save()
    case.refresh_from_db()
    assert assignment.has_left(case.assigned_to, case)
    assignment.take_over(case, doctor)
    assert stands(case) == (ReadingState.IN_READING, doctor)
    assert not Notification.objects.exists()


def test_a_signed_case_changes_hands_no_more(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="benign")
    reading.sign(case, doctor)
    for call in (assignment.start_reading, assignment.take_over):
        assert refused(call, case, colleague) == "case_signed"
    assert refused(assignment.release, case, doctor) == "case_signed"
    assert refused(assignment.assign, case, colleague, doctor) == "case_signed"
    assert stands(case) == (ReadingState.FINAL, doctor)


def test_nobody_but_a_doctor_takes_a_case(case, clerk):
    for call in (assignment.start_reading, assignment.take_over, assignment.release):
        with pytest.raises(PermissionDenied):
            call(case, clerk)


def test_a_case_in_reading_still_takes_films_and_a_case_whose_analysis_failed_can_be_read(doctor, monkeypatch):
    monkeypatch.setattr(queue, "wake", lambda _: True)
    study = StudyFactory(owner=doctor.department, accession_number="A1", patient__patient_id="R1")
    result("failed", study=study)
    assignment.start_reading(study, doctor)
    fields = CaseFields(patient_id="R1", accession_number="A1")
    posted = intake.submit_image(user=doctor, token=None, upload=ContentFile(png_bytes(seed=9)), fields=fields)
    assert posted.analysis.image.study_id == study.pk
    reading.save_reading(study, user=doctor, reading="cannot_tell")
    assert stands(study) == (ReadingState.PRELIMINARY, doctor)


def test_a_mail_says_that_a_case_waits_and_nothing_else(case, doctor, colleague, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assignment.assign(case, colleague, doctor)
    (letter,) = mail.outbox
    assert letter.to == [colleague.email]
    text = letter.subject + letter.body
    assert f"/cases/{case.pk}/" in text
    for secret in (case.patient.patient_id, case.patient.patient_name, case.accession_number, "enign", "0.10"):
        assert secret not in text


def test_a_mail_server_that_is_away_undoes_nothing(
    case, doctor, colleague, settings, django_capture_on_commit_callbacks
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with django_capture_on_commit_callbacks(execute=True):
        assignment.assign(case, colleague, doctor)
    assert told(colleague) == ["assigned"]


def test_each_kind_goes_where_its_reader_chose(case, doctor, colleague, django_capture_on_commit_callbacks):
    notifications.choose(colleague, {"assigned": (False, False)})
    notifications.choose(doctor, {"taken_over": (True, True)})
    with django_capture_on_commit_callbacks(execute=True):
        assignment.assign(case, colleague, doctor)
    assert told(colleague) == []
    assert mail.outbox == []
    assignment.take_over(case, doctor)
    with django_capture_on_commit_callbacks(execute=True):
        assignment.take_over(case, colleague)
    assert told(doctor) == ["taken_over"]
    assert [letter.to for letter in mail.outbox] == [[doctor.email]]


def failing(study: Study, doctor) -> None:
    analysis = AnalysisFactory(image=ImageFactory(study=study), requested_by=doctor)
    claim = queue.claim(analysis.pk, "w")
    queue.fail(claim, "unreadable", "Export it again.")


def test_a_failed_analysis_is_told_to_who_asked_and_who_reads_but_not_to_the_blind(case, doctor, colleague):
    assignment.start_reading(case, colleague)
    failing(case, doctor)
    assert told(doctor) == told(colleague) == ["analysis_failed"]
    Notification.objects.all().delete()
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    failing(case, doctor)
    assert told(doctor) == told(colleague) == []


def test_what_was_told_before_the_department_read_first_is_not_shown_to_the_blind(case, doctor):
    failing(case, doctor)
    assert notifications.visible_to(doctor).count() == 1
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    assert notifications.visible_to(doctor).count() == 0


def test_an_addendum_is_told_to_the_other_readers_of_the_case(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="benign")
    reading.sign(case, doctor)
    reading.add_addendum(case, colleague, "Seen again.")
    assert told(doctor) == ["amended"]
    assert told(colleague) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_doctors_who_start_at_once_one_has_the_case(case, doctor, colleague):
    if connection.vendor != "postgresql":
        pytest.skip("needs Postgres: SQLite has one writer at a time")
    gate, codes = threading.Barrier(2), []

    def start(user) -> None:
        try:
            gate.wait()
            assignment.start_reading(Study.objects.get(pk=case.pk), user)
            codes.append("taken")
        except Conflict as error:
            codes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=start, args=(user,)) for user in (doctor, colleague)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["assigned_to_other", "taken"]
