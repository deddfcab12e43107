"""The question of a page how long its session lasts: answered, and no reason to keep the session alive."""

import time_machine
from django.urls import reverse

URL = reverse("accounts:session_left")
JSON = {"headers": {"Accept": "application/json"}}


def test_it_is_answered_in_seconds_and_extends_nothing(client, doctor, settings):
    with time_machine.travel("2026-11-24T08:00:00Z", tick=False) as clock:
        client.force_login(doctor)
        full = settings.SESSION_IDLE_S
        assert client.get(URL).json() == {"user": str(doctor.pk), "left_s": full}
        for _ in range(2):
            clock.shift(full // 2 - 1)
            left = client.get(URL).json()["left_s"]
        assert left == full - 2 * (full // 2 - 1)
        clock.shift(left)
        ended = client.get(URL, **JSON)
        assert (ended.status_code, ended.json()["code"]) == (401, "session_expired")


def test_a_page_that_is_used_extends_it_up_to_the_longest_life(client, doctor, settings):
    settings.SESSION_ABSOLUTE_S = settings.SESSION_IDLE_S + 100
    with time_machine.travel("2026-11-24T08:00:00Z", tick=False) as clock:
        client.force_login(doctor)
        clock.shift(settings.SESSION_IDLE_S - 50)
        client.get(reverse("accounts:profile"))
        assert client.get(URL).json()["left_s"] == 150


def test_every_page_of_somebody_signed_in_says_where_to_ask_and_no_other_page_does(client, doctor):
    assert 'name="session"' not in client.get(reverse("account_login")).content.decode()
    client.force_login(doctor)
    text = client.get(reverse("accounts:profile")).content.decode()
    assert URL in text
    assert f'data-user="{doctor.pk}"' in text
