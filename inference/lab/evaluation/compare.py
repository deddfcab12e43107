"""Two models on the same films: differences by the paired group bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm
from inference.lab.evaluation.figures import INTERVALS, calibration_figure, check_order, labels_of
from inference.lab.evaluation.lesion_figures import dice
from inference.lab.evaluation.lesions import Truth, read_truth
from inference.lab.metrics.resampling import Resampling, aurocs, calibration_errors, mean_of
from inference.lab.metrics.scores import RESAMPLES
from inference.lab.training.outputs import Outputs, Thresholds

Figures = dict[str, Any]
# Name to the values (1 + R,) whose paired differences count, and to the figure of one model alone.
Statistics = dict[str, tuple[np.ndarray, Figures]]


def two_sided_p(differences: np.ndarray) -> float | None:
    """Return twice the smaller share of resamples at or beyond no difference; differences (1 + R,), estimate first.

    One is added to count and total, so that p is never nought (Davison & Hinkley 1997, section 4.2).
    """
    drawn = differences[1:][np.isfinite(differences[1:])]
    if not len(drawn) or not np.isfinite(differences[0]):
        return None
    smaller = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return round(min(1.0, 2 * (smaller + 1) / (len(drawn) + 1)), 4)


def _ranks(drawn: Resampling, labels: np.ndarray, p: np.ndarray) -> Statistics:
    per_class = [aurocs(drawn.weights, labels == k, p[:, k]) for k in range(len(OUTCOMES))]
    count = len(labels)
    stated = p.max(axis=1) if count else np.zeros(0)
    right = p.argmax(axis=1) == labels
    distance = ((p - np.eye(len(OUTCOMES))[labels]) ** 2).sum(axis=1)
    return {
        "macro_auroc": (mean_of(per_class), drawn.macro_auroc(labels, p)),
        "malignant_auroc": (per_class[2], drawn.auroc(labels == 2, p[:, 2])),
        "tumour_auroc": (aurocs(drawn.weights, labels > 0, 1 - p[:, 0]), drawn.auroc(labels > 0, 1 - p[:, 0])),
        "brier": (drawn.ratio(distance, np.ones(count)), drawn.mean(distance)),
        "ece": (calibration_errors(drawn.weights, right, stated), calibration_figure(drawn, right, stated)),
    }


def _calls(drawn: Resampling, labels: np.ndarray, called: np.ndarray) -> Statistics:
    def share(hits: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, Figures]:
        return drawn.ratio(hits & among, among), drawn.share(hits, among)

    recalls = mean_of([share(called == k, labels == k)[0] for k in range(len(OUTCOMES))])
    everyone = np.ones(len(labels), dtype=bool)
    return {
        "accuracy": share(called == labels, everyone),
        "balanced_accuracy": (recalls, drawn.figure(recalls)),
        "malignant_sensitivity": share(called == 2, labels == 2),
        "malignant_specificity": share(called != 2, labels != 2),
        "cancers_called_normal": share(called == 0, labels == 2),
        "normals_called_normal": share(called == 0, labels == 0),
    }


def _cut(drawn: Resampling, labels: np.ndarray, malignant: np.ndarray, thresholds: Thresholds) -> Statistics:
    found: Statistics = {}
    for name, cut in (("0.90", thresholds.specificity_90), ("0.95", thresholds.specificity_95)):
        if cut is None:
            continue
        above = malignant >= cut
        found[f"sensitivity_at_specificity_{name}"] = (
            drawn.ratio(above & (labels == 2), labels == 2),
            drawn.share(above, labels == 2),
        )
        found[f"specificity_reached_{name}"] = (
            drawn.ratio(~above & (labels != 2), labels != 2),
            drawn.share(~above, labels != 2),
        )
    return found


def _statistics(
    drawn: Resampling, labels: np.ndarray, outputs: Outputs, thresholds: Thresholds | None, finite: np.ndarray
) -> Statistics:
    """Return the statistics of one model; ranks only over films that both models rank."""
    ranked, truth, p = drawn.take(finite), labels[finite], outputs.probabilities[finite]
    found = _ranks(ranked, truth, p) | _calls(drawn, labels, outputs.called)
    return found | _cut(ranked, truth, p[:, 2], thresholds) if thresholds is not None else found


def _dice(drawn: Resampling, outputs: Outputs, threshold: float, truth: Truth) -> tuple[np.ndarray, Figures]:
    assert outputs.masks is not None
    overlap = dice(np.nan_to_num(outputs.masks.astype(np.float32)) >= threshold, truth.cells)
    values = drawn.ratio(np.where(truth.drawn, overlap, 0.0), truth.drawn)
    return values, drawn.figure(values, int(truth.drawn.sum()))


def compare(
    films: list[LabelledFilm],
    a: Outputs,
    b: Outputs,
    thresholds_a: Thresholds | None = None,
    thresholds_b: Thresholds | None = None,
    resamples: int = RESAMPLES,
) -> Figures:
    """Return {groups, films, figures: {name: {a, b, difference, p}}}; difference = b - a on the same resamples.

    Each model keeps its own thresholds; without them nothing is said at a specificity (nor where only one model has a
    cut-off for it), and nothing of outlines. Both must answer the same films in the same order (DataError).
    """
    if not films:
        raise DataError("no_films", "There are no films to compare on.")
    check_order(films, a)
    check_order(films, b)
    labels = labels_of(films)
    drawn = Resampling.draw(np.array([film.group_id for film in films]), labels, resamples)
    finite = np.flatnonzero(np.isfinite(a.probabilities).all(axis=1) & np.isfinite(b.probabilities).all(axis=1))
    both = thresholds_a is not None and thresholds_b is not None
    first = _statistics(drawn, labels, a, thresholds_a if both else None, finite)
    second = _statistics(drawn, labels, b, thresholds_b if both else None, finite)
    truth = read_truth(films)
    if thresholds_a and thresholds_b and a.masks is not None and b.masks is not None and truth.drawn.any():
        first["dice"] = _dice(drawn, a, thresholds_a.mask, truth)
        second["dice"] = _dice(drawn, b, thresholds_b.mask, truth)
    rows = {
        name: {
            "a": alone,
            "b": second[name][1],
            "difference": drawn.figure(second[name][0] - values, alone["n"]),
            "p": two_sided_p(second[name][0] - values),
        }
        for name, (values, alone) in first.items()
        if name in second
    }
    return {
        "groups": len(np.unique(drawn.groups)),
        "films": len(films),
        "intervals": f"{INTERVALS} Difference: b minus a, paired bootstrap; p two-sided",
        "resamples": resamples,
        "figures": rows,
    }
