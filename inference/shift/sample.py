"""A compact sample of the films that a model was held against, kept in its card: for tests of all figures together.

One held-out film of each group of films (patient, where known), at most MOST_FILMS; of each its label's place in
OUTCOMES, P(normal) and P(malignant), and the first FEATURES coordinates of the distance's principal subspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_FILMS, FEATURES = 300, 16
_SEED = 31
KEY = "films"


@dataclass(frozen=True)
class ReferenceSample:
    """Of N films: `labels` int (N,), `outputs` (N, 2): P(normal) and P(malignant), `features` (N, F)."""

    labels: np.ndarray
    outputs: np.ndarray
    features: np.ndarray

    @property
    def clear_features(self) -> np.ndarray:
        """The features of the films without a tumour, (n, F)."""
        return self.features[self.labels == 0]

    @property
    def rows(self) -> np.ndarray:
        """Outputs and features side by side, (N, 2 + F)."""
        return np.concatenate([self.outputs, self.features], axis=1)

    def as_dict(self) -> dict[str, Any]:
        """Return what a card keeps below reference.films; three decimals are enough for distances."""
        return {
            "n": len(self.labels),
            "columns": ["probability of normal", "probability of malignant"],
            "labels": [int(label) for label in self.labels],
            "outputs": np.round(self.outputs, 4).tolist(),
            "features": np.round(self.features, 3).tolist(),
        }

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> ReferenceSample | None:
        """Return the sample of a card; None where it keeps none, as cards up to 2.1.0, or an uneven one."""
        entry: Any = (card.get("reference") or {}).get(KEY)
        try:
            labels = np.array(entry["labels"], dtype=int)
            outputs = np.array(entry["outputs"], dtype=float).reshape(len(labels), 2)
            features = np.array(entry["features"], dtype=float).reshape(len(labels), -1)
        except (KeyError, TypeError, ValueError):
            return None
        if not len(labels) or not features.shape[1] or not np.isfinite(features).all():
            return None
        return cls(labels, outputs, features)


def draw_sample(
    labels: np.ndarray, outputs: np.ndarray, features: np.ndarray, groups: np.ndarray, most: int = MOST_FILMS
) -> ReferenceSample:
    """Draw one film of each group, at most `most` groups, with a fixed seed; labels (N,), outputs (N, 2), features
    (N, F), groups (N,)."""
    drawn = np.random.default_rng(_SEED).permutation(len(groups))
    _, first = np.unique(groups[drawn], return_index=True)
    chosen = drawn[np.sort(first)][:most]
    return ReferenceSample(labels[chosen], outputs[chosen], features[chosen])
