"""Every address x everybody who may ask: who is answered, who is refused, who is told that nothing is there.

A route or method that is missing from the table fails; so does a row whose route is gone.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from django import forms
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services import create_token
from accounts.tests.factories import ApiTokenFactory, UserFactory
from analyses.worklist.filters import CaseFilter
from bonescan.tests.access_table import (
    ANSWERED,
    CALLERS,
    HIDDEN,
    REFUSED,
    SIGN_IN,
    TABLE,
    Expected,
    address,
    keys_of_a_signed_case,
)


def routes(patterns: list[Any], namespace: str = "") -> Iterator[str]:
    """The name of every address that the portal answers."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, inner)
        else:
            assert isinstance(pattern, URLPattern)
            assert pattern.name, f"the address {pattern.pattern} has no name"
            yield namespace + pattern.name


def test_every_route_stands_in_the_table_once_and_no_other():
    found = list(routes(get_resolver().url_patterns))
    assert sorted(found) == sorted(set(found))
    assert set(found) == set(TABLE)


def test_every_row_says_something_of_every_caller():
    for name, route in TABLE.items():
        for expected in (route.get, route.post):
            assert expected is None or set(expected) == set(CALLERS), name


@dataclass
class World:
    """One signed case of the doctor's department, and a client for every caller."""

    clients: dict[str, Client]
    keys: dict[str, Any]


@pytest.fixture
def world(doctor, second_doctor, clerk, api_client, administrator, auditor, token, other_token, settings) -> World:
    settings.ACCOUNT_RATE_LIMITS = False
    people = {
        "doctor": doctor,
        "other_doctor": second_doctor,
        "clerk": clerk,
        "other_clerk": UserFactory(department=second_doctor.department, roles=["clerk"]),
        "api_client": api_client,
        "administrator": administrator,
        "auditor": auditor,
        "nobody": UserFactory(department=doctor.department),
    }
    own_token = ApiTokenFactory(user=doctor)
    ended = ApiTokenFactory(user=doctor, plain="bs_" + "x" * 40, revoked_at=timezone.now())
    assert ended.prefix == "bs_xxxxx"
    tokens = {
        "token": token,
        "other_token": other_token,
        "doctor_token": create_token(doctor, "test", None)[1],
        "ended_token": "bs_" + "x" * 40,
    }
    clients = {"anonymous": Client(raise_request_exception=False)}
    for name, person in people.items():
        clients[name] = Client(raise_request_exception=False)
        clients[name].force_login(person)
    for name, plain in tokens.items():
        clients[name] = Client(raise_request_exception=False, headers={"Authorization": f"Token {plain}"})
    return World(clients, keys_of_a_signed_case(doctor, api_client, own_token))


def outcome(answer: HttpResponse) -> str:
    """What the caller met, in the words of the table."""
    assert answer.status_code < 500, f"server error {answer.status_code}"
    if answer.status_code == 401 or (
        answer.status_code == 302 and answer["Location"].startswith("/accounts/login/?next=")
    ):
        return SIGN_IN
    return {403: REFUSED, 404: HIDDEN, 405: "no such method"}.get(answer.status_code, ANSWERED)


def ask_everybody(world: World, send: Callable[[Client], HttpResponse]) -> Expected:
    """Let every caller ask; whatever an answer changed is taken back before the next one asks."""
    met = {}
    for who in CALLERS:
        with transaction.atomic():
            answer = send(world.clients[who])
            if answer.streaming:
                b"".join(answer.streaming_content)
            met[who] = outcome(answer)
            transaction.set_rollback(True)
    return met


