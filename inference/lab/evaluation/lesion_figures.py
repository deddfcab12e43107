"""How well outlines fit and lesions are found: Dice, lesion hits against false regions, both by lesion size."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.lab.evaluation.lesions import HIT_IOU, Regions, Truth, by_size, find_regions
from inference.lab.metrics.resampling import Resampling, divide
from inference.lab.training.outputs import Outputs, Thresholds

Figures = dict[str, Any]
FALSE_REGIONS_AIMED = 0.2
FROC_RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
STATEMENT = (
    "64 x 64 cells over the film stretched to a square; a cell is lesion where the drawn outline covers at least half "
    "of it (a smaller outline keeps its most covered cell); Dice over tumour films with an outline, 0 where nothing is "
    "outlined; regions are 8-connected; a film is hit by a region with IoU of at least 0.1 with one of its lesions or "
    "with all of them together; false regions are those on normal films, scored by their highest cell."
)


def dice(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return 2 |A and B| / (|A| + |B|) per film, bool (N, h, w); nan where both are empty."""
    both = (predicted & truth).sum(axis=(1, 2)).astype(float)
    return divide(2 * both, (predicted.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))).astype(float))


def best_hits(regions: Regions, count: int) -> np.ndarray:
    """Return the highest score of a hitting region per film, -inf where no region hits."""
    best = np.full(count, -np.inf)
    np.maximum.at(best, regions.film[regions.hit], regions.score[regions.hit])
    return best


def hits_at(drawn: Resampling, regions: Regions, tumour: np.ndarray, normal: np.ndarray, rate: float) -> np.ndarray:
    """Return (1 + R, 2): hit rate over `tumour` films and false regions per normal film, at most `rate` of these.

    The score cut-off is set anew in every resample: regions at or below the first one too many do not count.
    """
    alarms = np.flatnonzero(normal[regions.film])
    alarms = alarms[np.argsort(-regions.score[alarms], kind="stable")]
    per_film = np.cumsum(drawn.weights[:, regions.film[alarms]], axis=1) / drawn.total(normal)[:, None]
    allowed = (per_film <= rate + 1e-9).sum(axis=1)
    cuts = np.append(regions.score[alarms], -np.inf)[allowed]
    counted = (regions.score[alarms][None, :] > cuts[:, None]) * drawn.weights[:, regions.film[alarms]]
    best = best_hits(regions, len(tumour))
    films = np.flatnonzero(tumour)
    found = (best[films][None, :] > cuts[:, None]) * drawn.weights[:, films]
    return np.stack(
        [
            divide(found.sum(axis=1), drawn.total(tumour)),
            divide(counted.sum(axis=1), drawn.total(normal)),
        ],
        axis=1,
    )


def _froc(drawn: Resampling, regions: Regions, tumour: np.ndarray, normal: np.ndarray) -> list[Figures]:
    points = []
    for rate in FROC_RATES:
        values = hits_at(drawn, regions, tumour, normal, rate)
        found = drawn.bounded(values[:, 0], tumour)
        reached = drawn.figure(values[:, 1])["estimate"]
        points.append({"allowed": rate, "false_regions": reached, "hit_rate": found["estimate"], **_bounds(found)})
    return points


def _bounds(found: Figures) -> Figures:
    return {"low": found["low"], "high": found["high"], "n": found["n"]}


def outline_figures(
    drawn: Resampling, labels: np.ndarray, outputs: Outputs, thresholds: Thresholds, truth: Truth
) -> Figures | None:
    """Return Dice and hits with their costs; None without predicted masks or without a drawn outline."""
    tumour, normal = truth.drawn & (labels > 0), labels == 0
    if outputs.masks is None or not tumour.any():
        return None
    masks = np.nan_to_num(outputs.masks.astype(np.float32), nan=0.0)
    overlap = dice(masks >= thresholds.mask, truth.cells)
    regions = find_regions(masks, thresholds.mask, truth)
    hit = best_hits(regions, len(labels)) > -np.inf
    alarms = np.bincount(regions.film, minlength=len(labels)).astype(float)
    found: Figures = {
        "statement": STATEMENT,
        "threshold": thresholds.mask,
        "hit_iou": HIT_IOU,
        "dice": drawn.mean(overlap, tumour),
        "dice_by_class": {
            name: drawn.mean(overlap, tumour & (labels == k)) for k, name in ((1, "benign"), (2, "malignant"))
        },
        "dice_by_size": by_size(truth, lambda inside: drawn.mean(overlap, tumour & inside)),
        "lesion_hits": drawn.share(hit, tumour),
        "lesion_hits_by_size": by_size(truth, lambda inside: drawn.share(hit, tumour & inside)),
        "false_regions_per_normal_film": drawn.mean(alarms, normal),
        "normal_films_with_a_false_region": drawn.share(alarms > 0, normal),
    }
    if normal.any():
        values = hits_at(drawn, regions, tumour, normal, FALSE_REGIONS_AIMED)
        found["lesion_hits_at_0.2"] = drawn.bounded(values[:, 0], tumour)
        found["lesion_hits_at_0.2_false_regions"] = drawn.figure(values[:, 1], int(normal.sum()))
        found["lesion_hits_at_0.2_by_size"] = by_size(
            truth,
            lambda inside: drawn.bounded(
                hits_at(drawn, regions, tumour & inside, normal, FALSE_REGIONS_AIMED)[:, 0], tumour & inside
            ),
        )
        found["froc"] = _froc(drawn, regions, tumour, normal)
    return found
