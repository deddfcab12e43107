"""One analysis from claim to end: fetch, decode in the sandbox, judge, store. Only the worker runs this.

The model is loaded lazily, in the process that uses it: torch must not be loaded before a fork.
"""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.models import OperatingPointChoice
from analyses.errors import LeaseLost, ServiceError
from analyses.models import Analysis, Stage
from analyses.pipeline import queue, results
from analyses.pipeline.further_tasks import further_uses
from analyses.pipeline.queue import Claim
from analyses.record import storage
from analyses.registry import acceptance
from analyses.registry import services as registry
from analyses.registry.uses import RADIOGRAPHS, IntendedUse, use_of, uses_of
from inference.calibration import OperatingPoint
from inference.card import operating_points
from inference.errors import InferenceError
from inference.imaging.canonical import PREPROCESSING_VERSION
from inference.imaging.client import DecodeClient, DecodedRemote
from inference.imaging.limits import NOT_HUMAN
from inference.imaging.overlay import saliency_png
from inference.imaging.stats import input_stats
from inference.use import rules

if TYPE_CHECKING:
    from inference.predictor import Predictor

log = structlog.get_logger(__name__)
# A woken worker goes on with what waits, so that a lost message idles nobody; not for ever, so that it can be stopped.
DRAIN_S, RENEW_S = 10.0, 2.0
# Models that one process keeps loaded: the active one, and one that a re-analysis or comparison asks for.
KEPT_MODELS = 2
# A stage that usually is over within this time is not worth an UPDATE: nobody could see it.
WORTH_SHOWING_MS = 100.0
_process: dict[str, Any] = {}
_usual_ms: dict[str, float] = {}


def predictor(key: str) -> "Predictor":
    """The model of this key, loaded once per process.

    Raises:
        WeightsError: it is not installed, or weights and card do not match.
    """
    loaded = _process.setdefault("predictors", {})
    found = loaded.pop(key, None)
    if found is None:
        from inference.predictor import Predictor  # loads torch, in the process that judges and in no other

        found = Predictor.load(registry.folder_of(key))
        while len(loaded) >= KEPT_MODELS:
            del loaded[next(iter(loaded))]
    # The one asked for last stands last.
    loaded[key] = found
    return found


def point_name(model: "Predictor", wanted: str) -> str:
    """The department's operating point; *balanced* where the model lacks it."""
    return wanted if wanted in operating_points(model.card) else OperatingPointChoice.BALANCED.value


def cut_offs(model: "Predictor", wanted: str, local: dict[str, Any] | None = None) -> dict[str, Any]:
    """How to ask for the site's own cut-offs, else for a department's operating point; *balanced* needs no word."""
    if local is not None:
        return {"operating_point": OperatingPoint(**local)}
    name = point_name(model, wanted)
    return {} if name == OperatingPointChoice.BALANCED else {"operating_point": name}


def use_decoder(socket_path: str) -> None:
    """Ask the decode server at this socket from now on."""
    _process["decoder"] = DecodeClient(socket_path)


def decoder() -> DecodeClient:
    """This process's way to the decode server."""
    if "decoder" not in _process:
        use_decoder(settings.DECODE_SOCKET)
    return _process["decoder"]


@dataclass(frozen=True)
class Fetched:
    """The canonical image of a file, the proof of the bytes it came from, and how long that took."""

    decoded: DecodedRemote
    input_sha256: str
    took_ms: float


class DrainLoop:
    """Works through the queue for some seconds: while one image is being judged, the next one is already decoded.

    Only an image that nobody has begun before is taken ahead. Were it otherwise, one that ends its worker each time
    could use up the attempts of an innocent neighbour.
    """

    def __init__(self, worker: str, seconds: float = DRAIN_S) -> None:
        self._worker = worker
        self._until = time.monotonic() + seconds
        self._ahead: tuple[Claim, Future[Fetched]] | None = None

    def run(self, first: Claim) -> int:
        """Analyse ``first`` and what waits behind it until the time is over or the queue is empty; return how many."""
        done, current = 0, self._begin(first)
        while current is not None:
            self._ahead = None
            work(*current, meanwhile=self._look_ahead)
            done += 1
            current = self._ahead or (self._begin(queue.claim_next(self._worker)) if self._in_time() else None)
        return done

    def _begin(self, claim: Claim | None) -> "tuple[Claim, Future[Fetched]] | None":
        return (claim, _pool().submit(fetch, claim)) if claim else None

    def _in_time(self) -> bool:
        return time.monotonic() < self._until

    def _look_ahead(self) -> None:
        if self._in_time():
            self._ahead = self._begin(queue.claim_next(self._worker, untried=True))


