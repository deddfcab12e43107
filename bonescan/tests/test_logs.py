"""Logs follow one upload through all processes and name nobody."""

import io
import json
import logging
import time

import pydicom
import pytest
import requests
import structlog
from celery import shared_task
from django.db import IntegrityError, connection
from pydicom.uid import generate_uid

from analyses.tests.factories import PatientFactory, png_bytes
from bench.harness import Portal, portal
from bonescan.monitoring.logs import json_formatter, logging_config, structlog_config

# Words that no program, address or UUID holds.
NAME, NUMBER, FILE, ASKED, PHYSICIAN = "QUIXOTINGER", "MRN-7731-ZQ", "quixotinger-knee", "zweitname", "DOCTORANDUS"
PRIVATE = (NAME, NUMBER, FILE, ASKED, PHYSICIAN)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the portal's formatter writes for everything that is logged in this test."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)
    structlog_config()
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def logged(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_logger(lines):
    structlog.get_logger("analyses.test").info("stored", analysis_id="17")
    logging.getLogger("somebody.else").warning("said %s", "this")
    first, second = logged(lines)
    assert (first["event"], first["level"], first["logger"], first["analysis_id"]) == (
        *("stored", "info", "analyses.test"),
        "17",
    )
    assert (second["event"], second["level"]) == ("said this", "warning")
    assert first["timestamp"].endswith("Z")


def test_what_could_name_a_person_is_blanked_by_its_key(lines):
    structlog.get_logger("analyses.test").info(
        "stored", patient_name=NAME, patient_id=NUMBER, filename=FILE, email="doctor@example.org"
    )
    assert not any(word in lines.getvalue() for word in (*PRIVATE, "doctor@"))


def test_a_logged_request_has_its_path_and_not_its_query(lines):
    structlog.get_logger("django_structlog").info("request_started", request=f"GET /cases/?q={NAME}")
    assert logged(lines)[0]["request"] == "GET /cases/"


def test_an_exception_is_logged_with_its_place_and_without_its_message(lines):
    def read() -> None:
        raise ValueError(f"cannot read {NAME}")

    for log in (structlog.get_logger("analyses.test"), logging.getLogger("plain")):
        try:
            try:
                read()
            except ValueError as error:
                raise KeyError(NUMBER) from error
        except KeyError:
            log.exception("not_read")
    for line in logged(lines):
        assert "builtins.ValueError" in line["exception"]
        assert "builtins.KeyError" in line["exception"]
        assert "in read" in line["exception"]
    assert len(logged(lines)) == 2
    assert not any(word in lines.getvalue() for word in PRIVATE)


def test_the_message_of_an_error_that_only_names_code_is_kept(lines):
    try:
        structlog.does_not_exist  # noqa: B018
    except AttributeError:
        structlog.get_logger("analyses.test").exception("broken")
    assert "does_not_exist" in logged(lines)[0]["exception"]


@pytest.mark.django_db
def test_a_row_that_breaks_a_rule_of_the_database_is_not_quoted(lines):
    patient = PatientFactory(patient_id=NUMBER, patient_name=NAME)
    try:
        PatientFactory(patient_id=NUMBER, department=patient.department)
    except IntegrityError as error:
        quoted = NUMBER in str(error)
        structlog.get_logger("analyses.test").exception("not_stored")
    assert quoted == (connection.vendor == "postgresql"), "Postgres quotes the row, which is what this test is about"
    assert "IntegrityError" in logged(lines)[0]["exception"]
    assert NUMBER not in lines.getvalue()


@shared_task(name="bonescan.tests.fails")
def fails() -> None:
    raise ValueError(NAME)


def test_celerys_own_line_on_a_failed_task_is_switched_off():
    config = logging_config("INFO")
    assert config["loggers"]["celery.app.trace"]["level"] == "CRITICAL"


def test_a_failed_task_is_logged_by_django_structlog_without_the_message(lines):
    from django_structlog.celery.receivers import CeleryReceiver

    try:
        fails()
    except ValueError as error:
        CeleryReceiver().receiver_task_failure(task_id="17", exception=error, sender=fails)
    [line] = logged(lines)
    assert (line["event"], line["task_id"]) == ("task_failed", "17")
    assert NAME not in lines.getvalue()


def test_no_log_line_goes_to_administrators_by_mail():
    config = logging_config("INFO")
    assert set(config["handlers"]) == {"console"}
    assert config["loggers"]["django"].get("handlers", []) == []


# --- all processes together ------------------------------------------------------------------------------------------


def named_dicom() -> bytes:
    """A small radiograph whose header names everybody."""
    from pydicom.data import get_testdata_file

    film = pydicom.dcmread(get_testdata_file("RG3_J2KR.dcm", download=False))
    film.PatientName, film.PatientID, film.ReferringPhysicianName = f"{NAME}^{ASKED}", NUMBER, PHYSICIAN
    film.StudyInstanceUID = generate_uid()
    out = io.BytesIO()
    film.save_as(out)
    return out.getvalue()


def post(running: Portal, token: str, content: bytes, **fields: str) -> requests.Response:
    return requests.post(
        f"{running.url}/api/v1/analyses/",
        headers={"Authorization": f"Token {token}", "X-Request-ID": fields.pop("request_id", "")},
        files={"image": (f"{FILE}.dcm", content)},
        data={"patient_id": NUMBER, "patient_name": NAME, **fields},
        timeout=20,
    )


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("{")]


