"""The empirical area under the ROC curve, as the Mann-Whitney statistic with its placement values."""

from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _


class NotEstimable(Exception):
    """The data do not determine the figure.

    Attributes:
        code: ``one_class``, ``few_cases``, ``few_readers`` or ``no_variation``.
        message: a sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Placements:
    """Placement values of K tests on the same cases; all shares lie in 0..1.

    Attributes:
        positive: (K, P): the share of negatives that score below each positive, ties counted one half (V10 of DeLong).
        negative: (K, N): the share of positives that score above each negative, ties counted one half (V01 of DeLong).
    """

    positive: np.ndarray
    negative: np.ndarray


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks of (N,) numbers from 1; equal numbers share the mean of their ranks."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / 2


def placements(scores: np.ndarray, positive: np.ndarray) -> Placements:
    """Placement values by midranks, in O(n log n) for each test (Sun and Xu, IEEE Signal Process Lett 2014;21:1389).

    Args:
        scores: (K, n) numbers, higher for more suspicion; none may be missing.
        positive: (n,) truth as booleans.

    Raises:
        NotEstimable: ``one_class``.
    """
    scores, positive = np.atleast_2d(np.asarray(scores, dtype=float)), np.asarray(positive, dtype=bool)
    if np.isnan(scores).any():
        raise ValueError("a score is missing")
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        raise NotEstimable(
            "one_class", _("All cases have the same truth, so no area under the curve can be calculated.")
        )
    pooled = np.array([midranks(row) for row in scores])
    within_positive = np.array([midranks(row) for row in scores[:, positive]])
    within_negative = np.array([midranks(row) for row in scores[:, ~positive]])
    return Placements(
        positive=(pooled[:, positive] - within_positive) / n_negative,
        negative=1 - (pooled[:, ~positive] - within_negative) / n_positive,
    )


def empirical_auc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Areas (K,) of K tests: the share of pairs in the right order, ties counted one half (Bamber 1975).

    Args and errors as ``placements``.
    """
    return placements(scores, positive).positive.mean(axis=1)


def roc_points(scores: np.ndarray, positive: np.ndarray) -> list[tuple[float, float]]:
    """Corners of one empirical ROC curve as (1 - specificity, sensitivity), from (0, 0) to (1, 1).

    Args:
        scores: (n,); the curve has one corner for each different score.
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        raise NotEstimable("one_class", _("All cases have the same truth, so no curve can be drawn."))
    points = [(0.0, 0.0)]
    for cut in np.unique(scores)[::-1]:
        called = scores >= cut
        points.append((float(called[~positive].mean()), float(called[positive].mean())))
    return points
