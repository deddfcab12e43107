"""A patient's films as one case: its gravest class, its most suspicious film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cases:
    """M patients of N films: `names` (M,), `labels` int (M,) the gravest of a patient's films, `place` (N,) into M."""

    names: np.ndarray
    labels: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, groups: np.ndarray, labels: np.ndarray) -> Cases:
        """Gather films by patient; groups (N,) of any kind, labels (N,) as indices into OUTCOMES."""
        names, place = np.unique(groups, return_inverse=True)
        gravest = np.zeros(len(names), dtype=int)
        np.maximum.at(gravest, place, labels)
        return cls(names, gravest, place)

    def highest(self, scores: np.ndarray) -> np.ndarray:
        """Return the highest of `scores` (N,) over the films of each patient, float64 (M,)."""
        found = np.full(len(self.names), -np.inf)
        np.maximum.at(found, self.place, scores)
        return found

    def gravest(self, called: np.ndarray) -> np.ndarray:
        """Return the gravest outcome that was called on any film of each patient, int (M,)."""
        return self.highest(called).astype(int)
