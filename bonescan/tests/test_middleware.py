"""What is read of a request, and what is answered while the database is away or the disk is full."""

import errno

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
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
    assert "Temporarily unavailable" in answer.content.decode()


def test_a_page_whose_view_loses_the_database_is_unavailable(patient_client, monkeypatch):
    monkeypatch.setattr(account, "role_names", away)
    assert patient_client.get("/account/").status_code == 503


def test_a_program_gets_a_code(patient_client, monkeypatch):
    monkeypatch.setattr(SessionStore, "load", away)
    answer = patient_client.get("/account/", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"


@pytest.mark.parametrize("path", ["/livez", "/account/"])
def test_a_session_cookie_that_spells_a_null_byte_is_no_session(client, path):
    answer = client.get(path, headers={"Cookie": 'sessionid="\\000abcdefgh"'})
    assert answer.status_code == (200 if path == "/livez" else 302)


def test_what_a_page_is_sent_is_read_as_utf8_whatever_charset_a_header_names(patient_client, doctor):
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--x--\r\n'
    told = "multipart/form-data; boundary=x; charset=unicode_escape"
    assert patient_client.generic("POST", "/account/", body, told).status_code == 302
    doctor.refresh_from_db()
    assert doctor.name == "\\ud800"


@pytest.mark.parametrize("fault", [away, lambda *_: 1 / 0])
def test_no_page_about_a_fault_is_kept(patient_client, monkeypatch, fault):
    monkeypatch.setattr(account, "role_names", fault)
    answer = patient_client.get("/account/")
    assert (answer.status_code >= 500, answer["Cache-Control"]) == (True, "private, no-store")
    assert patient_client.get("/no-such-page/")["Cache-Control"] == "private, no-store"


def test_static_files_may_be_kept(patient_client):
    answer = patient_client.get("/static/css/base.css")
    assert (answer.status_code, b"".join(answer.streaming_content) != b"") == (200, True)
    answer.close()
    assert "no-store" not in answer.get("Cache-Control", "")


def test_any_other_fault_is_a_server_error(patient_client, monkeypatch):
    monkeypatch.setattr(account, "role_names", lambda _user: 1 / 0)
    answer = patient_client.get("/account/")
    assert answer.status_code == 500
    assert "Server error" in answer.content.decode()


def test_a_disk_that_fills_while_an_upload_is_read_is_said_as_such(patient_client, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", full)
    monkeypatch.setattr(MemoryFileUploadHandler, "new_file", full)
    film = SimpleUploadedFile("film.jpg", b"x" * 100)
    answer = patient_client.post("/upload/", {"image": film}, headers={"Accept": "application/json"})
    assert answer.status_code == 507
    assert answer.json()["code"] == "storage_full"
    page = patient_client.post("/upload/", {"image": SimpleUploadedFile("film.jpg", b"x" * 100)})
    assert page.status_code == 507
    assert "Storage is full" in page.content.decode()
