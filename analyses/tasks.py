"""The Celery tasks: a message only wakes; what there is to do stands in the database."""

from uuid import UUID

import structlog
from celery import shared_task
from celery.app.task import Task
from django.db import InterfaceError, OperationalError, connection

from analyses.evidence.acceptance import running as acceptance
from analyses.evidence.acceptance import sets
from analyses.pipeline import comparison, running

log = structlog.get_logger(__name__)


@shared_task(bind=True, ignore_result=True, name="analyses.tasks.run_analysis")
def run_analysis(self: Task, analysis_id: str) -> None:
    """Analyse this film if it still waits, then go on with what has waited longest.

    While the database is away nothing is lost: the row stays as it is, and the sweeper wakes it again.
    """
    worker = str(self.request.hostname or "worker")
    # The second time with a new connection: after an outage the old one stays broken.
    for _ in range(2):
        try:
            running.run(analysis_id, worker)
            return
        except (OperationalError, InterfaceError) as error:
            log.warning("database_unavailable", error=type(error).__name__)
            connection.close()


@shared_task(ignore_result=True, name=comparison.TASK)
def run_comparison(comparison_id: str) -> None:
    """Compare two models on some more films, then let the films that wait have their turn."""
    if comparison.run_slice(comparison_id):
        comparison.wake_comparison(UUID(comparison_id))


@shared_task(ignore_result=True, name=sets.TASK)
def run_acceptance(run_id: str) -> None:
    """Judge some more films of a site acceptance, then let the films that wait have their turn."""
    if acceptance.run_slice(run_id):
        sets.wake(UUID(run_id))
