"""Which address stands in the audit log and is throttled."""

import pytest
from django.test import RequestFactory

from accounts.sign_in.client_ip import client_ip


def asked(remote: str, forwarded: str | None = None):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)


def test_without_trusted_proxies_the_header_is_not_believed(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert client_ip(asked("192.0.2.7", "203.0.113.9")) == "192.0.2.7"


@pytest.mark.parametrize(
    ("count", "forwarded", "expected"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.7"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_that_the_last_trusted_proxy_saw_is_taken(settings, count, forwarded, expected):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = count
    assert client_ip(asked("192.0.2.7", forwarded)) == expected


@pytest.mark.parametrize("remote", ["", "not an address"])
def test_a_unix_socket_or_nonsense_has_no_address(settings, remote):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert client_ip(asked(remote)) is None
