"""The case page's part in the worklist: whose the case is, who has it open, and the way to the next one."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.models import CasePresence, Notification, ReadingState, Review, Study
from analyses.reading import services as reading
from analyses.tests.factories import ADVISED, PatientFactory, StudyFactory, result
from analyses.worklist import assignment, presence

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", name="Colleague", department=department, roles=["doctor"])


@pytest.fixture
def case(department) -> Study:
    return result("benign", study=StudyFactory(owner=department)).image.study


def url(case, tail: str = "") -> str:
    return f"/cases/{case.pk}/{tail}"


def test_opening_a_case_takes_it_only_when_the_doctor_says_so(web, case, doctor):
    assert "Nobody is reading this case." in web.get(url(case)).content.decode()
    case.refresh_from_db()
    assert case.reading_state == ReadingState.UNREAD
    assert web.post(url(case, "start/"))["Location"] == url(case)
    case.refresh_from_db()
    assert (case.reading_state, case.assigned_to) == (ReadingState.IN_READING, doctor)
    assert "You are reading this case." in web.get(url(case)).content.decode()


def test_a_colleagues_case_says_whose_it_is_and_offers_to_take_it_over(web, case, doctor, colleague):
    assignment.start_reading(case, colleague)
    text = web.get(url(case)).content.decode()
    assert "Colleague is reading this case." in text
    assert "Take over" in text
    web.post(url(case, "take-over/"))
    case.refresh_from_db()
    assert case.assigned_to == doctor


def test_a_reading_of_a_colleagues_case_is_refused_and_stays_on_the_page_through_the_take_over(web, case, colleague):
    assignment.start_reading(case, colleague)
    body = {"reading": "malignant", "impression": "Typed with care."}
    page = web.post(url(case, "reading/"), body)
    assert page.status_code == 409
    text = page.content.decode()
    assert "This case is assigned to Colleague. Nothing was saved" in text
    assert "Typed with care." in text
    assert not Review.objects.exists()
    # The take-over answers the line alone: the form beside it is not touched.
    line = web.post(url(case, "take-over/"), headers=HTMX).content.decode()
    assert "You are reading this case." in line
    assert "<textarea" not in line
    assert web.post(url(case, "reading/"), body).status_code == 302


def test_a_reader_who_is_gone_is_shown_as_such_and_the_case_can_be_taken_over(web, case, doctor, colleague):
    assignment.start_reading(case, colleague)
    colleague.is_active = False
    colleague.save()
    assert "Assigned to Colleague, no longer in the department." in web.get(url(case)).content.decode()
    assert web.post(url(case, "take-over/")).status_code == 302
    case.refresh_from_db()
    assert case.assigned_to == doctor


def test_a_second_tab_that_starts_or_releases_again_is_told_how_things_stand(web, case, doctor):
    for _ in range(2):
        assert web.post(url(case, "start/")).status_code == 302
    assert web.post(url(case, "release/")).status_code == 302
    assert web.post(url(case, "release/")).status_code == 409
    refusal = web.post(url(case, "release/"), headers=HTMX)
    assert refusal.status_code == 200
    assert "The case is not assigned to you." in refusal.content.decode()


def test_a_case_is_handed_to_a_colleague_and_to_nobody_else(web, case, colleague, second_doctor):
    assert web.post(url(case, "hand-over/"), {"colleague": second_doctor.pk}).status_code == 400
    assert web.post(url(case, "hand-over/"), {"colleague": colleague.pk}).status_code == 302
    case.refresh_from_db()
    assert (case.assigned_to, case.reading_state) == (colleague, ReadingState.UNREAD)
    assert "Assigned to Colleague." in web.get(url(case)).content.decode()


def test_the_beat_tells_who_else_has_the_case_open_until_a_minute_after_their_last(
    web, client, case, doctor, colleague
):
    presence.record_presence(case, colleague)
    assert "Colleague has this case open." in web.post(url(case, "presence/")).content.decode()
    CasePresence.objects.filter(user=colleague).update(seen_at=timezone.now() - timedelta(seconds=61))
    assert "has this case open" not in web.post(url(case, "presence/")).content.decode()
    assert CasePresence.objects.get(user=doctor).seen_at > timezone.now() - timedelta(seconds=10)


def test_the_beat_exchanges_nothing_while_the_page_shows_the_line_as_it_is(web, case, colleague):
    page = web.get(url(case)).content.decode()
    shown = re.search(r'name="shown" value="(\w{16})"', page)[1]
    assert web.post(url(case, "presence/"), {"shown": shown}).status_code == 204
    presence.record_presence(case, colleague)
    assert web.post(url(case, "presence/"), {"shown": shown}).status_code == 200


def test_a_refusal_is_exchanged_by_the_next_beat(web, case, colleague):
    assignment.start_reading(case, colleague)
    refused = web.post(url(case, "start/"), headers=HTMX).content.decode()
    assert 'role="alert"' in refused
    assert 'name="shown" value=""' in refused


def test_the_beat_marks_what_was_told_of_this_case_as_read_and_nothing_else(web, case, department, doctor, colleague):
    other = StudyFactory(owner=department)
    for study in (case, other):
        assignment.assign(study, doctor, colleague)
    web.post(url(case, "presence/"))
    assert Notification.objects.get(study=case).read_at is not None
    assert Notification.objects.get(study=other).read_at is None


def test_the_beat_is_in_no_log_and_keeps_no_session_alive_and_its_refusal_moves_no_page(web, client, case, settings):
    web.get(url(case))
    events = AuditEvent.objects.count()
    seen = dict(web.session.items())
    web.post(url(case, "presence/"), headers=HTMX)
    assert AuditEvent.objects.count() == events
    assert dict(web.session.items()) == seen
    web.logout()
    refused = web.post(url(case, "presence/"), headers=HTMX)
    assert refused.status_code == 401
    assert "HX-Redirect" not in refused.headers


def test_the_beat_says_the_same_whatever_was_answered(web, department):
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save()
    lines = set()
    for outcome in ("malignant", "normal", "withheld", "failed"):
        study = result(outcome, study=StudyFactory(owner=department)).image.study
        line = web.post(url(study, "presence/")).content.decode()
        lines.add(line.replace(str(study.pk), "").split("csrfmiddlewaretoken")[0])
    assert len(lines) == 1


# --- the next case ---------------------------------------------------------------------------------------------------
def named(department, record: str, outcome: str = "") -> Study:
    study = StudyFactory(owner=department, patient=PatientFactory(department=department, patient_id=record))
    if outcome:
        result(outcome, study=study)
    return study


def following(web, study) -> str:
    location = web.get(url(study, "next/"))["Location"]
    found = Study.objects.filter(pk=location.split("/")[2]).first() if location.count("/") > 2 else None
    return found.patient.patient_id if found else location


def test_the_next_case_follows_the_order_of_the_list_last_looked_at(web, department):
    a, b, c = (named(department, name) for name in "ABC")
    web.get("/cases/?order=-received")
    assert (following(web, c), following(web, b)) == ("B", "A")
    web.get("/cases/")
    assert (following(web, a), following(web, b)) == ("B", "C")


def test_the_next_case_stays_within_the_filters_and_goes_on_from_the_top(web, department):
    a, _, c = (named(department, name) for name in ("R1", "X", "R2"))
    web.get("/cases/?q=R")
    assert following(web, a) == "R2"
    assert following(web, c) == "R1"
    assert "Continuing with the first open case." in web.get("/cases/").content.decode()


def test_the_last_open_case_is_told_of_when_no_other_is_left(web, department):
    a, c = (named(department, name) for name in ("R1", "R2"))
    Study.objects.filter(pk=a.pk).update(reading_state="final")
    web.get("/cases/?q=R")
    assert following(web, c).startswith("/cases/?")
    assert "This was the last open case in the list." in web.get("/cases/").content.decode()


def test_the_next_case_is_neither_signed_nor_a_colleagues(web, department, doctor, colleague):
    a, b, c, _ = (named(department, name) for name in "ABCD")
    assignment.start_reading(b, colleague)
    Study.objects.filter(pk=c.pk).update(reading_state="final")
    web.get("/cases/")
    assert following(web, a) == "D"
    colleague.is_active = False
    colleague.save()
    assert following(web, a) == "B"


def test_after_signing_the_next_case_is_the_one_that_came_after_it(web, department, doctor):
    named(department, "A", "normal")
    b = named(department, "B", "malignant")
    named(department, "C", "malignant")
    web.get("/cases/?reading=unread")
    reading.save_reading(b, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(b, doctor)
    assert following(web, b) == "C"
    assert 'aria-keyshortcuts="n"' in web.get(url(b)).content.decode()


def test_the_next_case_of_a_blind_doctor_is_the_one_that_waited_longest_whatever_was_answered(web, department):
    first = named(department, "A", "normal")
    named(department, "B", "normal")
    named(department, "C", "malignant")
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save()
    for query in ("", "?order=priority", "?outcome="):
        web.get(f"/cases/{query}")
        assert following(web, first) == "B"
    web.get("/cases/?outcome=malignant")
    assert following(web, first).startswith("/cases/?")