def ended(running: Portal, token: str, analysis: dict) -> dict:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        headers = {"Authorization": f"Token {token}"}
        found = requests.get(f"{running.url}/api/v1/analyses/{analysis['id']}/", headers=headers, timeout=20).json()
        if found["status"] in ("succeeded", "failed", "cancelled"):
            return dict(found)
        time.sleep(0.3)
    raise AssertionError(f"the analysis did not end: {running.log('worker')[-2000:]}")


def test_an_answer_names_its_request_by_an_id_that_a_stranger_cannot_choose(client, db):
    answer = client.get("/livez", headers={"X-Request-ID": "chosen-by-the-client"})
    assert len(answer["X-Request-ID"]) == 36


@pytest.mark.slow
def test_one_upload_can_be_followed_by_its_request_id_and_no_process_logs_who_it_is_about(monkeypatch):
    as_shipped = Portal.command
    # As compose.yaml starts the worker; measurements want it quieter.
    monkeypatch.setattr(
        Portal, "command", lambda self, name: [word.replace("WARNING", "INFO") for word in as_shipped(self, name)]
    )
    with portal(SWEEP_INTERVAL_S="1", TRUSTED_PROXY_COUNT="1") as running:
        running.manage("demo_passwords")
        token = running.token()
        first = post(running, token, named_dicom(), request_id="follow-me-17")
        second = post(running, token, b"no image " + NAME.encode(), clinical_question=ASKED)
        refused = post(running, token, png_bytes(), laterality="neither", view_position=NAME * 30)
        assert [answer.status_code for answer in (first, second, refused)] == [202, 202, 400]
        assert ended(running, token, first.json())["status"] == "succeeded"
        assert ended(running, token, second.json())["status"] == "failed"
        asking = {"Authorization": f"Token {token}"}
        for path in (f"/api/v1/analyses/?patient_id={NUMBER}", f"/cases/?q={NAME}", f"/verify/{NAME}/"):
            requests.get(running.url + path, headers=asking, timeout=20, allow_redirects=False)
        analysis = first.json()["id"]
        requests.get(f"{running.url}/api/v1/analyses/{analysis}/report.pdf", headers=asking, timeout=30)
        sign_in = {"login": f"{NAME}@example.org", "password": NAME}
        requests.post(f"{running.url}/accounts/login/", data=sign_in, timeout=20)
        time.sleep(2)  # the sweeper says something too
        logs = {name: running.log(name) for name in ("web", "worker", "sweeper")}
    for name, text in logs.items():
        # The path of /verify/ is what a stranger typed, not what the record holds.
        text = text.replace(f"/verify/{NAME}/", "")
        found = [line for line in text.splitlines() if any(word.lower() in line.lower() for word in PRIVATE)]
        assert found == [], name
    followed = {
        name: {line["logger"] for line in map(json.loads, lines_of(text)) if line.get("request_id") == "follow-me-17"}
        for name, text in logs.items()
    }
    assert first.headers["X-Request-ID"] == "follow-me-17"
    assert {"gunicorn.access", "django_structlog.middlewares.request"} <= followed["web"]
    assert "django_structlog.celery.receivers" in followed["worker"]
