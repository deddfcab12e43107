"""One analysis from claim to end: fetch, decode in the sandbox, judge, store. Only the worker runs this.

The model is loaded lazily, in the process that uses it: torch must not be loaded before a fork.
"""

import hashlib
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError

from analyses.errors import LeaseLost, ServiceError
from analyses.models import Stage
from analyses.services import queue, results, storage
from analyses.services.identity import modalities_agree
from analyses.services.queue import Claim
from inference.errors import InferenceError
from inference.imaging.canonical import PREPROCESSING_VERSION
from inference.imaging.client import DecodeClient, DecodedRemote
from inference.imaging.overlay import saliency_png

if TYPE_CHECKING:
    from inference.predictor import Predictor

log = structlog.get_logger(__name__)
# A woken worker goes on with what waits, so that a lost message idles nobody; not for ever, so that it can be stopped.
DRAIN_S = 30.0
# A stage that usually is over within this time is not worth an UPDATE: nobody could see it.
WORTH_SHOWING_MS = 100.0
_process: dict[str, Any] = {}
_usual_ms: dict[str, float] = {}


def predictor() -> "Predictor":
    """This process's model, loaded once; WeightsError when weights and card do not match."""
    if "predictor" not in _process:
        from inference.predictor import Predictor

        _process["predictor"] = Predictor.load()
    return _process["predictor"]


def use_decoder(socket_path: str) -> None:
    """Ask the decode server at this socket from now on."""
    _process["decoder"] = DecodeClient(socket_path)


def decoder() -> DecodeClient:
    """This process's way to the decode server."""
    if "decoder" not in _process:
        use_decoder(settings.DECODE_SOCKET)
    return _process["decoder"]


def run(analysis_id: UUID | str, worker: str) -> bool:
    """Analyse one film if there is something to do; tells whether there was."""
    claim = queue.claim(analysis_id, worker)
    if claim is not None:
        work(claim)
    return claim is not None


def drain(worker: str, seconds: float = DRAIN_S) -> int:
    """Take what has waited longest, one after the other, for some seconds; returns how many."""
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        claim = queue.claim_next(worker)
        if claim is None:
            break
        work(claim)
        done += 1
    return done


def work(claim: Claim) -> None:
    """Bring one claimed analysis to an end, or back into the queue.

    Raises:
        OperationalError, InterfaceError: the database is away; the lease runs out and another attempt follows.
    """
    analysis = claim.analysis
    with structlog.contextvars.bound_contextvars(request_id=analysis.request_id, analysis_id=str(analysis.pk)):
        try:
            _analyse(claim)
        except LeaseLost:
            log.info("lease_lost")
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            _end_badly(claim, error)


def _end_badly(claim: Claim, error: Exception) -> None:
    """Fail the analysis, or put it back when the fault may pass; whoever lost the lease meanwhile does neither."""
    code, message, passing = _fault(error)
    try:
        if passing:
            queue.release(claim, code, message)
        else:
            queue.fail(claim, code, message)
    except LeaseLost:
        log.info("lease_lost", code=code)
    else:
        log.info("analysis_ended", code=code, passing=passing)


def _fault(error: Exception) -> tuple[str, str, bool]:
    """Code, sentence, and whether trying again makes sense."""
    if isinstance(error, InferenceError):
        return error.code, error.message, error.retriable
    if isinstance(error, ServiceError):
        # The only services that a worker calls are about room and reachability of the file store.
        return error.code, "The file store is full or away. Tell the operator, then try the analysis again.", True
    if isinstance(error, FileNotFoundError):
        return "original_missing", "The stored file is missing. Tell the operator; backups hold it.", False
    if isinstance(error, SoftTimeLimitExceeded):
        return (
            "too_slow",
            "The analysis took too long. Export the film smaller, or try again when less is going on.",
            False,
        )
    log.exception("analysis_fault")
    passing = isinstance(error, OSError | MemoryError)
    return (
        "internal_error",
        "The analysis stopped on a technical fault. Try it again; if it stays, tell the operator.",
        passing,
    )


def _analyse(claim: Claim) -> None:
    analysis = claim.analysis
    began = time.perf_counter()
    data = storage.read(analysis.image.original_file)
    input_sha256 = hashlib.sha256(data).hexdigest()
    if input_sha256 != analysis.image.original_sha256:
        raise InferenceError("original_damaged", "The stored file is damaged. Tell the operator; backups hold it.")
    decoded = decoder().decode(data, keep_alive=lambda: queue.renew(claim))
    waited = (analysis.started_at - analysis.queued_at).total_seconds() if analysis.started_at else 0.0
    timings = {"waiting": round(max(0.0, waited) * 1000, 1), "decoding": _ms_since(began)}
    prediction = None
    if _has_model(decoded, analysis.image.typed):
        prediction = predictor().predict(decoded.grey, on_stage=lambda stage: _enter(claim, stage))
        _usual_ms.update(prediction.timings_ms)
        timings |= prediction.timings_ms
    height, width = decoded.grey.shape
    stored: list[str] = []
    try:
        canonical_file = _keep_canonical(claim, decoded, stored)
        saliency_file = ""
        if prediction is not None and prediction.saliency is not None:
            saliency_file = storage.store_bytes("saliency", saliency_png(prediction.saliency, width, height))
            stored.append(saliency_file)
        film = results.Film(decoded.meta, canonical_file, decoded.canonical_sha256, width, height)
        answer = results.Answer(prediction, saliency_file, input_sha256, timings, PREPROCESSING_VERSION)
        results.finish(claim, film, answer)
    except BaseException:
        storage.discard(*stored)
        raise


def _enter(claim: Claim, stage: str) -> None:
    if _usual_ms.get(stage, WORTH_SHOWING_MS) >= WORTH_SHOWING_MS:
        queue.enter_stage(claim, Stage(stage))


def _keep_canonical(claim: Claim, decoded: DecodedRemote, stored: list[str]) -> str:
    """The name of the stored canonical image; one that an earlier analysis stored is used again."""
    image = claim.analysis.image
    if image.canonical_file and image.canonical_sha256 == decoded.canonical_sha256:
        return image.canonical_file
    name = storage.store_bytes("canonical", decoded.png)
    stored.append(name)
    return name


def _has_model(decoded: DecodedRemote, typed: dict[str, str]) -> bool:
    """Only plain radiographs are judged; a file that does not say what it is passes on to the gate."""
    said = decoded.meta.get("modality") or decoded.meta.get("identity", {}).get("modality", "")
    return all(not modality or modalities_agree(modality, "DX") for modality in (said, typed.get("modality", "")))


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
