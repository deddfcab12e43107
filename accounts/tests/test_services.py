"""Changes to people, departments and settings."""

from threading import Barrier, Thread

import pytest
from django.core import mail
from django.db import connection

from accounts.errors import Refused
from accounts.models import AuditEvent, Department, PortalSettings, User
from accounts.services import (
    change_settings,
    choose_operating_point,
    create_department,
    create_person,
    deactivate,
    edit_person,
    portal_settings,
    reactivate,
    rename,
    rename_department,
    send_password_link,
    set_roles,
)
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def event(action: str) -> AuditEvent:
    return AuditEvent.objects.get(action=action)


def test_a_new_person_has_the_roles_and_no_usable_password(administrator, department):
    made = create_person(
        email=" New@Example.ORG ", name="", roles=["doctor", "auditor"], department=department, by=administrator
    )
    assert made.email == "new@example.org"
    assert made.roles == {"doctor", "auditor"}
    assert not made.has_usable_password()
    assert event("person_created").detail == {"roles": ["auditor", "doctor"]}


@pytest.mark.parametrize(
    ("email", "roles", "code"),
    [
        ("not an address", ["auditor"], "bad_email"),
        ("admin@example.org", ["auditor"], "email_taken"),
        ("ADMIN@example.org", ["auditor"], "email_taken"),
        ("new@example.org", [], "bad_roles"),
        ("new@example.org", ["emperor"], "bad_roles"),
        ("new@example.org", ["doctor"], "department_needed"),
        ("new@example.org", ["clerk"], "department_needed"),
        ("new@example.org", ["api_client"], "department_needed"),
    ],
)
def test_a_person_who_cannot_be_made_leaves_nothing_behind(administrator, email, roles, code):
    with pytest.raises(Refused) as refusal:
        create_person(email=email, roles=roles, department=None, by=administrator)
    assert refusal.value.code == code
    assert refusal.value.fields
    assert User.objects.get() == administrator
    assert not AuditEvent.objects.exists()


def test_changed_roles_are_recorded_with_what_came_and_went(administrator, doctor, department):
    set_roles(doctor, roles=["clerk", "auditor"], department=department, by=administrator)
    assert User.objects.get(pk=doctor.pk).roles == {"clerk", "auditor"}
    detail = event("role_changed").detail
    assert (detail["added"], detail["removed"]) == (["auditor", "clerk"], ["doctor"])


def test_saving_the_same_roles_again_records_nothing(administrator, doctor, department):
    set_roles(doctor, roles=["doctor"], department=department, by=administrator)
    assert not AuditEvent.objects.exists()


def test_the_last_administrator_keeps_the_role_and_stays_active(administrator):
    with pytest.raises(Refused) as refusal:
        set_roles(administrator, roles=["auditor"], department=None, by=administrator)
    assert refusal.value.code == "last_administrator"
    with pytest.raises(Refused) as refusal:
        deactivate(administrator, by=administrator)
    assert refusal.value.code == "last_administrator"
    kept = User.objects.get()
    assert kept.is_active
    assert kept.roles == {"administrator"}


def test_a_deactivated_administrator_does_not_count_as_another_one(administrator):
    UserFactory(roles=["administrator"], is_active=False)
    with pytest.raises(Refused):
        deactivate(administrator, by=administrator)


def test_one_of_two_administrators_may_go(administrator):
    second = UserFactory(roles=["administrator"])
    deactivate(second, by=administrator)
    assert not User.objects.get(pk=second.pk).is_active


def test_deactivating_twice_is_recorded_once_and_so_is_coming_back(administrator, doctor):
    for _ in range(2):
        deactivate(doctor, by=administrator)
    assert event("person_deactivated").detail == {"sessions_ended": 0, "tokens_revoked": 0}
    for _ in range(2):
        reactivate(doctor, by=administrator)
    assert event("person_reactivated").object_id == str(doctor.pk)
    assert User.objects.get(pk=doctor.pk).is_active


