"""A patient's films as one case: its gravest class, its most suspicious film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm
from inference.lab.metrics.resampling import Resampling

Figures = dict[str, Any]


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


def case_figures(films: list[LabelledFilm], labels: np.ndarray, p: np.ndarray, called: np.ndarray) -> Figures | None:
    """Return the figures of patients instead of films, None where not every film names its patient.

    Probabilities p (N, 3) and outcomes called (N,) of labels (N,); films without finite probabilities rank lowest.
    """
    names = np.array([film.attributes.get("patient_group", "") for film in films])
    if not all(names):
        return None
    cases = Cases.of(names, labels)
    drawn = Resampling.draw(cases.names, cases.labels, resamples=1)
    gravest = cases.gravest(called)
    truth = cases.labels
    return {
        "statement": "A patient's films as one case: the gravest class, the most suspicious film, the gravest outcome.",
        "patients_by_class": {name: int((truth == k).sum()) for k, name in enumerate(OUTCOMES)},
        "malignant_auroc": drawn.auroc(truth == 2, cases.highest(np.nan_to_num(p[:, 2]))),
        "tumour_auroc": drawn.auroc(truth > 0, cases.highest(np.nan_to_num(1 - p[:, 0]))),
        "malignant_sensitivity": drawn.share(gravest == 2, truth == 2),
        "malignant_specificity": drawn.share(gravest != 2, truth != 2),
        "cancers_called_normal": drawn.share(gravest == 0, truth == 2),
        "normals_called_normal": drawn.share(gravest == 0, truth == 0),
    }
