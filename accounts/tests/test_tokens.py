"""API tokens: shown once, recognised by a digest, ended at once."""

import hashlib
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.errors import Refused
from accounts.models import ApiToken, AuditEvent
from accounts.services import authenticate_token, create_token, deactivate, reactivate, revoke_token, set_roles
from accounts.tests.factories import ApiTokenFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_only_a_digest_and_the_beginning_are_stored(api_client):
    token, plain = create_token(api_client, "  PACS   gateway ", None)
    assert plain.startswith("bs_")
    assert len(plain) == 43
    token.refresh_from_db()
    assert token.digest == hashlib.sha256(plain.encode()).hexdigest()
    assert (token.prefix, token.name) == (plain[:8], "PACS gateway")
    stored = [str(value) for value in ApiToken.objects.values().get(pk=token.pk).values()]
    assert not any(plain in value for value in stored)
    event = AuditEvent.objects.get(action="token_created")
    assert event.object_id == str(token.pk)
    assert plain not in str(event.__dict__)


def test_two_tokens_differ(api_client):
    assert create_token(api_client, "a", None)[1] != create_token(api_client, "a", None)[1]


def test_the_right_text_is_recognised_and_any_other_is_not(token):
    found = authenticate_token(token)
    assert found is not None
    assert found.user.email == "api@example.org"
    for wrong in (
        "",
        "bs_",
        token[:-1],
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token + "A",
        token.upper(),
        "bs_" + "é" * 40,
    ):
        assert authenticate_token(wrong) is None


def test_the_last_use_is_written_once_a_minute(token):
    with time_machine.travel("2030-01-01 12:00:00+00:00", tick=False) as clock:
        first = authenticate_token(token).last_used_at
        clock.shift(59)
        assert authenticate_token(token).last_used_at == first
        assert ApiToken.objects.get().last_used_at == first
        clock.shift(2)
        authenticate_token(token)
        assert ApiToken.objects.get().last_used_at == first + timedelta(seconds=61)


def test_an_expired_token_is_refused_and_its_use_recorded_once_a_minute():
    ApiTokenFactory(plain="bs_" + "e" * 40, expires_at=timezone.now() - timedelta(seconds=1))
    for _ in range(3):
        assert authenticate_token("bs_" + "e" * 40) is None
    event = AuditEvent.objects.get(action="token_used_after_end")
    assert (event.detail, event.allowed) == ({"reason": "expired"}, False)


def test_a_token_works_until_the_moment_of_its_expiry():
    end = timezone.now() + timedelta(hours=1)
    ApiTokenFactory(plain="bs_" + "t" * 40, expires_at=end)
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        assert authenticate_token("bs_" + "t" * 40) is not None
    with time_machine.travel(end, tick=False):
        assert authenticate_token("bs_" + "t" * 40) is None


def test_a_revoked_token_is_refused_at_once(token, api_client):
    assert authenticate_token(token) is not None
    revoke_token(ApiToken.objects.get(), by=api_client)
    assert authenticate_token(token) is None
    assert AuditEvent.objects.get(action="token_used_after_end").detail == {"reason": "revoked"}


def test_revoking_twice_keeps_the_first_moment(token, api_client):
    row = ApiToken.objects.get()
    revoke_token(row, by=api_client)
    ended = ApiToken.objects.get().revoked_at
    revoke_token(row, by=api_client)
    assert ApiToken.objects.get().revoked_at == ended
    assert AuditEvent.objects.filter(action="token_revoked").count() == 1


def test_deactivation_ends_tokens_and_reactivation_does_not_bring_them_back(token, api_client, administrator):
    deactivate(api_client, by=administrator)
    assert authenticate_token(token) is None
    reactivate(api_client, by=administrator)
    assert authenticate_token(token) is None
    assert ApiToken.objects.get().revoked_at is not None


def test_another_department_ends_the_tokens(token, api_client, other_department, administrator):
    set_roles(api_client, roles=["api_client"], department=other_department, by=administrator)
    assert authenticate_token(token) is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"roles": ["clerk"]}, "no_api_right"),
        ({"roles": ["administrator"]}, "no_api_right"),
        ({"roles": ["api_client"], "department": None}, "no_department"),
        ({"roles": ["api_client"], "is_active": False}, "inactive"),
    ],
)
def test_no_token_for_an_account_that_could_not_use_it(fields, code):
    with pytest.raises(Refused) as refusal:
        create_token(UserFactory(**fields), "x", None)
    assert refusal.value.code == code
    assert not ApiToken.objects.exists()


def test_a_token_needs_a_name_and_an_expiry_to_come(api_client):
    with pytest.raises(Refused, match="Name"):
        create_token(api_client, "   ", None)
    with pytest.raises(Refused, match="in the past"):
        create_token(api_client, "x", timezone.now())


def test_the_list_of_usable_tokens_agrees_with_the_single_one():
    now = timezone.now()
    owners = [UserFactory(roles=["api_client"]), UserFactory(roles=["api_client"], is_active=False)]
    for owner in owners:
        for expires_at in (None, now - timedelta(1), now + timedelta(1)):
            for revoked_at in (None, now):
                ApiTokenFactory(user=owner, expires_at=expires_at, revoked_at=revoked_at)
    usable = {row.pk for row in ApiToken.objects.select_related("user") if row.is_usable}
    assert len(usable) == 2
    assert {row.pk for row in ApiToken.objects.usable()} == usable
