"""What withholding buys and costs, what the conformal sets cover, and how often small perturbations flip the answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm
from inference.lab.metrics.resampling import Resampling
from inference.lab.training.outputs import Outputs

Figures = dict[str, Any]


def withheld_figures(drawn: Resampling, labels: np.ndarray, outputs: Outputs) -> Figures | None:
    """Return the figures of the answered films, each beside its cost; None where nothing can be withheld."""
    if outputs.withheld is None:
        return None
    withheld, called = outputs.withheld.astype(bool), outputs.called
    answered, cancer = ~withheld, labels == 2
    wrong = called != labels
    reasons = Counter(code for codes in outputs.reasons or [] for code in set(codes))
    return {
        "share": drawn.share(withheld),
        "share_by_class": {name: drawn.share(withheld, labels == k) for k, name in enumerate(OUTCOMES)},
        "risk_answered": drawn.share(wrong, answered),
        "risk_withheld_counted_as_wrong": drawn.share(wrong | withheld),
        "malignant_precision_answered": drawn.share(cancer, answered & (called == 2)),
        "malignant_recall_answered": drawn.share(called == 2, answered & cancer),
        "malignant_recall_withheld_counted_as_missed": drawn.share(answered & (called == 2), cancer),
        "cancers_called_normal_answered": drawn.share(called == 0, answered & cancer),
        "normals_called_normal_answered": drawn.share(called == 0, answered & (labels == 0)),
        "recall_answered_by_class": {
            name: drawn.share(called == k, answered & (labels == k)) for k, name in enumerate(OUTCOMES)
        },
        "films_by_reason": dict(sorted(reasons.items())),
    }


def conformal_figures(
    drawn: Resampling, films: list[LabelledFilm], labels: np.ndarray, outputs: Outputs
) -> Figures | None:
    """Return how often the prediction set holds the true class: per class, per centre, per class and centre."""
    sets = outputs.prediction_sets
    if sets is None:
        return None
    sets = sets.astype(bool)
    covered = sets[np.arange(len(labels)), labels]
    size = sets.sum(axis=1)
    centres = np.array([film.attributes.get("centre") or "" for film in films])
    by_centre = {}
    for centre in sorted(set(centres.tolist()) - {""}):
        here = centres == centre
        by_centre[centre] = {
            "all": drawn.share(covered, here),
            **{name: drawn.share(covered, here & (labels == k)) for k, name in enumerate(OUTCOMES)},
        }
    return {
        "coverage": drawn.share(covered),
        "coverage_by_class": {name: drawn.share(covered, labels == k) for k, name in enumerate(OUTCOMES)},
        "coverage_by_centre": by_centre,
        "one_class": drawn.share(size == 1),
        "empty": drawn.share(size == 0),
        "mean_size": drawn.mean(size.astype(float)),
    }


def flip_figures(drawn: Resampling, labels: np.ndarray, outputs: Outputs) -> Figures | None:
    """Return the share of films whose outcome changes under each perturbation, and under any of them."""
    if not outputs.perturbed:
        return None
    flipped = {name: values != outputs.called for name, values in sorted(outputs.perturbed.items())}
    anything = np.any(list(flipped.values()), axis=0)
    cancer = labels == 2
    lost = {name: (outputs.called == 2) & (values != 2) & cancer for name, values in sorted(outputs.perturbed.items())}
    return {
        "by_perturbation": {name: drawn.share(hits) for name, hits in flipped.items()},
        "any": drawn.share(anything),
        "any_by_class": {name: drawn.share(anything, labels == k) for k, name in enumerate(OUTCOMES)},
        "found_cancers_lost": {name: drawn.share(hits, cancer & (outputs.called == 2)) for name, hits in lost.items()},
    }


def gate_figures(drawn: Resampling, labels: np.ndarray, outputs: Outputs) -> Figures | None:
    """Return the share of these films that the gate would have refused: all are bone, so each one is a fault."""
    if outputs.refused is None:
        return None
    refused = outputs.refused.astype(bool)
    return {
        "refused": drawn.share(refused),
        "refused_by_class": {name: drawn.share(refused, labels == k) for k, name in enumerate(OUTCOMES)},
    }
