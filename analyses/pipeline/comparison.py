"""Asks two models about the same images, in a worker or a command. Nothing of it enters a case.

The work is done in slices: a worker that compares goes back to the images that wait after some seconds.
"""

import io
import time
from collections import Counter
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image as Picture

from accounts import audit
from accounts.models import User
from analyses.answers.tasks import outcomes_of, sought_in
from analyses.errors import ServiceError, invalid_field
from analyses.models import Analysis, ComparisonStatus, Image, ModelComparison, Task
from analyses.pipeline import queue, running
from analyses.record import storage
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse, group_of
from inference.errors import InferenceError

log = structlog.get_logger(__name__)
TASK = "analyses.tasks.run_comparison"
MOST_FILMS = 1000
SLICE_S = 20.0
Row = dict[str, Any]


def request_comparison(
    model_a: str,
    model_b: str,
    *,
    films: int,
    by: User | None,
    use: IntendedUse = TUMOUR_ON_RADIOGRAPHS,
    wake: bool = True,
) -> ModelComparison:
    """Note which two models are to be asked about the newest images, and wake a worker on commit.

    Args:
        by: None for the operator's command.
        wake: False where the caller does the work.

    Raises:
        Invalid: ``bad_field``; and as ``registry.require_fit``.
        Conflict: as ``registry.require_fit``.
    """
    if model_a == model_b:
        message = _("Choose two different models.")
        raise invalid_field("model_b", message)
    if not 1 <= films <= MOST_FILMS:
        message = _("Choose 1 to %(most)s films.") % {"most": MOST_FILMS}
        raise invalid_field("films", message)
    for key in (model_a, model_b):
        registry.require_fit(key, use)
    with transaction.atomic():
        made = ModelComparison.objects.create(
            modality=use.modality,
            task=use.task,
            model_a=model_a,
            model_b=model_b,
            films=films,
            requested_by=by,
            result={"waiting": _newest_images(use, films), "rows": []},
        )
        detail = {"modality": use.modality, "task": use.task, "models": [model_a, model_b], "films": films}
        audit.record("compare_models", user=by, obj=made, detail=detail)
        if wake:
            transaction.on_commit(lambda: wake_comparison(made.pk))
    return made


def wake_comparison(comparison_id: UUID) -> bool:
    """Send the message that lets a worker do the next slice; False where the broker is away."""
    try:
        queue.send(TASK, str(comparison_id))
    except Exception as error:
        # Whatever a broker library raises: the page offers to go on.
        log.warning("comparison_not_woken", comparison_id=str(comparison_id), error=type(error).__name__)
        return False
    return True


def run_slice(comparison_id: UUID | str, seconds: float = SLICE_S) -> bool:
    """Ask both models about as many images as the time allows; return whether images are left.

    A comparison that is over, or gone, has nothing left. Running a slice twice asks about some images twice.
    """
    row = ModelComparison.objects.filter(pk=comparison_id).first()
    if row is None or row.is_over:
        return False
    waiting, rows = list(row.result.get("waiting", [])), list(row.result.get("rows", []))
    until = time.monotonic() + seconds
    try:
        while waiting and time.monotonic() < until:
            rows.append(_compare(waiting.pop(0), row.model_a, row.model_b))
    except InferenceError as error:
        _write(row, status=ComparisonStatus.FAILED, finished_at=timezone.now(), error_message=error.message[:400])
        return False
    if waiting:
        _write(row, status=ComparisonStatus.RUNNING, result={"waiting": waiting, "rows": rows})
        return True
    _write(
        row,
        status=ComparisonStatus.SUCCEEDED,
        finished_at=timezone.now(),
        result={"waiting": [], "rows": rows, **summary(rows, row.task)},
    )
    return False


def _write(row: ModelComparison, **values: Any) -> None:
    ModelComparison.objects.filter(pk=row.pk).exclude(status__in=("succeeded", "failed")).update(**values)


def _newest_images(use: IntendedUse, count: int) -> list[str]:
    """Ids of the newest analyses for this use of the newest images that are stored and of its modality."""
    asked = Analysis.objects.filter(modality=use.modality, task=use.task)
    images = Image.objects.exclude(canonical_file="").filter(Exists(asked.filter(image=OuterRef("pk"))))
    found: list[Any] = []
    for image, said in images.order_by("-created_at").values_list("pk", "modality").iterator():
        if group_of(said) == use.modality:
            found.append(image)
        if len(found) == count:
            break
    newest: dict[Any, str] = {}
    for image, analysis in asked.filter(image__in=found).order_by("-created_at", "id").values_list("image_id", "pk"):
        newest.setdefault(image, str(analysis))
    return [newest[image] for image in found]


def _compare(analysis_id: str, model_a: str, model_b: str) -> Row:
    """One image before both models; an image whose file is gone has no answers."""
    asked = Analysis.objects.filter(pk=analysis_id)
    name, task = asked.values_list("image__canonical_file", "task").first() or ("", Task.TUMOUR)
    try:
        grey = read_canonical(storage.read(name or ""))
    except (OSError, ServiceError, ValueError):
        return {"analysis": analysis_id, "missing": True}
    row: Row = {"analysis": analysis_id}
    for side, key in (("a", model_a), ("b", model_b)):
        prediction = running.predictor(key).predict(grey, explain=False)
        chances = prediction.probabilities
        row[side] = prediction.outcome
        # Named by the tumour's task; of another one it is the probability of what that looks for.
        chance = sought_in(task, chances)
        row[f"{side}_malignant"] = None if chance is None else round(chance, 4)
    return row


def read_canonical(png: bytes) -> np.ndarray:
    """The canonical image, uint8 (H, W), as this portal stored it."""
    with Picture.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("L"))


def summary(rows: list[Row], task: str = Task.TUMOUR) -> dict[str, Any]:
    """What two models say of the same images.

    Keys: ``films``, ``missing``, ``same``, ``matrix`` (counts of a's outcome by b's, in the order of ``outcomes_of``),
    ``differences`` of the probability of what the task looks for, b less a (median, median and largest size; None
    without images that both judged) and ``flips``, the largest difference first.
    """
    judged, outcomes = [row for row in rows if not row.get("missing")], outcomes_of(task)
    pairs = Counter((row["a"], row["b"]) for row in judged)
    flips = [row | {"difference": _difference(row)} for row in judged if row["a"] != row["b"]]
    flips.sort(key=lambda row: -abs(row["difference"] or 0.0))
    gaps = [gap for gap in map(_difference, judged) if gap is not None]
    differences = None
    if gaps:
        sizes = [abs(gap) for gap in gaps]
        differences = {"n": len(gaps), "median": median(gaps), "median_size": median(sizes), "largest": max(sizes)}
    return {
        "films": len(judged),
        "missing": len(rows) - len(judged),
        "same": len(judged) - len(flips),
        "matrix": [[pairs[(a, b)] for b, _ in outcomes] for a, _ in outcomes],
        "differences": differences,
        "flips": flips,
    }


def _difference(row: Row) -> float | None:
    if row["a_malignant"] is None or row["b_malignant"] is None:
        return None
    return round(row["b_malignant"] - row["a_malignant"], 4)
