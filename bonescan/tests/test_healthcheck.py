"""What compose asks each container: deploy/healthcheck.py, run as it runs there."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from analyses.models import ProcessSeen
from scripts.services import free_port


def check(kind: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "deploy/healthcheck.py", kind],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


class Web(BaseHTTPRequestHandler):
    """Answers as the portal does: only under its own name."""

    def do_GET(self) -> None:
        known = self.headers["Host"] == "bonescan.hospital.example"
        self.send_response(200 if known and self.path == "/livez" else 400)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_web_is_asked_under_a_name_that_it_answers_to(web_port):
    names = "bonescan.hospital.example,bonescan"
    assert check("web", ALLOWED_HOSTS=names, WEB_BIND=f"0.0.0.0:{web_port}").returncode == 0
    assert check("web", ALLOWED_HOSTS="other.example", WEB_BIND=f"0.0.0.0:{web_port}").returncode == 1


def test_web_that_does_not_answer_is_unhealthy():
    done = check("web", ALLOWED_HOSTS="bonescan.hospital.example", WEB_BIND=f"0.0.0.0:{free_port()}")
    assert (done.returncode, done.stderr) == (1, "ConnectionRefusedError\n")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "name", "age_s", "status"),
    [
        ("worker", "celery@{host}", 20, 0),
        ("worker", "celery@{host}", 200, 1),
        ("worker", "celery@another", 20, 1),
        ("sweeper", "{host}", 20, 0),
        ("sweeper", "{host}", 200, 1),
    ],
)
def test_worker_and_sweeper_are_healthy_while_their_note_is_fresh(kind, name, age_s, status, tmp_path: Path):
    if connection.vendor != "postgresql":
        pytest.skip("needs Postgres: run with scripts/with_services")
    now = timezone.now()
    seen_at = now - timedelta(seconds=age_s)
    ProcessSeen.objects.create(kind=kind, name=name.format(host=socket.gethostname()), started_at=now, seen_at=seen_at)
    database = connection.settings_dict
    host = quote(database["HOST"], safe="")
    url = f"postgres://{database['USER']}@{host}:{database['PORT']}/{database['NAME']}"
    (tmp_path / "database_url").write_text(url + "\n")
    assert check(kind, DATABASE_URL_FILE=str(tmp_path / "database_url")).returncode == status


def test_a_database_that_is_away_is_unhealthy_and_its_password_is_not_printed():
    done = check("worker", DATABASE_URL=f"postgres://somebody:password@127.0.0.1:{free_port()}/nowhere")
    assert (done.returncode, done.stderr) == (1, "OperationalError\n")
