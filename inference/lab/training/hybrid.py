"""Row 3: what a trained network's head reads, judged by support vector machines instead of the head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.data.preparation import prepare
from inference.lab.recipes.experiment import Experiment
from inference.lab.training.classical import labelled
from inference.lab.training.svm import TwoSteps, train_two_steps
from inference.lab.training.train import look


@dataclass(frozen=True)
class Hybrid:
    """A trained network and the machines that read its features."""

    network: nn.Module
    experiment: Experiment
    machines: TwoSteps

    def logits(self, squares: np.ndarray) -> np.ndarray:
        """Return logits (N, 2) of tumour and of malignant-given-tumour for uint8 squares (N, 256, 256)."""
        return self.machines.logits(network_features(self.network, self.experiment, squares))

    def probabilities(self, squares: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, 3)."""
        return self.machines.probabilities(network_features(self.network, self.experiment, squares))

    def save(self, path: Path) -> None:
        """Write the machines; the network stays in its own run."""
        self.machines.save(path)

    @classmethod
    def load(cls, path: Path, network: nn.Module, experiment: Experiment) -> Hybrid:
        return cls(network, experiment, TwoSteps.load(path))


def network_features(network: nn.Module, experiment: Experiment, squares: np.ndarray) -> np.ndarray:
    """Return what the head of `network` reads, float32 (N, D); DataError where it has no such thing."""
    found = look(network, prepare(squares, experiment.preparation), experiment.size).features
    if found is None:
        raise DataError("no_features", f"The network of {experiment.name} gives no features to a machine.")
    return found


def train_hybrid(
    network: nn.Module, experiment: Experiment, train: list[LabelledFilm], validation: list[LabelledFilm], seed: int = 7
) -> Hybrid:
    """Train machines on the features of a network that was itself trained on `train`."""
    known, others = (
        labelled(films, network_features(network, experiment, read_squares([film.path for film in films])))
        for films in (train, validation)
    )
    return Hybrid(network, experiment, train_two_steps(known, others, seed, seen=True))
