"""Figures and their 95 % intervals: plain numpy, checked against known values, resampled by group within class."""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000


def auroc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve as the share of (positive, negative) pairs in the right order; ties count one half.

    Returns nan where one of the two classes is missing.
    """
    positives = int(targets.sum())
    negatives = len(targets) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - (counts - 1) / 2)[inverse]
    return float((ranks[targets.astype(bool)].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def macro_auroc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the classes of one-against-rest AUROC; labels (N,) are columns of probabilities (N, K)."""
    return float(np.mean([auroc(labels == k, probabilities[:, k]) for k in range(probabilities.shape[1])]))


def share(hits: np.ndarray, among: np.ndarray) -> float:
    """Share of `hits` among the cases `among` (both boolean (N,)); nan where there are none."""
    count = int(among.sum())
    return float((hits & among).sum() / count) if count else float("nan")


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Multi-class Brier score: mean over cases of the summed squared differences (0 best, 2 worst)."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def wilson(hits: int, count: int) -> dict[str, float | int | None]:
    """A share with Wilson's 95 % interval, for images that form no groups."""
    if count == 0:
        return {"estimate": None, "low": None, "high": None, "n": 0}
    z = 1.959964
    p = hits / count
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = float(max(0.0, centre - half)), float(min(1.0, centre + half))
    return {"estimate": round(p, 4), "low": round(low, 4), "high": round(high, 4), "n": count}


def group_resamples(groups: np.ndarray, labels: np.ndarray, resamples: int, seed: int) -> list[np.ndarray]:
    """Return index arrays: groups drawn with replacement within the class of their gravest film."""
    rng = np.random.default_rng(seed)
    members = {group: np.flatnonzero(groups == group) for group in np.unique(groups)}
    strata: dict[int, list[np.ndarray]] = {}
    for indices in members.values():
        strata.setdefault(int(labels[indices].max()), []).append(indices)
    drawn = []
    for _ in range(resamples):
        picked = [
            chosen[index] for chosen in strata.values() for index in rng.integers(0, len(chosen), len(chosen)).tolist()
        ]
        drawn.append(np.concatenate(picked))
    return drawn