def _pool() -> ThreadPoolExecutor:
    if "pool" not in _process:
        _process["pool"] = ThreadPoolExecutor(1, thread_name_prefix="fetch")
    return _process["pool"]


def run(analysis_id: UUID | str, worker: str, seconds: float = DRAIN_S) -> int:
    """Analyse this image if it waits, then for some seconds what has waited longest; returns how many images.

    A message about an image that was already taken is over at once: whoever took it goes on with the queue.
    """
    claim = queue.claim(analysis_id, worker)
    return DrainLoop(worker, seconds).run(claim) if claim else 0


def fetch(claim: Claim) -> Fetched:
    """Read and decode an image; touches no database, so that it can run beside the worker's own thread."""
    began = time.perf_counter()
    image = claim.analysis.image
    data = storage.read(image.original_file)
    input_sha256 = hashlib.sha256(data).hexdigest()
    if input_sha256 != image.original_sha256:
        raise InferenceError(
            "original_damaged", "The stored file is damaged. Ask the operator to restore it from a backup."
        )
    return Fetched(decoder().decode(data), input_sha256, _ms_since(began))


def work(claim: Claim, fetching: "Future[Fetched]", meanwhile: Callable[[], None] = lambda: None) -> None:
    """Bring one claimed analysis to an end, or back into the queue.

    Args:
        meanwhile: called once the image is decoded and before it is judged.

    Raises:
        OperationalError, InterfaceError: the database is away; the lease runs out and another attempt follows.
    """
    analysis = claim.analysis
    fetched = None
    with structlog.contextvars.bound_contextvars(request_id=analysis.request_id, analysis_id=str(analysis.pk)):
        try:
            fetched = _await(claim, fetching)
            meanwhile()
            _analyse(claim, fetched)
        except LeaseLost:
            log.info("lease_lost")
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            _fail_or_release(claim, error, fetched)


def _await(claim: Claim, fetching: "Future[Fetched]") -> Fetched:
    """Wait for the decoded image and keep the lease meanwhile."""
    while True:
        try:
            return fetching.result(timeout=RENEW_S)
        except FutureTimeout:
            if fetching.done():
                raise
            queue.renew(claim)


def _fail_or_release(claim: Claim, error: Exception, fetched: Fetched | None) -> None:
    """Fail the analysis, or put it back when the fault may pass; whoever lost the lease meanwhile does neither.

    What a decoded file says of its modality is kept all the same: it is true whatever became of the analysis.
    """
    code, message, passing = _fault(error)
    if fetched is not None:
        results.keep_modality(claim.analysis.image, rules.modality_of(_statements(fetched.decoded, claim.analysis)))
    try:
        if passing:
            queue.release(claim, code, message)
        else:
            queue.fail(claim, code, message)
    except LeaseLost:
        log.info("lease_lost", code=code)
    else:
        log.info("analysis_ended", code=code, passing=passing)


STORE_AWAY = "The file store is full or cannot be reached. Inform the operator, then try the analysis again."


def _fault(error: Exception) -> tuple[str, str, bool]:
    """Code, sentence, and whether trying again makes sense."""
    if isinstance(error, InferenceError):
        return error.code, error.message, error.retriable
    if isinstance(error, ServiceError):
        # The only services that a worker calls are about room and reachability of the file store.
        return error.code, STORE_AWAY, True
    if isinstance(error, FileNotFoundError):
        return "original_missing", "The stored file is missing. Ask the operator to restore it from a backup.", False
    if isinstance(error, SoftTimeLimitExceeded):
        return (
            "too_slow",
            "The analysis took too long. Export a smaller film, or try again when the system is less busy.",
            False,
        )
    log.exception("analysis_fault")
    passing = isinstance(error, OSError | MemoryError)
    return (
        "internal_error",
        "The analysis stopped because of a technical fault. Try again; if the fault persists, inform the operator.",
        passing,
    )


