"""Shares and areas under the curve where one patient may bring several cases: intervals clustered by patient."""

from math import exp, log, sqrt

import numpy as np

from analyses.statistics.auc import placements
from analyses.statistics.rates import Z_95, Figure, wilson


def clustered_share(hits: np.ndarray, clusters: np.ndarray) -> Figure | None:
    """A share with a Wilson interval at its effective sample size; None without observations.

    The variance of the share is that of a ratio of cluster totals; observed over binomial variance is the design
    effect, by which the sample size is divided (Rao and Scott, Biometrics 1992;48:577). It is never taken below 1, and
    where all observations agree, so that nothing can be said of it, the number of clusters stands for the size.

    Args:
        hits: (n,) booleans.
        clusters: (n,) integers, equal for observations of one patient.
    """
    hits, clusters = np.asarray(hits, dtype=bool), np.asarray(clusters)
    n = len(hits)
    if not n:
        return None
    _, where = np.unique(clusters, return_inverse=True)
    units, share = int(where.max()) + 1, float(hits.mean())
    if share in (0.0, 1.0) or units == 1:
        size = float(units)
    else:
        residuals = np.bincount(where, weights=hits - share)
        variance = units / (units - 1) * float((residuals**2).sum()) / n**2
        size = n / max(1.0, variance * n / (share * (1 - share)))
    low, high = wilson(share, size)
    return Figure(share, low, high, n, units, int(hits.sum()))


def clustered_auc(scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray) -> Figure | None:
    """The empirical area under the ROC curve with its interval on the logit scale; None where a truth is missing.

    The variance is that of clustered data (Obuchowski, Biometrics 1997;53:567, equations 5 to 8): sums of placement
    values by cluster, with the covariance of a cluster's positives and negatives. Where the area is 0 or 1, or the
    variance 0, the interval is that of a share at the number of clusters of the rarer truth.

    Args:
        scores: (n,) numbers, higher for more suspicion.
        positive: (n,) truth as booleans.
        clusters: (n,) integers, equal for observations of one patient.
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        return None
    _, where = np.unique(np.asarray(clusters), return_inverse=True)
    units = int(where.max()) + 1
    values = placements(scores[None, :], positive)
    area = float(values.positive.mean())
    rarer = int(min(positive.sum(), (~positive).sum()))
    both = (_units(where[positive]), _units(where[~positive]))
    variance = _variance(values.positive[0], values.negative[0], where[positive], where[~positive], units)
    if area in (0.0, 1.0) or variance <= 0 or min(both) < 2:
        low, high = wilson(area, min(both))
    else:
        half, middle = Z_95 * sqrt(variance) / (area * (1 - area)), log(area / (1 - area))
        low, high = _inverse_logit(middle - half), _inverse_logit(middle + half)
    return Figure(area, low, high, rarer, units)


def _variance(
    positive: np.ndarray, negative: np.ndarray, of_positive: np.ndarray, of_negative: np.ndarray, units: int
) -> float:
    """Variance of the area from placement values (V10 and V01) and the cluster of each."""
    m, n, area = len(positive), len(negative), float(positive.mean())
    first = np.bincount(of_positive, weights=positive - area, minlength=units)
    second = np.bincount(of_negative, weights=negative - area, minlength=units)
    units_positive, units_negative = _units(of_positive), _units(of_negative)
    if min(units_positive, units_negative) < 2:
        return 0.0
    s10 = units_positive / ((units_positive - 1) * m) * float((first**2).sum())
    s01 = units_negative / ((units_negative - 1) * n) * float((second**2).sum())
    s11 = units / (units - 1) * float((first * second).sum())
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def _units(clusters: np.ndarray) -> int:
    return len(np.unique(clusters))


def _inverse_logit(value: float) -> float:
    return 1 / (1 + exp(-value))
