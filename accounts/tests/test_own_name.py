"""Title and full name of a doctor: asked for at the first sign-in, shown where the doctor signs."""

import pytest
from django.urls import reverse

from accounts import services
from accounts.errors import Refused
from accounts.models import AuditEvent, User
from accounts.tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
NAME = reverse("accounts:own_name")


def sign_in(client, user, next_page: str = ""):
    url = reverse("account_login") + (f"?next={next_page}" if next_page else "")
    return client.post(url, {"login": user.email, "password": PASSWORD})


def test_a_doctor_without_a_name_is_asked_once_after_signing_in(client, doctor):
    answer = sign_in(client, doctor, "/cases/")
    assert answer.url == f"{NAME}?next=%2Fcases%2F"
    assert client.get("/cases/").status_code == 200, "nothing waits for the answer"
    done = client.post(answer.url, {"title": "Dr", "name": "  Anna   Berg "})
    assert done.url == "/cases/"
    doctor.refresh_from_db()
    assert (doctor.title, doctor.name, doctor.signing_name) == ("Dr", "Anna Berg", "Dr Anna Berg")
    assert AuditEvent.objects.filter(action="person_renamed").count() == 1
    client.logout()
    assert sign_in(client, doctor, "/cases/").url == "/cases/"


@pytest.mark.parametrize("who", ["clerk", "api_client", "administrator", "auditor"])
def test_nobody_else_is_asked(request, client, who):
    assert NAME not in sign_in(client, request.getfixturevalue(who)).url


def test_an_empty_name_is_refused_and_later_leads_on(client, doctor):
    client.force_login(doctor)
    answer = client.post(NAME, {"title": "Dr", "name": " "})
    assert answer.status_code == 200
    assert answer.context["form"].errors["name"]
    assert 'href="/cases/"' in client.get(f"{NAME}?next=/cases/").content.decode()


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)", ""])
def test_the_way_on_stays_inside_the_portal(client, doctor, elsewhere):
    client.force_login(doctor)
    assert client.post(f"{NAME}?next={elsewhere}", {"title": "", "name": "Anna Berg"}).url == "/"


@pytest.mark.parametrize("name", ["A\u202ennA", "A\u0000", "A\u200bB", "\u2066A", "A\ue000"])
@pytest.mark.parametrize("field", ["name", "title"])
def test_a_name_holds_nothing_that_is_not_seen(doctor, field, name):
    with pytest.raises(Refused) as refused:
        services.rename(doctor, by=doctor, **({"name": "Anna", "title": ""} | {field: name}))
    assert list(refused.value.fields) == [field]
    assert User.objects.get(pk=doctor.pk).name == ""


def test_names_of_other_scripts_and_joiners_are_kept(doctor):
    for name in ("مریم میرزا\u200cخانی", "क्\u200dष", "Đặng Thị Hồng", "O’Brien-Smith"):
        services.rename(doctor, name=name, by=doctor)
        assert User.objects.get(pk=doctor.pk).name == name


def test_the_own_page_and_the_administrators_change_title_and_name(client, doctor, administrator):
    client.force_login(doctor)
    client.post(reverse("accounts:profile"), {"title": "Prof.", "name": "Anna Berg", "language": ""})
    assert User.objects.get(pk=doctor.pk).signing_name == "Prof. Anna Berg"
    client.force_login(administrator)
    page = reverse("accounts:person", args=[doctor.pk])
    assert 'value="Prof."' in client.get(page).content.decode()
    values = {"title": "Dr", "name": "Anna Berg", "roles": ["doctor"], "department": str(doctor.department_id)}
    assert client.post(page, values).status_code == 302
    assert User.objects.get(pk=doctor.pk).signing_name == "Dr Anna Berg"


def test_an_account_without_a_name_signs_by_its_address(doctor):
    doctor.title = "Dr"
    assert doctor.signing_name == doctor.email
