"""A worker keeps a decode server, says that it lives, and survives a model that cannot be loaded."""

import os
import signal
import time
from types import SimpleNamespace

import pytest
import structlog
from django.db import DatabaseError

from analyses.models import ProcessSeen
from analyses.pipeline import running, sweeper
from bonescan import worker
from inference.errors import WeightsError


@pytest.fixture(autouse=True)
def _own_process(monkeypatch, settings, tmp_path):
    settings.DECODE_SOCKET = f"/tmp/bs-test-{os.getpid()}"
    monkeypatch.setattr(running, "_process", {})
    yield
    worker.stop_decode_server()


class Timer:
    """Celery's timer as far as the heartbeat uses it."""

    def call_repeatedly(self, seconds, call):
        self.seconds, self.call = seconds, call


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_worker_has_a_decode_server_that_is_restarted_and_ends_with_it(rg3):
    worker.start_decode_server()
    server = worker._running["decoder"]
    assert running.decoder().decode(rg3).meta["format"] == "dicom"
    first = server.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: server.pid != first)
    assert running.decoder().decode(rg3).meta["format"] == "dicom"
    last = server.pid
    worker.stop_decode_server()
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)
    worker.stop_decode_server()  # a second time is harmless


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_seen_at_once_and_again(monkeypatch):
    monkeypatch.setattr("django.db.connection.close", lambda: None)
    timer = Timer()
    worker.start_heartbeat(sender=SimpleNamespace(hostname="celery@x", timer=timer))
    first = ProcessSeen.objects.get(kind="worker", name="celery@x").seen_at
    assert timer.seconds < sweeper.LATE_AFTER_S / 2
    time.sleep(0.01)
    timer.call()
    assert ProcessSeen.objects.get().seen_at > first


def test_a_heartbeat_outlives_a_database_outage(monkeypatch):
    def away(*_):
        raise DatabaseError

    monkeypatch.setattr(sweeper, "seen", away)
    monkeypatch.setattr("django.db.connection.close", lambda: None)
    with structlog.testing.capture_logs() as logs:
        worker.start_heartbeat(sender=SimpleNamespace(hostname="celery@x", timer=Timer()))
    assert [entry["event"] for entry in logs] == ["heartbeat_not_written"]


@pytest.mark.django_db
def test_weights_that_cannot_be_loaded_do_not_end_the_child(monkeypatch):
    def broken(model_key: str):
        raise WeightsError("weights_mismatch", "m")

    monkeypatch.setattr(running, "predictor", broken)
    with structlog.testing.capture_logs() as logs:
        worker.load_model()
    assert [(entry["event"], entry["code"]) for entry in logs] == [("model_not_loaded", "weights_mismatch")]
