"""What is answered while the database is away."""

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.test import Client

from accounts.views import account

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient_client(doctor) -> Client:
    """A signed-in browser, which sees errors as answers."""
    client = Client(raise_request_exception=False)
    client.force_login(doctor)
    return client


def away(*_args, **_kwargs):
    raise OperationalError("the connection is gone")


def test_a_page_whose_session_cannot_be_read_is_unavailable_not_broken(patient_client, monkeypatch):
    monkeypatch.setattr(SessionStore, "load", away)
    answer = patient_client.get("/account/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    assert "Not available" in answer.content.decode()


def test_a_page_whose_view_loses_the_database_is_unavailable(patient_client, monkeypatch):
    monkeypatch.setattr(account, "role_names", away)
    assert patient_client.get("/account/").status_code == 503


def test_a_program_gets_a_code(patient_client, monkeypatch):
    monkeypatch.setattr(SessionStore, "load", away)
    answer = patient_client.get("/account/", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"


def test_any_other_fault_is_a_server_error(patient_client, monkeypatch):
    monkeypatch.setattr(account, "role_names", lambda _user: 1 / 0)
    answer = patient_client.get("/account/")
    assert answer.status_code == 500
    assert "The server made an error" in answer.content.decode()
