"""Two support vector machines, tumour or none and malignant among tumours, on features of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from inference.calibration import class_probabilities, fit_calibration, sigmoid
from inference.errors import DataError
from inference.lab.metrics.scores import auroc

COSTS = (0.1, 0.5, 2.0, 8.0, 32.0)
_COMPONENTS = 128
_FOLDS = 5
_FIELDS = ("mean", "spread", "axes", "widths", "support", "weights", "numbers")


@dataclass(frozen=True)
class Machine:
    """One trained machine: standardise, project on principal axes, radial kernel, Platt's scaling.

    `mean`, `spread` (D,), `axes` (D, K), `widths` (K,), `support` (S, K), `weights` (S,), `numbers` = intercept, gamma,
    scale and bias of Platt's scaling.
    """

    mean: np.ndarray
    spread: np.ndarray
    axes: np.ndarray
    widths: np.ndarray
    support: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return calibrated logits (N,) of features (N, D)."""
        return self.numbers[2] * self._distances(features) + self.numbers[3]

    def _distances(self, features: np.ndarray) -> np.ndarray:
        """Return the signed distances (N,) from the separating surface."""
        points = _project(features, self)
        squares = (points**2).sum(axis=1)[:, None] + (self.support**2).sum(axis=1) - 2 * points @ self.support.T
        return np.exp(-self.numbers[1] * np.maximum(0, squares)) @ self.weights + self.numbers[0]


def _project(features: np.ndarray, machine: Machine) -> np.ndarray:
    return ((features - machine.mean) / machine.spread) @ machine.axes / machine.widths


def _fit(features: np.ndarray, wanted: np.ndarray, cost: float, seed: int) -> Machine:
    """Train one machine on features (N, D) and targets (N,) in {0, 1}, without Platt's scaling."""
    from sklearn.decomposition import PCA
    from sklearn.svm import SVC

    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-8, spread, 1.0)
    standard = (features - mean) / spread
    kept = min(_COMPONENTS, *standard.shape)
    found = PCA(kept, svd_solver="randomized", random_state=seed).fit(standard)
    axes = found.components_.T
    # One scale for all axes, so that the leading ones keep their say and the kernel's width needs no search.
    widths = np.full(kept, max(1e-8, float(np.sqrt(found.explained_variance_.mean()))))
    points = standard @ axes / widths
    machine = SVC(C=cost, gamma=1.0 / kept, class_weight="balanced", cache_size=200).fit(points, wanted)
    numbers = np.array([float(machine.intercept_[0]), 1.0 / kept, 1.0, 0.0])
    return Machine(mean, spread, axes, widths, points[machine.support_], machine.dual_coef_[0], numbers)


def _held_out(features: np.ndarray, wanted: np.ndarray, groups: np.ndarray, cost: float, seed: int) -> np.ndarray:
    """Return distances (N,) from machines that saw no film of the same group."""
    from sklearn.model_selection import StratifiedGroupKFold

    distances = np.zeros(len(wanted))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for inside, outside in folds.split(features, wanted, groups):
        distances[outside] = _fit(features[inside], wanted[inside], cost, seed).logits(features[outside])
    return distances


def _calibrated(machine: Machine, distances: np.ndarray, wanted: np.ndarray) -> Machine:
    found = fit_calibration(distances, wanted.astype(float))
    numbers = np.array([*machine.numbers[:2], found.scale, found.bias])
    return Machine(
        machine.mean, machine.spread, machine.axes, machine.widths, machine.support, machine.weights, numbers
    )


@dataclass(frozen=True)
class Features:
    """What a machine learns from: `values` (N, D), `labels` (N,) into OUTCOMES, `groups` (N,)."""

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray

    def of(self, chosen: np.ndarray) -> Features:
        return Features(self.values[chosen], self.labels[chosen], self.groups[chosen])


@dataclass(frozen=True)
class TwoSteps:
    """Both machines and the costs that validation chose."""

    tumour: Machine
    malignant: Machine
    costs: tuple[float, float]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return logits (N, 2) of tumour and of malignant-given-tumour for features (N, D)."""
        return np.stack([self.tumour.logits(features), self.malignant.logits(features)], axis=1)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return class probabilities (N, 3)."""
        chance = sigmoid(self.logits(features))
        return class_probabilities(chance[:, 0], chance[:, 1])

    def save(self, path: Path) -> None:
        """Write plain arrays, without pickle."""
        steps = {"tumour": self.tumour, "malignant": self.malignant}
        arrays = {f"{step}_{name}": getattr(steps[step], name) for step in steps for name in _FIELDS}
        np.savez(path, costs=np.array(self.costs), **arrays)

    @classmethod
    def load(cls, path: Path) -> TwoSteps:
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                steps = [Machine(*(stored[f"{step}_{name}"] for name in _FIELDS)) for step in ("tumour", "malignant")]
                return cls(steps[0], steps[1], (float(stored["costs"][0]), float(stored["costs"][1])))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError("bad_run", f"{path.name} is not a pair of stored machines: train it again.") from error


def _train_step(
    train: Features, validation: Features, positive: int, seed: int, *, seen: bool
) -> tuple[Machine, float]:
    """Choose the cost by AUROC on validation, then fit Platt's scaling on films that the machine has not seen."""
    wanted, there = train.labels >= positive, validation.labels >= positive
    best, kept, cost = -1.0, None, COSTS[0]
    for candidate in COSTS:
        machine = _fit(train.values, wanted, candidate, seed)
        figure = auroc(there, machine.logits(validation.values))
        if figure > best:
            best, kept, cost = figure, machine, candidate
    assert kept is not None
    if seen:
        return _calibrated(kept, kept.logits(validation.values), there), cost
    return _calibrated(kept, _held_out(train.values, wanted, train.groups, cost, seed), wanted), cost


def train_two_steps(train: Features, validation: Features, seed: int = 7, *, seen: bool = False) -> TwoSteps:
    """Train both machines. `seen` says that the features come from a network that learnt from the training films:
    then held-out folds of them are none, and Platt's scaling is fitted on validation instead."""
    tumour, first = _train_step(train, validation, 1, seed, seen=seen)
    malignant, second = _train_step(
        train.of(train.labels > 0), validation.of(validation.labels > 0), 2, seed, seen=seen
    )
    return TwoSteps(tumour, malignant, (first, second))
