"""What can be measured: an installed model behind its predictor, or a training run of the laboratory."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from inference.calibration import OUTCOMES, OperatingPoint, sigmoid
from inference.errors import DataError
from inference.families.joint.model import JointModel, image_of
from inference.families.joint.network import JointNet
from inference.lab.evaluation.workers import worker_pool
from inference.lab.training.fitting import Steps, called
from inference.lab.training.outputs import Thresholds
from inference.lab.training.train import Look
from inference.predictor import Predictor
from inference.saliency import attribution

CELLS = 64


@dataclass
class Answers:
    """One subject's answers to N squares, in their order; what it cannot say stays None."""

    probabilities: np.ndarray
    called: np.ndarray
    withheld: np.ndarray | None = None
    reasons: list[list[str]] | None = None
    prediction_sets: np.ndarray | None = None
    masks: np.ndarray | None = None
    subtypes: np.ndarray | None = None
    ms_per_image: float | None = None


class Subject(Protocol):
    """Anything that answers squares uint8 (N, 256, 256) with the gate off."""

    thresholds: Thresholds

    def answer(self, squares: np.ndarray) -> Answers: ...
    def refused(self, squares: np.ndarray) -> np.ndarray | None: ...
    def saliency(self, squares: np.ndarray, called: np.ndarray, *, random: bool = False) -> np.ndarray | None: ...


def thresholds_of(card: dict[str, Any], point: OperatingPoint) -> Thresholds:
    """Return the card's cut-offs; a card of the first family aimed at no specificity (None) and outlines nothing."""
    aimed = card.get("specificity_cut_offs", {})
    return Thresholds(
        malignant=point.malignant,
        tumour=point.tumour,
        specificity_90=aimed.get("0.90"),
        specificity_95=aimed.get("0.95"),
        mask=card.get("outline", {}).get("threshold", 0.5),
        subtype_names=tuple(card.get("subtypes", ())),
    )


@dataclass
class InstalledModel:
    """An installed model at one operating point; several processes share the films between them."""

    folder: Path
    point_name: str = "balanced"
    workers: int = 1
    predictor: Predictor = field(init=False)
    thresholds: Thresholds = field(init=False)

    def __post_init__(self) -> None:
        self.predictor = Predictor.load(self.folder)
        point = self.predictor.point(self.point_name)
        if not isinstance(point, OperatingPoint):
            raise DataError("other_task", "Tumours are measured here: this model is of another task.")
        self.thresholds = thresholds_of(self.predictor.card, point)

    def answer(self, squares: np.ndarray) -> Answers:
        judged, seconds = self._shared(_judge_all, squares, self.point_name)
        names = self.thresholds.subtype_names
        subtypes = [dict(j.subtypes) for j in judged]
        return Answers(
            probabilities=np.array([[j.probabilities[name] for name in OUTCOMES] for j in judged]),
            called=np.array([OUTCOMES.index(j.leaning) for j in judged]),
            withheld=np.array([bool(j.withheld_reasons) for j in judged]),
            reasons=[list(j.withheld_reasons) for j in judged],
            prediction_sets=self._sets(judged),
            masks=np.stack([j.cells for j in judged]).astype(np.float16) if judged[0].cells is not None else None,
            subtypes=np.array([[row.get(name, 0.0) for name in names] for row in subtypes]) if names else None,
            ms_per_image=seconds * 1000 / max(1, len(squares)),
        )

    @staticmethod
    def _sets(judged: list) -> np.ndarray | None:
        if all(not j.prediction_set and not j.withheld_reasons for j in judged):
            return None
        return np.array([[name in j.prediction_set for name in OUTCOMES] for j in judged])

    def refused(self, squares: np.ndarray) -> np.ndarray:
        return np.array(self._shared(_refuse_all, squares, self.point_name)[0])

    def saliency(self, squares: np.ndarray, called: np.ndarray, *, random: bool = False) -> np.ndarray | None:
        model = self.predictor.model
        if not isinstance(model, JointModel):
            return None
        return attributions(randomised(model.members[0]) if random else model.members[0], squares, called)

    def _shared(self, work: Any, squares: np.ndarray, *rest: Any) -> tuple[list, float]:
        """Return what `work` says of each square, and the CPU seconds of all processes together."""
        parts = np.array_split(squares, max(1, min(self.workers, len(squares))))
        if len(parts) == 1:
            return _timed(work, self.predictor, squares, rest)
        # A forked child finds the loaded model in its memory; one thread each, so the fork is safe.
        _loaded["predictor"] = self.predictor
        with worker_pool(len(parts)) as pool:
            found = list(pool.map(partial(_in_child, work, rest=rest), parts))
        return [one for part, _ in found for one in part], sum(seconds for _, seconds in found)


