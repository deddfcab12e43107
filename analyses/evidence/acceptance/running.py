"""A run in the worker: its films one by one, in slices, so that clinical films have their turn in between."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.utils import timezone

from analyses.errors import ServiceError
from analyses.evidence.acceptance import sets
from analyses.models import AcceptanceFilm, AcceptanceRun, AcceptanceStatus
from analyses.pipeline import comparison
from analyses.pipeline import running as pipeline
from analyses.record import storage
from inference.acceptance.figures import acceptance_of
from inference.acceptance.films import FilmAnswer, answer_film
from inference.acceptance.training_films import TrainingFilms
from inference.errors import InferenceError, WeightsError

log = structlog.get_logger(__name__)
SLICE_S = 20.0
# A film that ends its worker each time must not do so for ever.
MOST_ATTEMPTS = 3
WAKE_AGAIN = timedelta(seconds=60)
FAULT = (
    "The acceptance stopped because of a technical fault. Set it up again; if the fault persists, inform the operator."
)
UNREADABLE, MISSING = "attempts_exhausted", "original_missing"


def run_slice(run_id: UUID | str, seconds: float = SLICE_S) -> bool:
    """Judge as many films of a run as the time allows, then its figures; return whether films are left.

    A run that is over, or was not started, has none left. Running a slice twice judges some films twice.
    """
    running = (AcceptanceStatus.QUEUED, AcceptanceStatus.RUNNING)
    AcceptanceRun.objects.filter(pk=run_id, status__in=running).update(status=AcceptanceStatus.RUNNING)
    run = AcceptanceRun.objects.select_related("department").filter(pk=run_id, status__in=running).first()
    if run is None:
        return False
    try:
        return _work(run, time.monotonic() + seconds)
    except InferenceError as error:
        if error.retriable:
            # The sweeper wakes a worker again: the image reader may be starting.
            return False
        _fail(run, error.code, error.message)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("acceptance_fault", run_id=str(run.pk))
        _fail(run, "internal_error", FAULT)
    return False


def _work(run: AcceptanceRun, until: float) -> bool:
    model = pipeline.predictor(run.model_key)
    if model.identity.sha256 != run.model_sha256:
        raise WeightsError(
            "weights_changed", "The model's weights were changed since the acceptance was set up. Set it up again."
        )
    trained = TrainingFilms.of_card(model.card)
    films = run.films.filter(answer__isnull=True, error_code="").order_by("number")
    for film in films.select_related("image").iterator(chunk_size=50):
        if time.monotonic() >= until or not _goes_on(run):
            return True
        _judge(run, film, model, trained)
    if films.exists():
        return True
    _finish(run, model)
    return False


def _goes_on(run: AcceptanceRun) -> bool:
    """Note that a worker is at it; False once the run is over."""
    open_ones = AcceptanceRun.objects.filter(pk=run.pk, status=AcceptanceStatus.RUNNING)
    return bool(open_ones.update(woken_at=timezone.now()))


def _judge(run: AcceptanceRun, film: AcceptanceFilm, model: Any, trained: TrainingFilms) -> None:
    """Keep the answer to one film, or why there is none, and delete its file."""
    row = AcceptanceFilm.objects.filter(pk=film.pk)
    row.update(attempts=F("attempts") + 1)
    values: dict[str, Any]
    try:
        if film.attempts >= MOST_ATTEMPTS:
            raise InferenceError(UNREADABLE, "")
        answer = answer_film(
            model,
            _pixels(film),
            label=film.label,
            patient=film.patient,
            operating_point=run.operating_point,
            trained=trained,
        )
        values = {"answer": answer.as_dict()}
    except WeightsError:
        raise
    except InferenceError as error:
        if error.retriable:
            raise
        values = {"error_code": error.code}
    row.update(file="", **values)
    storage.discard(film.file)


def _pixels(film: AcceptanceFilm) -> np.ndarray:
    """The canonical image, uint8 (H, W), of an uploaded film or of a case's."""
    try:
        if film.image is not None:
            return comparison.read_canonical(storage.read(film.image.canonical_file))
        if film.file:
            return pipeline.decoder().decode(storage.read(film.file)).grey
    except FileNotFoundError:
        pass
    except ServiceError as error:
        raise InferenceError(error.code, error.message, retriable=True) from error
    raise InferenceError(MISSING, "")


def _finish(run: AcceptanceRun, model: Any) -> None:
    kept = run.films.filter(answer__isnull=False).values_list("answer", flat=True)
    answers = [FilmAnswer.from_dict(answer or {}) for answer in kept]
    unreadable = run.films.exclude(error_code="").count()
    result = acceptance_of(model.card, model.point(run.operating_point), answers, unreadable)
    if sets.end(run, AcceptanceStatus.SUCCEEDED, result=result):
        verdicts = {name: (result[name] or {}).get("verdict", "") for name in ("at_card", "at_local")}
        sets.record("acceptance_result", run, None, films=len(answers), **verdicts)


def _fail(run: AcceptanceRun, code: str, message: str) -> None:
    if sets.end(run, AcceptanceStatus.FAILED, error_code=code, error_message=message[:400]):
        sets.record("acceptance_result", run, None, code=code)


def wake_forgotten() -> int:
    """Wake a worker for every run that nobody works on, and return how many; the sweeper calls it."""
    silent = Q(woken_at__isnull=True) | Q(woken_at__lt=timezone.now() - WAKE_AGAIN)
    running = (AcceptanceStatus.QUEUED, AcceptanceStatus.RUNNING)
    woken = 0
    for run_id in AcceptanceRun.objects.filter(silent, status__in=running).values_list("pk", flat=True):
        if not sets.wake(run_id):
            break
        AcceptanceRun.objects.filter(pk=run_id).update(woken_at=timezone.now())
        woken += 1
    return woken
