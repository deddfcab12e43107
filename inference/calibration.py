"""From logits to calibrated probabilities, and from probabilities to an outcome by one stated rule. Numpy only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

OUTCOMES = ("normal", "benign", "malignant")


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999) of one network's logit: probability = sigmoid(scale * logit + bias)."""

    scale: float
    bias: float

    def probability(self, logit: np.ndarray | float) -> Any:
        """Return the calibrated probability, of the shape of `logit`."""
        return sigmoid(self.scale * np.asarray(logit, dtype=float) + self.bias)


@dataclass(frozen=True)
class OperatingPoint:
    """The cut-offs of one model version; `chosen_on` says on which films and by which rule.

    `tumour_first`: malignant is called only where a tumour is, for P(malignant) = t m passes a low cut-off where t is
    small. Without it malignancy is asked first.
    """

    name: str
    malignant: float
    tumour: float
    chosen_on: str
    tumour_first: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of a card; cards from before `tumour_first` go on reading as they were written."""
        entry = asdict(self)
        if not self.tumour_first:
            del entry["tumour_first"]
        return entry

    def outcome(self, tumour: float, malignant: float) -> str:
        """Return the outcome for P(tumour) and P(malignant) by the rule of this point."""
        found = tumour >= self.tumour
        if malignant >= self.malignant and (found or not self.tumour_first):
            return "malignant"
        return "benign" if found else "normal"


@dataclass(frozen=True)
class FindingPoint:
    """The cut-off of one finding, there or not, of one model version; `chosen_on` as for `OperatingPoint`."""

    name: str
    finding: float
    chosen_on: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def fit_calibration(logits: np.ndarray, targets: np.ndarray, steps: int = 100) -> Calibration:
    """Fit scale and bias by Newton's method on Platt's smoothed targets; logits (N,), targets (N,) in {0, 1}."""
    positives = float(targets.sum())
    negatives = float(len(targets)) - positives
    wanted = np.where(targets > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    columns = np.stack([logits, np.ones_like(logits)], axis=1)
    spread = float(np.std(logits)) or 1.0
    weights = np.array([1.0 / spread, 0.0])
    for _ in range(steps):
        stated = sigmoid(columns @ weights)
        curvature = columns.T @ (columns * (stated * (1 - stated))[:, None]) + 1e-6 * np.eye(2)
        change = np.linalg.solve(curvature, columns.T @ (stated - wanted))
        weights = weights - np.clip(change, -2.0, 2.0)
        if np.abs(change).max() < 1e-9:
            break
    return Calibration(float(weights[0]), float(weights[1]))


def class_probabilities(tumour: Any, malignant_given_tumour: Any) -> np.ndarray:
    """Return (..., 3) in the order of OUTCOMES: normal 1 - t, benign t (1 - m), malignant t m."""
    t, m = np.asarray(tumour, dtype=float), np.asarray(malignant_given_tumour, dtype=float)
    return np.stack([1 - t, t * (1 - m), t * m], axis=-1)


def youden_threshold(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the cut-off with the largest sensitivity + specificity, half way to the next lower score."""
    order = np.unique(scores)
    middles = np.concatenate([[order[0]], (order[1:] + order[:-1]) / 2])
    positive = np.sort(scores[targets > 0])
    negative = np.sort(scores[targets <= 0])
    sensitivity = 1 - np.searchsorted(positive, middles, side="left") / len(positive)
    specificity = np.searchsorted(negative, middles, side="left") / len(negative)
    return float(middles[int(np.argmax(sensitivity + specificity))])
