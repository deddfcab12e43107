"""Who the API lets in, as whom, and what it says to the others."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import audit
from accounts.models import ApiToken, AuditEvent
from accounts.services import create_token, deactivate, revoke_token
from accounts.tests.factories import UserFactory
from analyses.models import Analysis
from analyses.tests.api_calls import ANALYSES, assert_refused, caller, film, post_film
from analyses.tests.factories import AnalysisFactory

pytestmark = pytest.mark.django_db


def test_without_credentials_the_answer_names_the_scheme():
    answer = Client().get(ANALYSES)
    assert_refused(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Token realm="BoneScan API"'


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token  ",
        "Token nonsense",
        "token bs_" + "x" * 40,
        "Token two words",
        "Token b\xe9\xff",
        "Token " + "x" * 5000,
    ],
)
def test_what_is_no_token_is_refused(header):
    answer = Client(headers={"Authorization": header}).get(ANALYSES)
    assert_refused(answer, 401, "invalid_token")
    assert answer["WWW-Authenticate"].startswith("Token ")


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpwYXNz", "Bearer bs_abc"])
def test_another_scheme_is_no_credential(header):
    assert_refused(Client(headers={"Authorization": header}).get(ANALYSES), 401, "not_authenticated")


def test_a_revoked_token_ends_at_once(token, api_client):
    client = caller(token)
    assert client.get(ANALYSES).status_code == 200
    revoke_token(ApiToken.objects.get(user=api_client), by=api_client)
    assert_refused(client.get(ANALYSES), 401, "invalid_token")


def test_an_expired_token_is_refused_and_its_use_recorded(api_client):
    _, plain = create_token(api_client, "short", timezone.now() + timedelta(hours=1))
    assert caller(plain).get(ANALYSES).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert_refused(caller(plain).get(ANALYSES), 401, "invalid_token")
    assert AuditEvent.objects.filter(action="token_used_after_end").exists()


def test_a_deactivated_account_loses_its_token(token, api_client, administrator):
    deactivate(api_client, by=administrator)
    assert_refused(caller(token).get(ANALYSES), 401, "invalid_token")


def test_a_token_goes_before_a_session(clerk, token):
    client = caller(token)
    client.force_login(clerk)
    assert client.get(ANALYSES).status_code == 200


def test_a_bad_token_is_not_saved_by_a_session(doctor):
    client = caller("bs_nothing")
    client.force_login(doctor)
    assert_refused(client.get(ANALYSES), 401, "invalid_token")


@pytest.mark.parametrize("role", ["clerk", "administrator", "auditor"])
def test_a_role_without_the_right_is_refused_and_recorded(role):
    person = UserFactory(roles=[role])
    client = Client()
    client.force_login(person)
    assert_refused(client.get(ANALYSES), 403, "permission_denied")
    assert_refused(post_film(client), 403, "permission_denied")
    assert AuditEvent.objects.filter(action="access_denied", user=person, allowed=False).count() == 2


def test_a_signed_in_doctor_reads_and_writes_with_the_csrf_header(doctor):
    client = Client(enforce_csrf_checks=True)
    client.force_login(doctor)
    assert client.get(ANALYSES).status_code == 200
    assert_refused(post_film(client), 403, "csrf_failed")
    client.get("/accounts/password/change/")
    secret = client.cookies["csrftoken"].value
    answer = client.post(ANALYSES, {"image": film()}, headers={"X-CSRFToken": secret})
    assert answer.status_code == 202


def test_a_token_needs_no_csrf_header(token):
    assert post_film(caller(token, enforce_csrf_checks=True)).status_code == 202


def test_an_api_client_posts_with_its_token_and_not_from_a_session(api_client):
    client = Client()
    client.force_login(api_client)
    assert client.get(ANALYSES).status_code == 200
    assert_refused(post_film(client), 403, "token_needed")
    assert not Analysis.objects.exists()


def test_an_api_client_sees_what_its_departments_tokens_posted_and_nothing_else(token, api_client, doctor, other_token):
    posted = post_film(caller(token)).json()["id"]
    colleague = UserFactory(department=api_client.department, roles=["api_client"])
    by_colleague = post_film(caller(create_token(colleague, "second", None)[1]), seed=1).json()["id"]
    by_page = str(AnalysisFactory(image__study__owner=doctor.department).pk)
    elsewhere = post_film(caller(other_token), seed=2).json()["id"]

    def seen(plain: str) -> set[str]:
        return {row["id"] for row in caller(plain).get(ANALYSES).json()["results"]}

    assert seen(token) == {posted, by_colleague}
    assert seen(create_token(doctor, "own", None)[1]) == {posted, by_colleague, by_page}
    assert seen(other_token) == {elsewhere}


def test_what_is_out_of_scope_does_not_exist_and_the_attempt_is_recorded(token, other_token):
    foreign = post_film(caller(token)).json()["id"]
    stranger = caller(other_token)
    for path in ("", "report.pdf", "image.png", "saliency.png"):
        assert_refused(stranger.get(f"{ANALYSES}{foreign}/{path}"), 404, "not_found")
    for path in ("cancel/", "retry/"):
        assert_refused(stranger.post(f"{ANALYSES}{foreign}/{path}"), 404, "not_found")
    events = AuditEvent.objects.filter(action="access_denied", object_id=foreign, allowed=False)
    assert events.count() == 6
    assert Analysis.objects.get(pk=foreign).status == "queued"


def test_the_log_says_which_token_acted_and_forgets_it_with_the_request(token, api_client):
    post_film(caller(token))
    assert AuditEvent.objects.get(action="upload").token == api_client.api_tokens.get()
    assert audit.request_context.get().token is None
