"""Every refusal has one shape, and one token cannot take the portal from the others."""

import time

import pytest
import time_machine
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from django.test import Client, RequestFactory
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import AuditEvent
from accounts.services import create_token
from analyses.api.permissions import ActionPermission
from analyses.models import Analysis
from analyses.tests.api_calls import ANALYSES, assert_refused, caller, post_film

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(token) -> Client:
    return caller(token)


# --- shape --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_another_method_is_refused_in_the_same_shape(client, method):
    answer = getattr(client, method)(ANALYSES)
    assert_refused(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer["Allow"].replace(" ", "").split(","))


def test_a_film_is_not_posted_to_a_film(client):
    assert_refused(client.post(post_film(client).json()["url"]), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["", "analysis/", "analyses", "analyses/4/", "analyses/x/report.pdf", "docs"])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_an_unknown_address_is_not_found_and_never_redirected(client, path, method):
    assert_refused(getattr(client, method)(f"/api/v1/{path}"), 404, "not_found")


def test_the_accept_header_and_the_format_query_decide_nothing(client):
    for accept in ("application/xml", "text/html", "nonsense"):
        answer = client.get(ANALYSES, headers={"Accept": accept})
        assert answer["Content-Type"] == "application/json"
    assert_refused(client.get(f"{ANALYSES}?format=api"), 400, "bad_field")


def test_head_answers_like_get_without_a_body(client):
    answer = client.head(ANALYSES)
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_an_absent_database_is_503_with_a_time_to_come_back(client, monkeypatch, error):
    def away(*_args, **_kwargs):
        raise error("connection refused")

    monkeypatch.setattr("accounts.services.authenticate_token", away)
    answer = client.get(ANALYSES)
    assert_refused(answer, 503, "database_unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_database_that_goes_away_during_a_post_leaves_no_film(client, monkeypatch):
    def away(*_args, **_kwargs):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("analyses.intake.services._submit", away)
    assert_refused(post_film(client), 503, "database_unavailable")
    assert not Analysis.objects.exists()


def test_what_nobody_foresaw_is_500_in_the_same_shape_without_its_words(token, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("secret words")

    monkeypatch.setattr("analyses.intake.services.submit_image", broken)
    answer = post_film(caller(token, raise_request_exception=False))
    assert_refused(answer, 500, "server_error")
    assert b"secret" not in answer.content


def test_an_action_without_named_rights_is_a_programming_error(doctor):
    request = Request(RequestFactory().get("/"))
    request.user = doctor

    class Forgotten(APIView):
        action = "forgotten"
        required_actions: dict = {}

    with pytest.raises(ImproperlyConfigured):
        ActionPermission().has_permission(request, Forgotten())


# --- throttle -----------------------------------------------------------------------------------------------------
@pytest.fixture
def three_a_minute(settings):
    settings.API_THROTTLE_PER_MINUTE = 3
    # The middle of a minute, so that the test does not run across its end.
    with time_machine.travel(int(time.time()) // 60 * 60 + 20, tick=False) as traveller:
        yield traveller


def test_one_call_too_many_is_told_when_to_come_back(client, three_a_minute):
    assert [client.get(ANALYSES).status_code for _ in range(3)] == [200] * 3
    answer = client.get(ANALYSES)
    assert_refused(answer, 429, "throttled")
    wait_s = int(answer["Retry-After"])
    assert 0 < wait_s <= 60
    assert wait_s == 40
    three_a_minute.shift(wait_s - 1)
    assert client.get(ANALYSES)["Retry-After"] == "1"
    three_a_minute.shift(1)
    assert client.get(ANALYSES).status_code == 200


def test_at_the_very_start_of_a_minute_the_wait_is_one_minute(client, three_a_minute):
    three_a_minute.shift(40)
    answers = [client.get(ANALYSES) for _ in range(4)]
    assert (answers[-1].status_code, answers[-1]["Retry-After"]) == (429, "60")
    assert answers[-1].json()["detail"] == "Too many calls. Try again in 60 s."


def test_a_throttled_post_stores_nothing(client, three_a_minute):
    for _ in range(3):
        client.get(ANALYSES)
    assert_refused(post_film(client), 429, "throttled")
    assert not Analysis.objects.exists()


def test_one_token_does_not_use_up_anothers_calls(client, api_client, three_a_minute):
    for _ in range(4):
        client.get(ANALYSES)
    second = caller(create_token(api_client, "second", None)[1])
    assert second.get(ANALYSES).status_code == 200


def test_refused_calls_count_and_then_are_no_longer_recorded(clerk, three_a_minute):
    person = Client()
    person.force_login(clerk)
    statuses = [person.get(ANALYSES).status_code for _ in range(6)]
    assert statuses == [403] * 3 + [429] * 3
    assert AuditEvent.objects.filter(action="access_denied").count() == 3


def test_no_limit_means_no_limit(client, settings):
    settings.API_THROTTLE_PER_MINUTE = 0
    assert {client.get(ANALYSES).status_code for _ in range(10)} == {200}


def test_an_absent_cache_lets_calls_through(client, three_a_minute, monkeypatch):
    monkeypatch.setattr(cache, "incr", lambda _key, delta=1: delta)  # what the forgiving cache answers
    assert {client.get(ANALYSES).status_code for _ in range(5)} == {200}
