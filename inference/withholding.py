"""When an answer is withheld: undecided set, a film unlike the training films, an unstable answer. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.prediction import SET_UNDECIDED, UNLIKE_TRAINING, UNSTABLE


@dataclass(frozen=True)
class ConformalSets:
    """Class-conditional split conformal sets (Vovk 2013): class k is in the set where p_k >= cut_offs[k].

    `level` is the share of each class that the set may miss. No guarantee on films from another source.
    """

    level: float
    cut_offs: tuple[float, ...]

    def members(self, probabilities: np.ndarray) -> np.ndarray:
        """Return bool (..., K) for probabilities (..., K) of K classes."""
        return probabilities >= np.asarray(self.cut_offs)

    def as_dict(self) -> dict[str, Any]:
        return {"level": self.level, "cut_offs": list(self.cut_offs)}


# Fewer films of a class at one place are no sample of it: they count in the whole, not by themselves.
FEWEST_OF_A_PLACE = 30


def fit_conformal(
    labels: np.ndarray, probabilities: np.ndarray, level: float, places: np.ndarray | None = None
) -> ConformalSets:
    """Fit on calibration films: labels (N,), probabilities (N, K). At least `level` * (n_k + 1) >= 1 films per class.

    The cut-off of class k is the floor(level * (n_k + 1))-th smallest p_k among its own films; 0 where that is none.
    With `places` (N,) it is the lowest that any place with FEWEST_OF_A_PLACE films of the class asks for, so that the
    worst place is covered as stated (group-conditional sets: Barber et al. 2021, section 4).
    """
    cut_offs = []
    for k in range(probabilities.shape[1]):
        own = labels == k
        asked = [_cut_off(probabilities[own, k], level)]
        if places is not None:
            names, counts = np.unique(places[own], return_counts=True)
            asked += [
                _cut_off(probabilities[own & (places == name), k], level) for name in names[counts >= FEWEST_OF_A_PLACE]
            ]
        cut_offs.append(min(asked))
    return ConformalSets(level, tuple(cut_offs))


def _cut_off(own: np.ndarray, level: float) -> float:
    place = int(np.floor(level * (len(own) + 1)))
    return float(np.sort(own)[place - 1]) if place >= 1 else 0.0


@dataclass(frozen=True)
class Distance:
    """How unlike the training films a film is: Mahalanobis distance in a principal subspace of the head's features.

    `mean` (D,), `basis` (D, k) scaled so that training films have unit variance along each of k directions.
    """

    mean: np.ndarray
    basis: np.ndarray

    def coordinates(self, features: np.ndarray) -> np.ndarray:
        """Return the coordinates (N, k) of features (N, D) along the directions, of unit variance in training."""
        return (features - self.mean) @ self.basis

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return root-mean-square standard deviations (N,) of features (N, D); 1 is usual."""
        return np.sqrt((self.coordinates(features) ** 2).mean(axis=1))


def fit_distance(features: np.ndarray, directions: int = 48) -> Distance:
    """Fit on features (N, D) of training films; each feature is scaled to unit variance before the decomposition."""
    mean = features.mean(axis=0)
    spread = features.std(axis=0) + 1e-6
    _, values, rows = np.linalg.svd((features - mean) / spread, full_matrices=False)
    kept = min(directions, len(values))
    scale = values[:kept] / np.sqrt(len(features))
    return Distance(mean, (rows[:kept] / scale[:, None]).T / spread[:, None])


def reasons_to_withhold(
    leaning: int,
    members: np.ndarray,
    outcomes_of_views: Sequence[int],
    distance: float,
    furthest: float,
    dissent: tuple[str, int] = (UNSTABLE, 0),
) -> tuple[str, ...]:
    """Return the codes, none where the answer stands; `members` is the conformal set, bool (K,).

    `dissent` holds the code for views that are called otherwise, and how many of them may be.
    """
    reasons = []
    if not (members[leaning] and members.sum() == 1):
        reasons.append(SET_UNDECIDED)
    if distance > furthest:
        reasons.append(UNLIKE_TRAINING)
    if sum(outcome != leaning for outcome in outcomes_of_views) > dissent[1]:
        reasons.append(dissent[0])
    return tuple(reasons)