def test_a_refused_change_of_roles_does_not_change_the_name_either(administrator):
    with pytest.raises(Refused):
        edit_person(administrator, name="Somebody", roles=["auditor"], department=None, by=administrator)
    assert User.objects.get().name == ""


def test_a_name_is_recorded_only_when_it_changes(doctor):
    rename(doctor, name=" Reader 1 ", by=doctor)
    rename(doctor, name="Reader 1", by=doctor)
    assert User.objects.get().name == "Reader 1"
    assert event("person_renamed").detail == {}


def test_the_link_goes_by_mail_and_is_not_shown_to_the_administrator(administrator, doctor, settings):
    settings.PUBLIC_URL = "https://bonescan.example.org"
    assert send_password_link(doctor, by=administrator) is None
    (message,) = mail.outbox
    assert message.to == [doctor.email]
    assert "https://bonescan.example.org/accounts/password/reset/key/" in message.body
    assert event("password_link").detail == {"by_mail": True}


def test_without_a_mail_server_the_administrator_gets_the_link(administrator, doctor, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    link = send_password_link(doctor, by=administrator)
    assert link.startswith(settings.PUBLIC_URL)
    assert not mail.outbox


def test_no_link_for_a_deactivated_account(administrator):
    with pytest.raises(Refused, match="Reactivate"):
        send_password_link(UserFactory(is_active=False), by=administrator)


def test_a_mail_server_that_refuses_is_told_as_such(administrator, doctor, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with pytest.raises(Refused) as refusal:
        send_password_link(doctor, by=administrator)
    assert refusal.value.code == "mail_failed"


def test_departments_have_different_names_whatever_the_case(administrator):
    first = create_department(name="  Bone   and joint ", by=administrator)
    assert first.name == "Bone and joint"
    assert event("department_created").object_id == str(first.pk)
    for name, code in (("bone AND joint", "name_taken"), ("   ", "no_name")):
        with pytest.raises(Refused) as refusal:
            create_department(name=name, by=administrator)
        assert refusal.value.code == code
    assert Department.objects.count() == 1


def test_a_department_may_be_written_differently_but_not_like_another(administrator, department, other_department):
    rename_department(department, name="ORTHOPAEDICS", by=administrator)
    with pytest.raises(Refused):
        rename_department(department, name=other_department.name, by=administrator)
    assert Department.objects.get(pk=department.pk).name == "ORTHOPAEDICS"


def test_settings_have_defaults_and_one_row(administrator):
    assert portal_settings().institution_name == "BoneScan trial installation"
    assert not PortalSettings.objects.exists()
    for _ in range(2):
        change_settings(institution_name="Clinic", contact="", tumour_centre="", by=administrator)
    assert PortalSettings.objects.get().pk == 1
    assert portal_settings().institution_name == "Clinic"
    changes = AuditEvent.objects.filter(action="settings_changed").order_by("id").values_list("detail", flat=True)
    assert [detail["changed"] for detail in changes] == [["institution_name"], []]


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_deactivate_each_other_at_once_leave_one(administrator):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer in at a time")
    second = UserFactory(roles=["administrator"])
    start, answers = Barrier(2), []

    def leave(user: User) -> None:
        start.wait()
        try:
            deactivate(user, by=None)
        except Refused as refusal:
            answers.append(refusal.code)
        finally:
            connection.close()

    threads = [Thread(target=leave, args=[user]) for user in (administrator, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert answers == ["last_administrator"]
    assert User.objects.active().count() == 1


def test_an_operating_point_that_nobody_knows_is_refused(department, administrator):
    with pytest.raises(Refused) as refusal:
        choose_operating_point(department, operating_point="reckless", by=administrator)
    assert refusal.value.code == "unknown_operating_point"
    department.refresh_from_db()
    assert department.operating_point == "balanced"
