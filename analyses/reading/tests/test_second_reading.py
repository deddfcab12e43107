"""Second readings: asked, answered without sight of the first, compared, withdrawn, printed in one line."""

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, Invalid
from analyses.models import Notification, Report, SecondReading, Study
from analyses.reading import second_reading
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.reports.tests.test_content import text_of
from analyses.tests.factories import StudyFactory, result
from analyses.worklist import assignment

pytestmark = pytest.mark.django_db
SECRET = "Sclerotic margin, to my eye a fibrous cortical defect."


@pytest.fixture
def case(department, doctor) -> Study:
    """A case with the doctor's draft."""
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    reading.save_reading(study, user=doctor, reading="benign", impression=SECRET)
    return study


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", name="Colleague", department=department, roles=["doctor"])


@pytest.fixture
def asked(case, doctor, colleague) -> SecondReading:
    return second_reading.ask(case, user=doctor, colleague=colleague, question="Is the margin sclerotic?")


def refused(call, *args, **kwargs) -> str:
    with pytest.raises((Conflict, Invalid)) as caught:
        call(*args, **kwargs)
    return caught.value.code


def url(case, tail: str = "") -> str:
    return f"/cases/{case.pk}/{tail}"


def test_a_question_reaches_the_colleague_in_worklist_portal_and_mail(
    client, case, doctor, colleague, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        second_reading.ask(case, user=doctor, colleague=colleague, question="Is the margin sclerotic?")
    assert Notification.objects.get(user=colleague).kind == "second_asked"
    assert "sclerotic" not in mail.outbox[0].subject + mail.outbox[0].body
    client.force_login(colleague)
    page = client.get("/cases/?assigned=asked")
    assert [row.pk for row in page.context["rows"]] == [case.pk]
    client.force_login(doctor)
    assert client.get("/cases/?assigned=asked").context["rows"] == []


def test_the_colleague_sees_question_films_and_form_but_nothing_of_the_first_reading(client, case, asked, colleague):
    client.force_login(colleague)
    for address in (url(case), url(case, f"films/{case.images.get().analyses.get().pk}/panel/?seen=")):
        text = client.get(address).content.decode()
        assert "Is the margin sclerotic?" in text
        assert "The first reading is hidden until you have answered." in text
        assert SECRET not in text
        assert "Overrules the model" not in text
        assert 'value="benign" checked' not in text
        assert "Your reading" not in text


def test_who_is_asked_cannot_look_at_the_first_reading_by_another_way(client, case, asked, colleague):
    client.force_login(colleague)
    for tail in ("start/", "take-over/"):
        assert client.post(url(case, tail)).status_code == 409
    refusal = client.post(url(case, "reading/"), {"reading": "malignant"})
    assert refusal.status_code == 409
    assert SECRET not in refusal.content.decode()
    assert SECRET not in client.post(url(case, f"second/{asked.pk}/"), {"reading": "benign"}).content.decode()


def test_an_answer_keeps_both_readings_and_both_doctors_see_the_comparison(client, case, asked, doctor, colleague):
    client.force_login(colleague)
    answer = {"reading": "malignant", "likelihood": "80", "text": "Cortex broken."}
    assert client.post(url(case, f"second/{asked.pk}/"), answer).status_code == 302
    asked.refresh_from_db()
    assert (asked.reading, asked.likelihood, asked.text) == ("malignant", 80, "Cortex broken.")
    assert (asked.first_reader, asked.first_reading) == (doctor, "benign")
    assert asked.answered_at >= asked.asked_at
    reading.save_reading(case, user=doctor, reading="malignant")
    for user in (colleague, doctor):
        client.force_login(user)
        text = client.get(url(case)).content.decode()
        assert "Cortex broken." in text
        assert "The readings differ." in text
    assert Notification.objects.filter(user=doctor).latest("created_at").kind == "second_answered"
    actions = AuditEvent.objects.filter(case_id=case.pk).values_list("action", flat=True)
    assert {"ask_second_reading", "answer_second_reading"} <= set(actions)


@pytest.mark.parametrize(
    ("reading", "likelihood"), [("", 5), ("lump", 5), ("benign", None), ("benign", 101), ("cannot_tell", 50)]
)
def test_an_answer_needs_a_reading_and_a_likelihood_that_belongs_to_it(
    client, case, asked, colleague, reading, likelihood
):
    assert refused(second_reading.answer, asked, user=colleague, reading=reading, likelihood=likelihood) == "bad_field"
    client.force_login(colleague)
    body = {"reading": reading, "likelihood": "" if likelihood is None else likelihood, "text": "typed"}
    page = client.post(url(case, f"second/{asked.pk}/"), body)
    assert page.status_code == 400
    assert "typed" in page.content.decode()
    asked.refresh_from_db()
    assert asked.is_open


def test_cannot_tell_is_an_answer_without_a_number(asked, colleague):
    second_reading.answer(asked, user=colleague, reading="cannot_tell")
    asked.refresh_from_db()
    assert (asked.reading, asked.likelihood, asked.is_open) == ("cannot_tell", None, False)


def test_an_answer_is_given_once_and_by_who_was_asked(asked, doctor, colleague):
    assert refused(second_reading.answer, asked, user=doctor, reading="benign", likelihood=1) == "not_asked_of_you"
    second_reading.answer(asked, user=colleague, reading="benign", likelihood=10)
    assert (
        refused(second_reading.answer, asked, user=colleague, reading="malignant", likelihood=90) == "already_answered"
    )
    asked.refresh_from_db()
    assert asked.likelihood == 10


def test_a_double_submit_asks_once(client, case, doctor, colleague):
    client.force_login(doctor)
    body = {"colleague": colleague.pk, "question": "Margin?"}
    assert client.post(url(case, "second/"), body).status_code == 302
    assert client.post(url(case, "second/"), body).status_code == 409
    assert SecondReading.objects.count() == 1


def test_only_another_active_doctor_of_the_department_is_asked_and_not_who_reads_the_case(
    case, doctor, colleague, clerk, second_doctor
):
    gone = UserFactory(department=doctor.department, roles=["doctor"], is_active=False)
    for wrong in (doctor, clerk, second_doctor, gone, None):
        assert refused(second_reading.ask, case, user=doctor, colleague=wrong, question="?") == "bad_field"
    assert refused(second_reading.ask, case, user=doctor, colleague=colleague, question=" ") == "bad_field"
    assert refused(second_reading.ask, case, user=colleague, colleague=doctor, question="?") == "has_the_case"
    assignment.take_over(case, colleague)
    assert refused(second_reading.ask, case, user=colleague, colleague=doctor, question="?") == "has_read"
    with pytest.raises(PermissionDenied):
        second_reading.ask(case, user=clerk, colleague=colleague, question="?")


def test_the_case_is_signed_once_the_question_is_answered_or_withdrawn(case, asked, doctor, colleague):
    assert refused(reading.sign, case, doctor) == "second_reading_open"
    second_reading.answer(asked, user=colleague, reading="benign", likelihood=10)
    reading.sign(case, doctor)
    assert refused(second_reading.ask, case, user=doctor, colleague=colleague, question="?") == "case_signed"


def test_a_question_is_withdrawn_by_who_asked_or_has_the_case_and_not_by_who_was_asked(case, asked, doctor, colleague):
    third = UserFactory(department=doctor.department, roles=["doctor"])
    for user in (colleague, third):
        assert refused(second_reading.withdraw, asked, user) == "not_yours"
    assignment.take_over(case, third)
    second_reading.withdraw(asked, third)
    second_reading.withdraw(asked, doctor)
    assert AuditEvent.objects.filter(action="withdraw_second_reading").count() == 1
    assert refused(second_reading.answer, asked, user=colleague, reading="benign", likelihood=1) == "withdrawn"
    assert not CaseState(case, colleague).hides_first_reading


def test_the_question_to_a_colleague_who_was_deactivated_is_shown_as_such_and_can_be_withdrawn(
    client, case, asked, doctor, colleague
):
    colleague.is_active = False
    colleague.save()
    client.force_login(doctor)
    assert "Colleague, no longer in the department" in client.get(url(case)).content.decode()
    assert client.post(url(case, f"second/{asked.pk}/withdraw/")).status_code == 302
    reading.sign(case, doctor)


def test_a_second_reader_sees_no_other_colleagues_answer_before_the_own(client, case, asked, doctor, colleague):
    third = UserFactory(department=doctor.department, roles=["doctor"])
    second_reading.ask(case, user=doctor, colleague=third, question="And you?")
    second_reading.answer(asked, user=colleague, reading="malignant", likelihood=80, text="Cortex broken.")
    client.force_login(third)
    assert "Cortex broken." not in client.get(url(case)).content.decode()


def test_one_line_of_the_signed_report_says_what_the_second_reader_said(case, asked, doctor, colleague):
    second_reading.answer(asked, user=colleague, reading="malignant", likelihood=80)
    reading.sign(case, doctor)
    assert "malignant, likelihood of malignancy 80 of 100" in " ".join(text_of(case, doctor).split())


def test_an_answer_supersedes_the_preliminary_report_issued_before(case, asked, doctor, colleague):
    before = reports.issue_report(case, doctor)
    second_reading.answer(asked, user=colleague, reading="malignant", likelihood=80)
    assert Report.objects.get(pk=before.pk).state == "superseded"


def test_texts_and_marks_are_the_same_for_a_blind_colleague_whatever_the_model_said(
    client, department, doctor, colleague
):
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save()
    sections = set()
    for outcome in ("malignant", "normal", "withheld", "failed"):
        study = StudyFactory(owner=department)
        result(outcome, study=study)
        second = second_reading.ask(study, user=doctor, colleague=colleague, question="Your view?")
        client.force_login(colleague)
        page = client.get(url(study)).content.decode()
        section = page.split('aria-labelledby="second-head"')[1].split("</section>")[0]
        section = section.replace(str(study.pk), "").replace(str(second.pk), "").split("<time")
        sections.add(section[0] + section[1].split("</time>")[1].split("csrfmiddlewaretoken")[0])
    assert len(sections) == 1
