"""95 % intervals that hold with few patients: of a share, of an area under the ROC curve, of a calibration error.

Films of one patient are alike, so the patient is the unit: variances are taken over patients, quantiles are Student's
with as many degrees of freedom as there are patients of the rarer class less one. The bootstrap does worse with few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Figure = dict[str, Any]
_Z = 1.959964
# Under so many patients of a class a figure is shown with a warning.
FEWEST_GROUPS = 20
_DRAWS = 600
_SEED = 13


def t_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t (Hill 1970, algorithm 396; exact for one and two degrees)."""
    if degrees <= 1:
        return 12.7062
    if degrees == 2:
        return 4.3027
    z, n = _Z, float(degrees)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / n + second / n**2 + third / n**3 + fourth / n**4


def _sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums of values (N,) within each group."""
    _, place = np.unique(groups, return_inverse=True)
    return np.bincount(place, weights=values)


def _wilson(share: float, trials: float, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def share_interval(hits: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Return (estimate, low, high) of the share of `hits` bool (N,) whose films belong to patients `groups` (N,).

    Wilson's interval with the effective number of films: the films divided by the design effect of their patients,
    shrunk by the quantile of t (Korn and Graubard 1998); nan without films.
    """
    count = len(hits)
    if not count:
        return math.nan, math.nan, math.nan
    share = float(hits.mean())
    sizes, found = _sums(np.ones(count), groups), _sums(hits.astype(float), groups)
    patients = len(sizes)
    # As if each patient were one film, unless the films of a patient are seen to differ as those of different patients.
    trials = count**2 / float((sizes**2).sum())
    if 0 < share < 1 and patients > 1:
        variance = patients / (patients - 1) * float(((found - share * sizes) ** 2).sum()) / count**2
        if variance > 0:
            trials = min(float(count), max(1.0, share * (1 - share) / variance))
        trials *= (_Z / t_quantile(patients - 1)) ** 2
    low, high = _wilson(share, trials, _Z)
    return share, low, high


def auroc_parts(targets: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray]:
    """Return an AUROC and what each film adds to its error, (N,): DeLong et al. 1988; nan where a class is missing."""
    positive = targets.astype(bool)
    first, second = scores[positive], scores[~positive]
    if not len(first) or not len(second):
        return math.nan, np.full(len(scores), math.nan)
    sorted_first, sorted_second = np.sort(first), np.sort(second)
    below = np.searchsorted(sorted_second, first, "left") + np.searchsorted(sorted_second, first, "right")
    above = np.searchsorted(sorted_first, second, "left") + np.searchsorted(sorted_first, second, "right")
    won, lost = below / (2 * len(second)), 1 - above / (2 * len(first))
    area = float(won.mean())
    parts = np.empty(len(scores))
    parts[positive] = (won - area) / len(first)
    parts[~positive] = (lost - area) / len(second)
    return area, parts


def _fewest(groups: np.ndarray, labels: np.ndarray) -> int:
    """Return the number of patients of the class that has fewest."""
    return min(len(np.unique(groups[labels == k])) for k in np.unique(labels))


def area_interval(area: float, parts: np.ndarray, groups: np.ndarray, patients: int) -> tuple[float, float]:
    """Return (low, high) of an area in (0, 1) on the scale of the logit, variance over patients (Obuchowski 1997).

    `parts` (N,) are what films add to the error, `patients` those of the rarer class. An area of 1 gets the lower bound
    of Wilson's interval with `patients` trials: so many right of so many says no more.
    """
    if not math.isfinite(area):
        return math.nan, math.nan
    bounded = _wilson(1.0 if area >= 0.5 else 0.0, float(patients), t_quantile(max(1, patients - 1)))
    if area in (0.0, 1.0) or patients < 2:
        return bounded
    sums = _sums(parts, groups)
    spread = math.sqrt(patients / (patients - 1) * float((sums**2).sum()))
    middle, half = math.log(area / (1 - area)), t_quantile(patients - 1) * spread / (area * (1 - area))
    return 1 / (1 + math.exp(-(middle - half))), 1 / (1 + math.exp(-(middle + half)))


def auroc_interval(targets: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Return (estimate, low, high) of the AUROC of `scores` (N,) for `targets` bool (N,); `groups` are patients."""
    area, parts = auroc_parts(targets, scores)
    if not math.isfinite(area):
        return area, area, area
    return area, *area_interval(area, parts, groups, _fewest(groups, targets.astype(int)))


def macro_auroc_interval(labels: np.ndarray, p: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Return (estimate, low, high) of the mean one-against-rest AUROC; labels (N,) are columns of p (N, K)."""
    found = [auroc_parts(labels == k, p[:, k]) for k in range(p.shape[1])]
    area = float(np.mean([one for one, _ in found]))
    if not math.isfinite(area):
        return area, area, area
    parts = np.mean([part for _, part in found], axis=0)
    return area, *area_interval(area, parts, groups, _fewest(groups, labels))


@dataclass(frozen=True)
class CalibrationError:
    """`found` is the error as binned; `by_chance` what a perfectly calibrated model of these films would show;
    `estimate` what is left without it, with its interval `low` to `high`."""

    found: float
    by_chance: float
    estimate: float
    low: float
    high: float

    def as_dict(self) -> Figure:
        return {name: round(value, 4) for name, value in vars(self).items()}


def _binned(right: np.ndarray, stated: np.ndarray, bins: int, weights: np.ndarray) -> np.ndarray:
    """Return the ECE (Guo et al. 2017) under each row of weights (R, N); right (N,) or (R, N)."""
    place = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = (weights * (right - stated)) @ np.eye(bins)[place]
    return np.abs(gaps).sum(axis=1) / weights.sum(axis=1)


def calibration_error(
    right: np.ndarray, stated: np.ndarray, groups: np.ndarray, bins: int = 10, seed: int = _SEED
) -> CalibrationError:
    """Return the top-label calibration error less what chance adds to it; right bool (N,), stated (N,), patients (N,).

    Chance makes a binned error positive even where the truth is nought, and resampling patients adds as much again:
    the squares of the resampled errors exceed that of the error found by what chance adds. The interval may reach
    nought.
    """
    rng, hits = np.random.default_rng(seed), right.astype(float)
    _, place = np.unique(groups, return_inverse=True)
    patients = int(place.max()) + 1
    found = float(_binned(hits, stated, bins, np.ones((1, len(hits))))[0])
    times = rng.multinomial(patients, np.full(patients, 1 / patients), size=_DRAWS)[:, place].astype(float)
    drawn = _binned(hits, stated, bins, times)
    by_chance = math.sqrt(max(0.0, float((drawn**2).mean()) - found**2))
    below, above = np.percentile(drawn, [2.5, 97.5]) - drawn.mean()
    widest = float(max(-below, above))

    def without_chance(error: float) -> float:
        return math.sqrt(max(0.0, error**2 - by_chance**2)) if error > 0 else 0.0

    high = without_chance(min(1.0, max(found, by_chance) + widest))
    return CalibrationError(found, by_chance, without_chance(found), without_chance(found - widest), high)


def few_groups(counts: dict[str, int]) -> str | None:
    """Return the warning where a class has fewer than FEWEST_GROUPS patients or groups, None elsewhere."""
    few = [f"{count} with {name} films" for name, count in counts.items() if count < FEWEST_GROUPS]
    return f"Few groups: {', '.join(few)}. Such intervals are wide and may still be too narrow." if few else None
