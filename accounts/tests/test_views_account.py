"""The own account: name and API tokens."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, AuditEvent, User
from accounts.services import authenticate_token
from accounts.tests.factories import ApiTokenFactory, UserFactory

pytestmark = pytest.mark.django_db
TOKENS = "accounts:tokens"


def make(client, name="PACS gateway", days=30):
    last_day = timezone.localdate() + timedelta(days=days)
    return client.post(reverse(TOKENS), {"name": name, "expires_on": last_day.isoformat()})


def shown_token(page: str) -> str:
    return re.search(r'id="new-token">(bs_[\w-]{40})<', page).group(1)


def test_the_account_page_says_who_one_is_and_takes_a_name(client, doctor):
    client.force_login(doctor)
    page = client.get(reverse("accounts:profile")).content.decode()
    assert "Orthopaedics" in page
    assert "Doctor" in page
    client.post(reverse("accounts:profile"), {"name": "Reader 1"})
    assert User.objects.get().name == "Reader 1"


@pytest.mark.parametrize("role", ["doctor", "api_client"])
def test_a_token_is_shown_once_and_works(client, department, role):
    client.force_login(UserFactory(department=department, roles=[role]))
    answer = make(client)
    plain = shown_token(answer.content.decode())
    assert authenticate_token(plain).name == "PACS gateway"
    assert "no-store" in answer["Cache-Control"]
    later = client.get(reverse(TOKENS)).content.decode()
    assert plain not in later
    assert plain[:8] in later
    assert plain not in str(client.session.items())


def test_the_last_day_is_a_whole_day(client, doctor):
    client.force_login(doctor)
    make(client, days=0)
    token = ApiToken.objects.get()
    assert token.is_usable
    assert timezone.localtime(token.expires_at).strftime("%H:%M:%S") == "23:59:59"


@pytest.mark.parametrize(("name", "days"), [("", 30), ("x", -1), ("x", 5000)])
def test_a_token_without_name_or_with_a_strange_expiry_is_not_made(client, doctor, name, days):
    client.force_login(doctor)
    page = make(client, name, days).content.decode()
    assert "new-token" not in page
    assert "errorlist" in page
    assert not ApiToken.objects.exists()


def test_the_own_token_can_be_revoked(client, doctor):
    token = ApiTokenFactory(user=doctor)
    client.force_login(doctor)
    assert client.post(reverse("accounts:token_revoke", args=[token.pk])).url == reverse(TOKENS)
    assert ApiToken.objects.get().revoked_at is not None
    assert "revoked" in client.get(reverse(TOKENS)).content.decode()


def test_somebody_elses_token_does_not_exist_and_the_attempt_is_recorded(client, doctor, second_doctor):
    token = ApiTokenFactory(user=second_doctor)
    client.force_login(doctor)
    assert token.prefix not in client.get(reverse(TOKENS)).content.decode()
    assert client.post(reverse("accounts:token_revoke", args=[token.pk])).status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    assert AuditEvent.objects.get(action="access_denied").object_id == str(token.pk)


def test_a_clerk_has_no_tokens(client, clerk):
    client.force_login(clerk)
    assert client.get(reverse(TOKENS)).status_code == 403
    assert "API tokens" not in client.get(reverse("accounts:profile")).content.decode()


def test_one_who_lost_the_right_cannot_revoke_by_address(client, clerk):
    token = ApiTokenFactory(user=clerk)
    client.force_login(clerk)
    assert client.post(reverse("accounts:token_revoke", args=[token.pk])).status_code == 403
