"""How long a session lasts, what keeps it alive, and how each kind of caller learns that it has ended."""

import uuid

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.sign_in.middleware import POLL_URL_NAMES

pytestmark = pytest.mark.django_db
START = "2030-01-01 08:00:00+00:00"
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/cases/?q=1&page=2"}


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def signed_in(client, doctor, clock) -> Client:
    client.force_login(doctor)
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("accounts:profile")).status_code == 200


def test_a_session_idles_for_fifteen_minutes(signed_in, clock):
    clock.shift(15 * 60 - 1)
    assert is_signed_in(signed_in)
    clock.shift(15 * 60)
    assert not is_signed_in(signed_in)
    event = AuditEvent.objects.get(action="session_expired")
    assert event.detail == {"reason": "idle"}
    assert not AuditEvent.objects.filter(action="sign_out").exists()
    assert not Session.objects.exists()


def test_a_used_session_ends_after_twelve_hours(signed_in, clock):
    for _ in range(12 * 6 - 1):
        clock.shift(600)
        assert is_signed_in(signed_in)
    clock.shift(600)
    assert not is_signed_in(signed_in)
    assert AuditEvent.objects.get(action="session_expired").detail == {"reason": "absolute"}


def test_an_old_cookie_does_not_come_back_to_life(signed_in, clock):
    cookie = signed_in.cookies["sessionid"].value
    clock.shift(15 * 60)
    assert not is_signed_in(signed_in)
    signed_in.cookies["sessionid"] = cookie
    assert not is_signed_in(signed_in)


def poll_urls() -> list[str]:
    ids = {"study_id": uuid.uuid4(), "analysis_id": uuid.uuid4()}
    beat = reverse("analyses:case_presence", args=[ids["study_id"]])
    words = reverse("words", args=["de", "0123"])
    left = reverse("accounts:session_left")
    return [reverse("analyses:case_panel", kwargs=ids), reverse("analyses:queue_rows"), beat, words, left]


def test_every_named_poll_exists():
    assert len(poll_urls()) == len(POLL_URL_NAMES)


@pytest.mark.parametrize(
    ("which", "headers"),
    [
        (0, {}),
        (2, {}),
        (1, {}),
        (3, {}),
        (0, HTMX),
        ("accounts:profile", HTMX),
        ("accounts:profile", {"Sec-Fetch-Dest": "image"}),
    ],
)
def test_what_a_page_asks_by_itself_does_not_keep_a_session_alive(signed_in, clock, which, headers):
    url = poll_urls()[which] if isinstance(which, int) else reverse(which)
    for _ in range(14):
        clock.shift(60)
        assert signed_in.get(url, headers=headers).status_code != 401
    clock.shift(60)
    assert not is_signed_in(signed_in)


def test_what_a_person_sends_by_htmx_keeps_it_alive(signed_in, clock):
    for _ in range(3):
        clock.shift(10 * 60)
        assert signed_in.post(reverse("accounts:profile"), {"name": "R"}, headers=HTMX).status_code == 302


def test_an_expired_poll_moves_the_whole_page_to_sign_in(signed_in, clock):
    clock.shift(15 * 60)
    answer = signed_in.get(poll_urls()[0], headers=HTMX)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fcases%2F%3Fq%3D1%26page%3D2"
    assert answer.content == b""


@pytest.mark.parametrize("page", ["https://evil.example.org/x", "javascript:alert(1)", "//evil.example.org", ""])
def test_a_foreign_page_is_never_the_way_back(client, page):
    answer = client.get("/cases/", headers={"HX-Request": "true", "HX-Current-URL": page})
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2F"


@pytest.mark.parametrize("headers", [{"Accept": "application/json"}, {"X-Requested-With": "XMLHttpRequest"}])
def test_an_expired_upload_by_script_is_told_in_json(signed_in, clock, headers):
    clock.shift(15 * 60)
    answer = signed_in.post(reverse("analyses:upload"), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "session_expired"


def test_a_person_is_sent_to_sign_in_and_back(client):
    assert client.get("/cases/?q=7").url == "/accounts/login/?next=/cases/%3Fq%3D7"
    assert client.post("/account/").url == "/accounts/login/?next=/"


def test_a_session_that_nobody_signed_in_to_is_over(client, doctor):
    client.force_login(doctor)
    session = client.session
    del session["started_at_s"]
    session.save()
    assert not is_signed_in(client)


def test_a_deactivated_user_is_out_even_where_a_session_row_survived(signed_in, doctor):
    doctor.is_active = False
    doctor.save()
    assert not is_signed_in(signed_in)


def test_reading_pages_writes_the_session_at_most_every_few_seconds(signed_in, clock, django_assert_num_queries):
    signed_in.get(reverse("accounts:profile"))
    row = Session.objects.get().session_data
    clock.shift(5)
    signed_in.get(reverse("accounts:profile"))
    assert Session.objects.get().session_data == row
    clock.shift(6)
    signed_in.get(reverse("accounts:profile"))
    assert Session.objects.get().session_data != row


def test_events_carry_the_address_and_a_request_id_that_the_caller_cannot_choose(client, doctor, clerk):
    client.force_login(clerk)
    client.get(reverse("accounts:people"), REMOTE_ADDR="192.0.2.55", headers={"X-Request-ID": "chosen-by-caller"})
    event = AuditEvent.objects.get(action="access_denied")
    assert event.ip_address == "192.0.2.55"
    assert str(uuid.UUID(event.request_id)) == event.request_id