_loaded: dict[str, Predictor] = {}


def _in_child(work: Any, squares: np.ndarray, rest: tuple) -> tuple[list, float]:
    torch.set_num_threads(1)
    return _timed(work, _loaded["predictor"], squares, rest)


def _timed(work: Any, predictor: Predictor, squares: np.ndarray, rest: tuple) -> tuple[list, float]:
    began = time.process_time()
    return work(predictor, squares, *rest), time.process_time() - began


def _judge_all(predictor: Predictor, squares: np.ndarray, point: str) -> list:
    return [predictor.judge(square, point) for square in squares]


def _refuse_all(predictor: Predictor, squares: np.ndarray, _point: str) -> list:
    return [not predictor.check(square).analysable for square in squares]


def attributions(network: Any, squares: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Return uint8 (N, 64, 64): what raised the malignant logit where malignant was called, else the tumour logit."""
    return np.stack(
        [attribution(network, image_of(square), int(call == 2)) for square, call in zip(squares, called, strict=True)]
    )


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Return a copy whose trained parts are drawn anew: the model parameter test of Adebayo et al. 2018.

    Weights are drawn as He et al. 2015 do. The smaller ones of torch's own start let the film's signal die away in a
    network that no norm scales (here norms are folded away, or have nothing counted): one map for all films.
    """
    generator = torch.Generator().manual_seed(3)
    copy = deepcopy(network)
    for module in copy.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.reset_parameters()
    return copy.eval()


@dataclass
class TrainedRun:
    """A run of the laboratory with the calibration and cut-offs that its validation part gave.

    `probe` answers squares (N, 256, 256); `network` is there where it can be asked for saliency.
    """

    probe: Callable[[np.ndarray], Look]
    steps: Steps
    point: OperatingPoint
    thresholds: Thresholds
    network: torch.nn.Module | None = None

    def answer(self, squares: np.ndarray) -> Answers:
        began = time.process_time()
        found = self.probe(squares)
        spent = (time.process_time() - began) * 1000 / max(1, len(squares))
        tumour, shares = self.steps.tumour_probability(found.logits), self.steps.probabilities(found.logits)
        named = None
        if found.subtypes is not None and self.thresholds.subtype_names:
            raised = np.exp(found.subtypes - found.subtypes.max(axis=1, keepdims=True))
            named = raised / raised.sum(axis=1, keepdims=True)
        return Answers(
            probabilities=shares,
            called=called(self.point, tumour, shares),
            masks=None if found.cells is None else common_cells(sigmoid(found.cells)).astype(np.float16),
            subtypes=named,
            ms_per_image=spent,
        )

    def refused(self, squares: np.ndarray) -> None:  # noqa: ARG002 (as the other subjects)
        return None

    def saliency(self, squares: np.ndarray, called: np.ndarray, *, random: bool = False) -> np.ndarray | None:
        if not isinstance(self.network, JointNet):
            return None
        network = self.network.cpu()
        return attributions(randomised(network) if random else network, squares, called)


def common_cells(cells: np.ndarray) -> np.ndarray:
    """Return cell probabilities (N, 64, 64) of cells (N, h, w)."""
    if cells.shape[-1] == CELLS:
        return cells
    maps = torch.from_numpy(np.ascontiguousarray(cells, dtype=np.float32))[:, None]
    return torch.nn.functional.interpolate(maps, size=(CELLS, CELLS), mode="bilinear")[:, 0].numpy()