@pytest.mark.django_db
@pytest.mark.parametrize("name", TABLE)
def test_everybody_meets_what_the_table_says(world, name):
    route = TABLE[name]
    url = address(name, route, world.keys)
    body = {key: str(world.keys[key]) for key in route.body}
    # A method that is not in the table is answered to nobody.
    got = ask_everybody(world, lambda client: client.get(url))
    posted = ask_everybody(world, lambda client: client.post(url, body))
    for expected, met, method in ((route.get, got, "GET"), (route.post, posted, "POST")):
        if expected is None:
            assert ANSWERED not in met.values(), f"{method} {name} is answered but not in the table"
        else:
            assert met == expected, f"{method} {name}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name, route in TABLE.items() if HIDDEN in (route.get or route.post).values()]
)
def test_what_never_existed_is_hidden_from_those_who_may_ask(world, name):
    route = TABLE[name]
    unknown = {key: uuid4() if isinstance(value, UUID) else value for key, value in world.keys.items()}
    url, body = address(name, route, unknown), {key: str(unknown[key]) for key in route.body}
    client = world.clients["doctor"]
    answer = client.get(url) if route.get else client.post(url, body)
    assert outcome(answer) == HIDDEN


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name, route in TABLE.items() if "study_id" in route.keys or "pk" in route.keys]
)
def test_a_stranger_at_a_case_is_recorded(world, name):
    route = TABLE[name]
    url = address(name, route, world.keys)
    who = "other_token" if name.startswith("api:") else "other_doctor"
    answer = world.clients[who].get(url) if route.get else world.clients[who].post(url)
    assert outcome(answer) == HIDDEN
    event = AuditEvent.objects.get(action="access_denied")
    assert not event.allowed
    assert event.object_id in {str(world.keys["study_id"]), str(world.keys["analysis_id"])}


# Pictures and grey values of films: the browser asks each time whether it may show them again.
ASKED_EACH_TIME = {f"analyses:film_{part}" for part in ("image", "saliency", "thumbnail", "values")}
FOR_EVERYBODY = {"words"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, route in TABLE.items() if name not in FOR_EVERYBODY])
def test_nobody_keeps_what_a_signed_in_caller_is_answered(world, name):
    route = TABLE[name]
    url = address(name, route, world.keys)
    body = {key: str(world.keys[key]) for key in route.body}
    for expected, method in ((route.get, "get"), (route.post, "post")):
        for who in [caller for caller in CALLERS if expected and caller != "anonymous"]:
            with transaction.atomic():
                answer = getattr(deepcopy(world.clients[who]), method)(url, body if method == "post" else None)
                told = answer["Cache-Control"]
                transaction.set_rollback(True)
            if name in ASKED_EACH_TIME and answer.status_code == 200:
                assert told == "private, no-cache"
                assert answer["ETag"]
            else:
                assert "no-store" in told, f"{method} {name} to {who}: {answer.status_code} {told}"


# What views read of a request beside the fields of forms.
READ_BY_VIEWS = (
    *("action", "again", "case", "choice", "code", "confirmed", "default", "document", "field", "film", "id"),
    *("model_reading", "next", "page", "page_size", "part", "query", "seen", "shown", "template", "version"),
)
# Null bytes, halves of surrogate pairs, line ends and numbers too large, as a browser would send them.
ODD_VALUES = ("a%00b", "%ED%A0%80", "%0A", "9" * 30)


def names_of_fields(kind: type = forms.BaseForm) -> set[str]:
    """The fields of every form of the portal."""
    own = set(getattr(kind, "base_fields", ())) if kind.__module__.startswith(("accounts.", "analyses.")) else set()
    return own.union(*(names_of_fields(one) for one in kind.__subclasses__()))


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ODD_VALUES)
def test_no_value_of_a_field_makes_an_address_fail(world, odd):
    """Postgres is stricter than SQLite with what it keeps: run it there."""
    names = sorted({*names_of_fields(), *CaseFilter.base_filters, *READ_BY_VIEWS, odd})
    asked, failed = "&".join(f"{name}={odd}" for name in names), []
    for name, route in TABLE.items():
        url = address(name, route, world.keys)
        for method, expected in (("GET", route.get), ("POST", route.post)):
            who = next((caller for caller in CALLERS[1:] if expected and expected[caller] == ANSWERED), None)
            if who is None:
                continue
            with transaction.atomic():
                client = deepcopy(world.clients[who])  # one that signs out does so for itself
                body, kind = "" if method == "GET" else asked, "application/x-www-form-urlencoded"
                answer = client.generic(method, f"{url}?{asked}", body, content_type=kind)
                failed += [f"{method} {name}"] if answer.status_code >= 500 else []
                transaction.set_rollback(True)
    assert not failed
