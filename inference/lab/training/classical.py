"""Row 2: texture features and support vector machines, the state of the art before deep learning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.training.svm import Features, TwoSteps, train_two_steps
from inference.lab.training.texture import texture_features


@dataclass(frozen=True)
class Classical:
    """The trained pair of machines, asked with squares."""

    machines: TwoSteps

    def logits(self, squares: np.ndarray) -> np.ndarray:
        """Return logits (N, 2) of tumour and of malignant-given-tumour for uint8 squares (N, 256, 256)."""
        return self.machines.logits(texture_features(squares))

    def probabilities(self, squares: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, 3)."""
        return self.machines.probabilities(texture_features(squares))

    def save(self, path: Path) -> None:
        self.machines.save(path)

    @classmethod
    def load(cls, path: Path) -> Classical:
        return cls(TwoSteps.load(path))


def labelled(films: list[LabelledFilm], values: np.ndarray) -> Features:
    """Return features (N, D) of `films` with what a machine must know of each."""
    labels = np.array([OUTCOMES.index(film.label) for film in films])
    return Features(values, labels, np.array([film.group_id for film in films]))


def train_classical(train: list[LabelledFilm], validation: list[LabelledFilm], seed: int = 7) -> Classical:
    """Train on `train`; `validation` chooses the costs. About one minute of one core on BTXRD."""
    known, others = (
        labelled(films, texture_features(read_squares([film.path for film in films]))) for films in (train, validation)
    )
    return Classical(train_two_steps(known, others, seed))