def _analyse(claim: Claim, fetched: Fetched) -> None:
    analysis, decoded = claim.analysis, fetched.decoded
    waited = (analysis.started_at - analysis.queued_at).total_seconds() if analysis.started_at else 0.0
    timings = {"waiting": round(max(0.0, waited) * 1000, 1), "decoding": fetched.took_ms}
    prediction, at_site = None, ""
    is_animal = NOT_HUMAN in decoded.meta.get("warnings", [])
    said = _statements(decoded, analysis)
    # What no model is installed for and what the installed one is not meant for end alike, and no network looks.
    use = None if is_animal else use_of(*rules.modality_said(said), task=analysis.task)
    model = _model_for(analysis, use) if use else None
    group = use.modality if use else RADIOGRAPHS
    may_be_outside = not is_animal and (model is not None or use is None)
    outside = rules.outside(said, model.card if model else {}, group) if may_be_outside else []
    if model is not None and not outside:
        assert use is not None
        wanted = analysis.department.operating_point
        name = point_name(model, wanted)
        accepted = acceptance.accepted(analysis.department_id, use, model.identity.sha256, name)
        chosen = cut_offs(model, wanted, acceptance.local_cut_offs(accepted))
        prediction = model.predict(decoded.grey, on_stage=lambda stage: _enter(claim, stage), **chosen)
        at_site = acceptance.state_of(accepted, prediction.operating_point)
        _usual_ms.update(prediction.timings_ms)
        timings |= prediction.timings_ms
    height, width = decoded.grey.shape
    stored: list[str] = []
    try:
        canonical_file = _keep_canonical(claim, decoded, stored)
        display_file = _keep_display(claim, decoded, stored)
        saliency_file = ""
        if prediction is not None and prediction.saliency is not None:
            saliency_file = storage.store_bytes("saliency", saliency_png(prediction.saliency, width, height))
            stored.append(saliency_file)
        found = results.DecodedImage(
            decoded.meta, canonical_file, decoded.canonical_sha256, width, height, display_file
        )
        seen: dict[str, Any] = input_stats(decoded.grey)
        if prediction is not None and prediction.features:
            seen["features"] = list(prediction.features)
        answer = results.Answer(
            prediction,
            saliency_file,
            fetched.input_sha256,
            timings,
            PREPROCESSING_VERSION,
            seen,
            use if prediction else None,
            site_acceptance=at_site,
            why_not=NOT_HUMAN if is_animal else results.NO_MODEL,
            said=said,
            outside=outside,
            further=further_uses(use) if use and not outside else (),
        )
        results.finish(claim, found, answer)
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


def _keep_display(claim: Claim, decoded: DecodedRemote, stored: list[str]) -> str:
    """The name of the stored values for the viewer; empty where the canonical image holds every value of the image."""
    image, facts = claim.analysis.image, decoded.meta.get("display") or {}
    if not decoded.values:
        return ""
    if image.display_file and (image.display or {}).get("sha256") == facts.get("sha256"):
        return image.display_file
    name = storage.store_bytes("display", decoded.values, ".gz")
    stored.append(name)
    return name


def _statements(decoded: DecodedRemote, analysis: Analysis) -> list[rules.Statement]:
    """What is said of the film's modality and body part; one of which nothing is said passes on to the gate."""
    image = analysis.image
    return rules.statements(decoded.meta.get("use", {}), image.typed, image.corrected)


def _model_for(analysis: Analysis, use: IntendedUse) -> "Predictor | None":
    """The model that was asked for, where it is meant for this use, else the active one; None where there is none."""
    if analysis.wanted_model:
        model = predictor(analysis.wanted_model)
        return model if use in uses_of(model.card) else None
    key = registry.active_model(use)
    return predictor(key) if key else None


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
