"""The notifications page, the count beside it, and each doctor's choices."""

import pytest

from accounts.models import ReadingMode
from accounts.tests.factories import UserFactory
from analyses.models import Notification, NotificationChoice, NotificationKind
from analyses.notifications import services as notifications
from analyses.tests.factories import StudyFactory, result
from analyses.worklist import assignment

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", name="Colleague", department=department, roles=["doctor"])


def told(user, kind="assigned", **fields) -> Notification:
    study = fields.pop("study", None) or StudyFactory(owner=user.department)
    return Notification.objects.create(user=user, kind=kind, study=study, **fields)


def count_beside(response) -> int:
    return next(entry["count"] for entry in response.context["nav"] if entry["label"] == "Notifications")


def test_without_notifications_the_page_says_what_will_stand_here(web):
    text = web.get("/notifications/").content.decode()
    assert "No notifications" in text
    assert "nav-count" not in text


def test_what_was_told_stands_with_who_did_it_and_leads_to_the_case(web, doctor, colleague):
    study = StudyFactory(owner=doctor.department)
    assignment.assign(study, doctor, colleague)
    page = web.get("/notifications/")
    text = page.content.decode()
    assert "Colleague assigned a case to you." in text
    assert f'href="/cases/{study.pk}/"' in text
    assert count_beside(page) == 1


def test_one_or_all_are_marked_as_read_and_only_ones_own(web, doctor, colleague):
    mine, second, theirs = told(doctor), told(doctor), told(colleague)
    web.post("/notifications/read/", {"id": mine.pk})
    assert count_beside(web.get("/notifications/")) == 1
    web.post("/notifications/read/", {"id": theirs.pk})
    web.post("/notifications/read/")
    for row, is_read in ((mine, True), (second, True), (theirs, False)):
        row.refresh_from_db()
        assert (row.read_at is not None) is is_read
    assert web.post("/notifications/read/", {"id": "rubbish"}).status_code == 404


def test_a_doctor_who_moved_learns_nothing_more_of_the_earlier_department(web, doctor, other_department):
    told(doctor)
    doctor.department = other_department
    doctor.save()
    page = web.get("/notifications/")
    assert page.context["rows"] == []
    assert count_beside(page) == 0


def test_every_kind_has_its_words_and_a_choice(web, doctor, colleague):
    for kind in NotificationKind:
        told(doctor, kind, actor=colleague)
    assert len(web.get("/notifications/").context["rows"]) == len(NotificationKind)
    assert set(notifications.DEFAULTS) == set(NotificationKind)


def test_a_blind_doctor_gets_the_same_page_and_count_whatever_the_model_answered(web, doctor, department, colleague):
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save()
    pages = set()
    for outcome in ("malignant", "normal", "withheld", "failed"):
        Notification.objects.all().delete()
        study = StudyFactory(owner=department, patient__patient_id=outcome)
        result(outcome, study=study)
        told(doctor, "second_asked", study=study, actor=colleague)
        if outcome == "failed":
            told(doctor, "analysis_failed", study=study)
        page = web.get("/notifications/")
        assert count_beside(page) == 1
        text = page.content.decode().split("<tbody>")[1].split("csrfmiddlewaretoken")[0]
        pages.add(text.replace(str(study.pk), "").replace(outcome, "").split("<time")[0])
    assert len(pages) == 1


def test_choices_are_made_on_the_account_page_and_kept_for_the_own_account_only(web, doctor, colleague):
    text = web.get("/account/").content.decode()
    assert 'name="assigned-mail" aria-label="A case is assigned to me, by e-mail" checked' in text
    assert web.post("/notifications/choices/", {"taken_over-mail": "on"})["Location"] == "/account/"
    assert notifications.choices_of(doctor)["taken_over"] == (False, True)
    assert notifications.choices_of(doctor)["assigned"] == (False, False)
    assert notifications.choices_of(colleague) == notifications.DEFAULTS
    web.post("/notifications/choices/", {"taken_over-mail": "on"})
    assert NotificationChoice.objects.filter(user=doctor).count() == len(NotificationKind)
    assert (
        'name="assigned-mail" aria-label="A case is assigned to me, by e-mail">'
        in web.get("/account/").content.decode()
    )


@pytest.mark.parametrize("role", ["clerk", "administrator", "auditor", "api_client"])
def test_who_reads_no_cases_is_told_nothing_and_has_no_choice_to_make(client, request, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get("/notifications/").status_code == 403
    text = client.get("/account/").content.decode()
    assert "By e-mail" not in text
    assert "Notifications" not in text
