"""The shipped nginx configuration, really run: TLS, slow clients, limits, and logs without queries."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from bonescan.tests.nginx import ROOT, Front, adapted, certificate, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="nginx is not installed (nginx-light)"
    ),
]
SECRET = "a search for MUELLER"
SLOW = 200


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Web behind nginx as compose.yaml wires them, on SQLite in a home of its own."""
    folder = tmp_path_factory.mktemp("nginx")
    environment = {
        "PATH": os.environ["PATH"],
        "BONESCAN_HOME": str(folder / "home"),
        "SECRET_KEY": "for-the-nginx-test-" + "0123456789" * 4,
        "ALLOWED_HOSTS": "localhost",
        "TRUSTED_PROXY_COUNT": "1",
        "PLAIN_STATIC": "1",
        "LOG_LEVEL": "INFO",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    with front(folder, environment) as running:
        yield running


def ask(portal: Front, path: str, **options: object) -> requests.Response:
    return requests.get(portal.url + path, verify=str(portal.certificate), timeout=10, **options)  # type: ignore[arg-type]


def slow_connections(portal: Front, stack: ExitStack, first_bytes: bytes) -> list[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(portal.certificate))
    opened = []
    for _ in range(SLOW):
        plain = socket.create_connection(("127.0.0.1", portal.https_port))
        secure = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
        secure.sendall(first_bytes)
        opened.append(secure)
    return opened


def test_the_configuration_is_valid(tmp_path):
    certificate(tmp_path)
    conf = adapted(tmp_path, 8443, 8080, 8000)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    done = subprocess.run([program, "-t", "-p", str(tmp_path), "-c", str(conf)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"GET /cases/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /api/v1/analyses/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\nslowly",
    ],
    ids=["headers", "upload"],
)
def test_a_normal_request_is_answered_while_200_slow_clients_hold_their_connections(portal, first_bytes):
    with ExitStack() as stack:
        slow = slow_connections(portal, stack, first_bytes)
        for secure in slow:
            secure.sendall(b"x")
        took = []
        for _ in range(10):
            started = time.monotonic()
            assert ask(portal, "/accounts/login/").status_code == 200
            took.append(time.monotonic() - started)
        assert max(took) < 2.0, took


def test_a_client_that_never_finishes_its_headers_is_cut_off(portal):
    context = ssl.create_default_context(cafile=str(portal.certificate))
    with (
        socket.create_connection(("127.0.0.1", portal.https_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        secure.settimeout(14)
        started = time.monotonic()
        with suppress(ConnectionError, ssl.SSLError):
            assert b"HTTP/1.1 200" not in secure.recv(1000)
        assert time.monotonic() - started < 13


def test_plain_http_moves_to_https(portal):
    answer = requests.get(f"http://127.0.0.1:{portal.http_port}/cases/?page=2", allow_redirects=False, timeout=5)
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://127.0.0.1/cases/?page=2"
    assert requests.get(f"http://127.0.0.1:{portal.http_port}/nginx-lives", timeout=5).status_code == 204


def test_pages_come_over_tls_without_a_redirect_and_each_security_header_once(portal):
    answer = ask(portal, "/accounts/login/", allow_redirects=False)
    assert answer.status_code == 200
    for name in (
        "Strict-Transport-Security",
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "Referrer-Policy",
    ):
        assert len(answer.raw.headers.getlist(name)) == 1, name
    assert answer.headers["Server"] == "nginx"
    assert all(cookie.secure for cookie in answer.cookies)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(portal, version):
    context = ssl.create_default_context(cafile=str(portal.certificate))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", portal.https_port)) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname="localhost")


def test_an_upload_over_the_limit_is_refused_in_the_portals_words(portal):
    head = f"POST /api/v1/analyses/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {70 * 1024 * 1024}\r\n\r\n"
    context = ssl.create_default_context(cafile=str(portal.certificate))
    with (
        socket.create_connection(("127.0.0.1", portal.https_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(head.encode())
        answer = secure.recv(4000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code":"too_large"' in answer


def test_no_log_holds_a_query_or_what_the_client_calls_its_request(portal):
    answer = ask(portal, f"/cases/?q={SECRET}", allow_redirects=False, headers={"X-Request-ID": "chosen-by-the-client"})
    assert answer.status_code == 302
    time.sleep(0.3)
    logs = [(portal.folder / name).read_text() for name in ("nginx.log", "web.log")]
    assert all('"/cases/"' in text or "GET /cases/" in text for text in logs)
    assert not any(word in text for word in ("MUELLER", "chosen-by-the-client", "?q=") for text in logs)


def test_while_web_is_down_people_and_programs_are_told_so_and_the_log_stays_silent_on_queries(portal):
    portal.web.terminate()
    portal.web.wait(timeout=40)
    page = ask(portal, f"/cases/?q={SECRET}", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "Try again in a minute" in page.text
    program = requests.post(portal.url + "/api/v1/analyses/?x=MUELLER", verify=str(portal.certificate), timeout=10)
    assert (program.status_code, program.json()["code"]) == (503, "unavailable")
    assert "MUELLER" not in (portal.folder / "nginx.log").read_text()
