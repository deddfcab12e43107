"""Curves as lists of points: calibration, decision, ROC, precision-recall, risk against coverage."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.lab.metrics.resampling import Resampling, divide, quantile_band, rounded

Points = list[dict[str, Any]]
BINS = 10
DECISION_THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.075, *(round(0.1 + 0.05 * step, 2) for step in range(13)))
COVERAGES = tuple(round(0.05 * step, 2) for step in range(1, 21))
MOST_POINTS = 120


def calibration_curve(drawn: Resampling, right: np.ndarray, stated: np.ndarray) -> Points:
    """Return {stated, observed, low, high, n} per occupied bin; right bool (N,), stated (N,) in [0, 1]."""
    place = np.minimum((stated * BINS).astype(int), BINS - 1)
    inside = np.eye(BINS)[place]
    count = drawn.total(inside)
    observed = divide(drawn.total(inside * right[:, None]), count)
    said = divide(drawn.total(inside * stated[:, None]), count)[0]
    low, high = quantile_band(observed)
    return [
        {
            "stated": rounded(said[index]),
            "observed": rounded(observed[0, index]),
            "low": rounded(low[index]),
            "high": rounded(high[index]),
            "n": int(count[0, index]),
        }
        for index in range(BINS)
        if count[0, index]
    ]


def decision_curve(drawn: Resampling, targets: np.ndarray, stated: np.ndarray) -> Points:
    """Return net benefit by threshold probability (Vickers & Elkin 2006), at the prevalence of these films.

    net benefit = true positives / n - false positives / n x t / (1 - t); treating nobody is 0 everywhere.
    """
    everyone = drawn.total(np.ones(len(targets)))
    prevalence = divide(drawn.total(targets), everyone)[0]
    points = []
    for threshold in DECISION_THRESHOLDS:
        odds = threshold / (1 - threshold)
        treated = stated >= threshold
        benefit = divide(drawn.total((treated & targets) - odds * (treated & ~targets)), everyone)
        found = drawn.figure(benefit)
        points.append(
            {
                "threshold": threshold,
                "net_benefit": found["estimate"],
                "low": found["low"],
                "high": found["high"],
                "treat_all": rounded(prevalence - (1 - prevalence) * odds),
                "treat_none": 0.0,
            }
        )
    return points


def _counts(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct scores from high to low with true and false positives at or above each."""
    order = np.argsort(-scores, kind="stable")
    arranged, hits = scores[order], np.cumsum(targets[order])
    last = np.flatnonzero(np.concatenate([arranged[1:] != arranged[:-1], [True]]))
    return arranged[last], hits[last], last + 1 - hits[last]


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int))


def roc_curve(targets: np.ndarray, scores: np.ndarray) -> Points:
    """Return {threshold, sensitivity, specificity}; empty where one of the classes is missing."""
    positives = int(targets.sum())
    if positives in (0, len(targets)):
        return []
    cut, hits, alarms = _counts(targets, scores)
    negatives = len(targets) - positives
    first = [{"threshold": None, "sensitivity": 0.0, "specificity": 1.0}]
    return first + [
        {
            "threshold": rounded(cut[i]),
            "sensitivity": rounded(hits[i] / positives),
            "specificity": rounded(1 - alarms[i] / negatives),
        }
        for i in _thinned(len(cut))
    ]


def precision_recall_curve(targets: np.ndarray, scores: np.ndarray) -> Points:
    """Return {threshold, precision, recall}; empty without positives."""
    positives = int(targets.sum())
    if positives == 0:
        return []
    cut, hits, alarms = _counts(targets, scores)
    return [
        {
            "threshold": rounded(cut[i]),
            "precision": rounded(hits[i] / (hits[i] + alarms[i])),
            "recall": rounded(hits[i] / positives),
        }
        for i in _thinned(len(cut))
    ]


def risk_coverage_curve(drawn: Resampling, labels: np.ndarray, called: np.ndarray, certainty: np.ndarray) -> Points:
    """Return the risk when only the most certain films are answered (Geifman & El-Yaniv 2017).

    risk: share of wrong answers among those given; missed: share of malignant films not called malignant, withheld
    ones counted as missed too.
    """
    wrong, cancer = called != labels, labels == 2
    points = []
    for coverage in COVERAGES:
        cut = np.quantile(certainty, 1 - coverage, method="lower") if len(certainty) else 0.0
        answered = certainty >= cut
        risk, missed = drawn.share(wrong, answered), drawn.share(~(answered & (called == 2)), cancer)
        points.append(
            {
                "coverage": rounded(answered.mean()) if len(answered) else None,
                "risk": risk["estimate"],
                "low": risk["low"],
                "high": risk["high"],
                "missed": missed["estimate"],
                "n": risk["n"],
            }
        )
    return points
