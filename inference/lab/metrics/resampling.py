"""The group bootstrap as one matrix of weights, so that 2,000 resamples of a figure are one product of matrices."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.intervals import auroc_interval, macro_auroc_interval, share_interval
from inference.lab.metrics.scores import RESAMPLES, wilson

Figure = dict[str, Any]
SEED = 7


def rounded(value: float, digits: int = 4) -> float | None:
    """Return a number for JSON: rounded, and None where there is none."""
    return round(float(value), digits) if np.isfinite(value) else None


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient, nan where the denominator is nought."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)


def _figure(values: tuple[float, float, float], n: int) -> Figure:
    return {**dict(zip(("estimate", "low", "high"), map(rounded, values), strict=True)), "n": n}


@dataclass(frozen=True)
class Resampling:
    """How often each film stands in each resample: weights float64 (1 + R, N); row 0 is the films themselves.

    Groups are drawn with replacement within the class of their gravest film; a film counts as often as its group.
    A statistic takes the weights and returns 1 + R values: the estimate first, then one per resample.
    """

    weights: np.ndarray
    groups: np.ndarray

    @classmethod
    def draw(cls, groups: np.ndarray, labels: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> Resampling:
        """Draw `resamples` times; groups (N,) of any kind, labels (N,) as indices into OUTCOMES."""
        _, code = np.unique(groups, return_inverse=True)
        gravest = np.zeros(code.max() + 1 if len(code) else 0, dtype=int)
        np.maximum.at(gravest, code, labels)
        rng = np.random.default_rng(seed)
        times = np.zeros((resamples, len(gravest)))
        for stratum in np.unique(gravest):
            members = np.flatnonzero(gravest == stratum)
            times[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
        return cls(np.concatenate([np.ones((1, len(code))), times[:, code]]), code)

    def take(self, chosen: np.ndarray) -> Resampling:
        """Return the same resamples seen on some of the films only."""
        return Resampling(self.weights[:, chosen], self.groups[chosen])

    def total(self, contributions: np.ndarray) -> np.ndarray:
        """Return the weighted sums (1 + R,) or (1 + R, K) of contributions (N,) or (N, K)."""
        return self.weights @ contributions.astype(float)

    def ratio(self, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
        """Return 1 + R quotients of weighted sums over films; nan where the denominator is nought."""
        return divide(self.total(numerator), self.total(denominator))

    def figure(self, values: np.ndarray, n: int | None = None) -> Figure:
        """Return {estimate, low, high, n}: the first of `values` and the 2.5 and 97.5 percentiles of the others."""
        estimate, drawn = values[0], values[1:][np.isfinite(values[1:])]
        known = len(drawn) > 0 and bool(np.isfinite(estimate))
        low, high = np.percentile(drawn, [2.5, 97.5]) if known else (np.nan, np.nan)
        return {
            "estimate": rounded(estimate),
            "low": rounded(low),
            "high": rounded(high),
            "n": int(self.weights.shape[1] if n is None else n),
        }

    def share(self, hits: np.ndarray, among: np.ndarray | None = None) -> Figure:
        """Return the share of `hits` among the films `among` (both bool (N,)), interval over groups."""
        among = np.ones(len(hits), dtype=bool) if among is None else among
        return _figure(share_interval(hits[among], self.groups[among]), int(among.sum()))

    def auroc(self, targets: np.ndarray, scores: np.ndarray) -> Figure:
        """Return the area under the ROC curve, its interval over groups on the scale of the logit."""
        return _figure(auroc_interval(targets, scores, self.groups), len(scores))

    def macro_auroc(self, labels: np.ndarray, p: np.ndarray) -> Figure:
        """Return the mean of the classes' areas, its interval over groups on the scale of the logit."""
        return _figure(macro_auroc_interval(labels, p, self.groups), len(labels))

    def bounded(self, values: np.ndarray, among: np.ndarray) -> Figure:
        """Return the figure of shares `values` (1 + R,) over the films `among`, never certain of 0 or 1.

        A share of exactly 0 or 1 does not vary between resamples, which is no certainty: its other bound is Wilson's,
        with the number of groups (not of films) as the number of trials.
        """
        found = self.figure(values, int(among.sum()))
        if found["estimate"] in (0, 1) and found["low"] == found["high"]:
            trials = len(np.unique(self.groups[among]))
            bound = wilson(trials if found["estimate"] else 0, trials)
            found |= {"low": bound["low"], "high": bound["high"]}
        return found

    def mean(self, values: np.ndarray, among: np.ndarray | None = None) -> Figure:
        """Return the mean of `values` (N,) over the films `among`; films where the value is nan are left out."""
        among = np.isfinite(values) if among is None else among & np.isfinite(values)
        return self.bounded(self.ratio(np.where(among, values, 0.0), among), among)


def _tied(weights: np.ndarray, targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of positives and of negatives at each distinct score, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    arranged = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], arranged[1:] != arranged[:-1]]))
    placed, positive = weights[:, order], targets[order].astype(float)
    return np.add.reduceat(placed * positive, starts, axis=1), np.add.reduceat(placed * (1 - positive), starts, axis=1)


def aurocs(weights: np.ndarray, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the AUROC under each row of weights (K, N); ties count one half, nan where a class is missing."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    positives, negatives = _tied(weights, targets, scores)
    lower = negatives.sum(axis=1, keepdims=True) - np.cumsum(negatives, axis=1)
    right = (positives * (lower + 0.5 * negatives)).sum(axis=1)
    return divide(right, positives.sum(axis=1) * negatives.sum(axis=1))


def average_precisions(weights: np.ndarray, targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the area under the precision-recall curve as a step function (average precision), per row of weights."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    positives, negatives = _tied(weights, targets, scores)
    found = np.cumsum(positives, axis=1)
    precision = np.divide(found, found + np.cumsum(negatives, axis=1), out=np.zeros_like(found), where=found > 0)
    return divide((positives * precision).sum(axis=1), positives.sum(axis=1))


def mean_of(rows: list[np.ndarray]) -> np.ndarray:
    """Return the mean over statistics, nan in a resample where one of them is nan."""
    return np.mean(np.stack(rows), axis=0)


def calibration_errors(weights: np.ndarray, right: np.ndarray, stated: np.ndarray, bins: int = 10) -> np.ndarray:
    """Return the ECE over equally wide bins (Guo et al. 2017, section 2) under each row of weights."""
    place = np.minimum((stated * bins).astype(int), bins - 1)
    gap = np.eye(bins)[place] * (right.astype(float) - stated)[:, None]
    return divide(np.abs(weights @ gap).sum(axis=1), weights.sum(axis=1))


def quantile_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 and 97.5 percentiles over resamples of values (1 + R, K), nan where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(values[1:], [2.5, 97.5], axis=0)
    return low, high
