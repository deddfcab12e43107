"""Covariances of correlated figures of the same cases: areas under ROC curves (DeLong) and shares of calls."""

import numpy as np
from django.utils.translation import gettext_lazy

from analyses.statistics.auc import NotEstimable, placements

FEW = gettext_lazy("An error estimate needs at least two malignant and two other cases.")


def auc_with_covariance(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of K tests on the same cases and the covariance of their errors.

    DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845: S = S10 / P + S01 / N, the sample covariances of the
    placement values of P positive and N negative cases.

    Args:
        scores: (K, n) numbers, higher for more suspicion; none may be missing.
        positive: (n,) truth as booleans.

    Returns:
        (K,) areas and (K, K) covariances.

    Raises:
        NotEstimable: ``one_class``, ``few_cases``.
    """
    placed = placements(scores, positive)
    return placed.positive.mean(axis=1), _mean_covariance(placed.positive) + _mean_covariance(placed.negative)


def share_with_covariance(calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of K tests' calls among the same n cases, such as sensitivities, and the covariance of their errors.

    Args:
        calls: (K, n) booleans.

    Returns:
        (K,) shares and (K, K) covariances.

    Raises:
        NotEstimable: ``few_cases``.
    """
    values = np.atleast_2d(np.asarray(calls, dtype=float))
    return values.mean(axis=1), _mean_covariance(values)


def _mean_covariance(values: np.ndarray) -> np.ndarray:
    """Covariance (K, K) of the means of the rows of (K, n) values."""
    count = values.shape[1]
    if count < 2:
        raise NotEstimable("few_cases", str(FEW))
    return np.atleast_2d(np.cov(values, ddof=1)) / count
