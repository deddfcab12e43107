"""The administrator's pages."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, AuditEvent, Department, User
from accounts.services import authenticate_token, portal_settings
from accounts.tests.factories import ApiTokenFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_page(client, administrator):
    client.force_login(administrator)
    return client


def text(answer) -> str:
    return answer.content.decode()


def test_the_list_shows_everybody_with_roles(admin_page, doctor, clerk):
    page = text(admin_page.get(reverse("accounts:people")))
    for words in (doctor.email, clerk.email, "Report clerk", "Orthopaedics"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "DOCTOR@"}, ["doctor@example.org"]),
        ({"q": "reader"}, ["clerk@example.org"]),
        ({"role": "auditor"}, ["auditor@example.org"]),
        ({"state": "deactivated"}, ["gone@example.org"]),
        ({"q": "nobody at all"}, []),
    ],
)
def test_people_are_found(admin_page, doctor, clerk, auditor, query, found):
    User.objects.filter(pk=clerk.pk).update(name="Reader 1")
    UserFactory(email="gone@example.org", is_active=False)
    answer = admin_page.get(reverse("accounts:people"), query)
    assert [row.email for row in answer.context["page_obj"]] == found
    if not found:
        assert "No matches" in text(answer)


def test_the_number_of_queries_does_not_grow_with_the_people(admin_page, department, django_assert_max_num_queries):
    for _ in range(30):
        UserFactory(department=department, roles=["doctor", "auditor"])
    with django_assert_max_num_queries(14):
        admin_page.get(reverse("accounts:people"))


def test_a_new_person_gets_a_mail_with_a_link(admin_page, department):
    fields = {"email": "new@example.org", "name": "", "roles": ["doctor"], "department": department.pk}
    answer = admin_page.post(reverse("accounts:person_new"), fields)
    made = User.objects.get(email="new@example.org")
    assert answer.url == reverse("accounts:person", args=[made.pk])
    assert made.roles == {"doctor"}
    assert mail.outbox[0].to == ["new@example.org"]


def test_without_a_mail_server_the_link_is_shown_this_once(admin_page, department, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    fields = {"email": "new@example.org", "roles": ["doctor"], "department": department.pk}
    answer = admin_page.post(reverse("accounts:person_new"), fields)
    link = re.search(r'id="password-link">(\S+?)<', text(answer)).group(1)
    assert "/accounts/password/reset/key/" in link
    assert "no-store" in answer["Cache-Control"]
    assert link not in text(
        admin_page.get(reverse("accounts:person", args=[User.objects.get(email="new@example.org").pk]))
    )


def test_a_refusal_stands_at_its_field(admin_page, doctor):
    fields = {"email": doctor.email.upper(), "roles": ["doctor"], "department": doctor.department_id}
    answer = admin_page.post(reverse("accounts:person_new"), fields)
    assert answer.context["form"].errors["email"] == ["An account with this address already exists."]
    fields = {"email": "new@example.org", "roles": ["doctor"], "department": ""}
    answer = admin_page.post(reverse("accounts:person_new"), fields)
    assert "department" in answer.context["form"].errors
    assert User.objects.filter(email="new@example.org").count() == 0


def test_roles_and_department_are_changed(admin_page, doctor, other_department):
    url = reverse("accounts:person", args=[doctor.pk])
    fields = {"name": "Reader 1", "roles": ["clerk", "auditor"], "department": other_department.pk}
    assert admin_page.post(url, fields).url == url
    changed = User.objects.get(pk=doctor.pk)
    assert (changed.name, changed.roles, changed.department) == ("Reader 1", {"clerk", "auditor"}, other_department)


def test_a_person_loses_a_right_with_the_next_click(client, admin_page, doctor, department):
    from django.test import Client

    theirs = Client()
    theirs.force_login(doctor)
    assert theirs.get(reverse("accounts:tokens")).status_code == 200
    fields = {"name": "", "roles": ["clerk"], "department": department.pk}
    admin_page.post(reverse("accounts:person", args=[doctor.pk]), fields)
    assert theirs.get(reverse("accounts:tokens")).status_code == 403


def test_the_last_administrator_cannot_leave(admin_page, administrator):
    fields = {"name": "", "roles": ["auditor"], "department": ""}
    page = text(admin_page.post(reverse("accounts:person", args=[administrator.pk]), fields))
    assert "This is the last administrator" in page
    answer = admin_page.post(reverse("accounts:person_deactivate", args=[administrator.pk]), follow=True)
    assert "This is the last administrator" in text(answer)
    assert User.objects.get().is_active


def test_deactivating_and_back(admin_page, doctor):
    admin_page.post(reverse("accounts:person_deactivate", args=[doctor.pk]))
    assert not User.objects.get(pk=doctor.pk).is_active
    assert "Reactivate" in text(admin_page.get(reverse("accounts:person", args=[doctor.pk])))
    admin_page.post(reverse("accounts:person_reactivate", args=[doctor.pk]))
    assert User.objects.get(pk=doctor.pk).is_active


def test_no_link_for_a_deactivated_person(admin_page):
    gone = UserFactory(is_active=False)
    answer = admin_page.post(reverse("accounts:person_link", args=[gone.pk]), follow=True)
    assert "Reactivate the account first." in text(answer)


def token_fields() -> dict[str, str]:
    return {"name": "gateway", "expires_on": (timezone.localdate() + timedelta(30)).isoformat()}


def test_the_administrator_makes_a_token_for_a_machine(admin_page, api_client):
    page = text(admin_page.post(reverse("accounts:person_token", args=[api_client.pk]), token_fields()))
    plain = re.search(r'id="new-token">(bs_[\w-]{40})<', page).group(1)
    assert authenticate_token(plain).user == api_client
    assert ApiToken.objects.get().created_by.email == "admin@example.org"


@pytest.mark.parametrize("roles", [["doctor"], ["doctor", "api_client"], ["clerk"]])
def test_the_administrator_cannot_make_a_token_that_acts_for_a_person(admin_page, department, roles):
    person = UserFactory(roles=roles, department=department)
    admin_page.post(reverse("accounts:person_token", args=[person.pk]), token_fields())
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(action="access_denied", object_id=str(person.pk)).exists()


def test_the_administrator_revokes_anybodys_token(admin_page, doctor):
    token = ApiTokenFactory(user=doctor)
    answer = admin_page.post(reverse("accounts:token_revoke", args=[token.pk]))
    assert answer.url == reverse("accounts:person", args=[doctor.pk])
    assert ApiToken.objects.get().revoked_at is not None


def test_departments_are_added_and_renamed(admin_page, department, doctor):
    admin_page.post(reverse("accounts:departments"), {"name": "Radiology"})
    row = Department.objects.get(name="Radiology")
    admin_page.post(reverse("accounts:department", args=[row.pk]), {"name": "Imaging"})
    assert Department.objects.get(pk=row.pk).name == "Imaging"
    answer = admin_page.post(reverse("accounts:department", args=[row.pk]), {"name": "orthopaedics"})
    assert "already exists" in text(answer)
    assert "already exists" in text(admin_page.post(reverse("accounts:departments"), {"name": "imaging"}))


def test_a_department_chooses_its_operating_point(admin_page, department):
    url = reverse("accounts:department", args=[department.pk])
    assert "Balanced" in text(admin_page.get(reverse("accounts:departments")))
    admin_page.post(url, {"name": department.name, "operating_point": "rule_out"})
    assert Department.objects.get(pk=department.pk).operating_point == "rule_out"
    event = AuditEvent.objects.get(action="operating_point_changed")
    assert (event.department, event.detail) == (department, {"before": "balanced", "after": "rule_out"})
    assert not AuditEvent.objects.filter(action="department_renamed").exists()
    admin_page.post(url, {"name": department.name, "operating_point": "rule_out"})
    assert AuditEvent.objects.filter(action="operating_point_changed").count() == 1
    answer = admin_page.post(url, {"name": department.name, "operating_point": "reckless"})
    assert "not one of the available choices" in text(answer)
    assert Department.objects.get(pk=department.pk).operating_point == "rule_out"


def test_settings_are_saved(admin_page):
    fields = {"institution_name": "Clinic", "contact": "Tel. 4711", "tumour_centre": "Centre"}
    assert admin_page.post(reverse("accounts:settings"), fields).status_code == 302
    assert portal_settings().contact == "Tel. 4711"
    assert admin_page.post(reverse("accounts:settings"), {"institution_name": ""}).status_code == 200
    assert portal_settings().institution_name == "Clinic"


def test_unknown_ids_are_not_found(admin_page):
    nobody = "00000000-0000-4000-8000-000000000000"
    for name in ("accounts:person", "accounts:department"):
        assert admin_page.get(reverse(name, args=[nobody])).status_code == 404
    for name in ("person_deactivate", "person_reactivate", "person_link", "person_token", "token_revoke"):
        assert admin_page.post(reverse(f"accounts:{name}", args=[nobody])).status_code == 404


def test_a_department_chooses_when_its_doctors_see_the_answer(admin_page, department):
    url = reverse("accounts:department", args=[department.pk])
    assert b"Answer at once" in admin_page.get(url).content
    admin_page.post(url, {"name": department.name, "reading_mode": "own_first"})
    assert Department.objects.get(pk=department.pk).reading_mode == "own_first"
    event = AuditEvent.objects.get(action="reading_mode_changed")
    assert event.detail == {"before": "at_once", "after": "own_first"}
    admin_page.post(url, {"name": department.name, "reading_mode": "own_first"})
    admin_page.post(url, {"name": department.name})
    assert AuditEvent.objects.filter(action="reading_mode_changed").count() == 1
    answer = admin_page.post(url, {"name": department.name, "reading_mode": "never"})
    assert answer.status_code == 200
    assert Department.objects.get(pk=department.pk).reading_mode == "own_first"
    listed = admin_page.get(reverse("accounts:departments")).content
    assert b"Answer after my unaided reading" in listed
