"""The sweeper: a process of its own that keeps the queue moving whatever else was lost."""

import signal
import socket
import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, connection
from django.utils import timezone

from analyses.evidence.acceptance import running as acceptance
from analyses.evidence.acceptance import sets
from analyses.evidence.drift import services as drift
from analyses.pipeline import holds, site_acceptance, sweeper

log = structlog.get_logger(__name__)
TIDY_EVERY_S, DRIFT_EVERY_S = 3600.0, 60.0


class Command(BaseCommand):
    help = "Repeatedly wake forgotten analyses, requeue abandoned ones and fail those tried too often."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once, print the result and exit")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            report = sweeper.sweep(name=socket.gethostname())
            self.stdout.write(f"requeued {report.requeued}, failed {report.failed}, woken {report.woken}")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        sweep_until(stop)


def sweep_until(stop: threading.Event) -> None:
    """Sweep every SWEEP_INTERVAL_S until told to stop; a database that is away is tried again each time."""
    started_at = timezone.now()
    tidied, drift_checked = -TIDY_EVERY_S, -DRIFT_EVERY_S
    while not stop.is_set():
        try:
            sweeper.sweep(socket.gethostname(), started_at)
            if time.monotonic() - tidied > TIDY_EVERY_S:
                sweeper.tidy()
                sets.forget_abandoned()
                tidied = time.monotonic()
            if time.monotonic() - drift_checked > DRIFT_EVERY_S:
                drift_checked = time.monotonic()
                site_acceptance.apply_all()
                holds.apply_all()
                drift.check_all_uses()
                acceptance.wake_forgotten()
        except Error as error:
            log.warning("sweep_not_done", error=type(error).__name__)
            connection.close()
        except Exception:
            # The one process that mends all others must not end on what nobody thought of.
            log.exception("sweep_fault")
        stop.wait(settings.SWEEP_INTERVAL_S)
