"""The one door to the model: a canonical image in, a Prediction out. Only worker and laboratory load this (torch)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from inference.calibration import OUTCOMES, Calibration, OperatingPoint, class_probabilities
from inference.card import ModelIdentity, load_card, verified_weights
from inference.errors import InferenceError, WeightsError
from inference.explain import grad_cam
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.imaging.prepare import common_square, model_input
from inference.models.paper_cnn import PaperCNN, build

# One thread per worker process: with two, torch collapses as soon as the other core is busy.
torch.set_num_threads(1)

NETWORKS = ("gate", "tumour", "malignant")
NOT_A_BONE = "not_a_bone_radiograph"
BLANK = "blank_image"
_BLANK_GREY_SPAN = 10
# Second differences on a 32 x 32 grid. Ramps with strong grain reach 8; the plainest film of the training parts has 10.
_BLANK_DETAIL = 9


@dataclass(frozen=True)
class Gate:
    """Whether the model may judge the image at all; `score` is compared with `threshold`, both probabilities."""

    analysable: bool
    score: float
    threshold: float
    reason_code: str


@dataclass(frozen=True)
class Prediction:
    """The whole answer for one film; `saliency` is uint8 (h, w) stretched over the film and not validated."""

    outcome: str
    probabilities: dict[str, float] | None
    operating_point: dict[str, Any]
    gate: Gate
    model: ModelIdentity
    preprocessing_version: str
    canonical_sha256: str
    saliency: np.ndarray | None
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Member:
    """One calibrated network."""

    network: PaperCNN
    calibration: Calibration

    def look(self, image: Tensor) -> tuple[Tensor, float]:
        """Return the last feature maps and the calibrated probability for one image (1, 1, size, size)."""
        with torch.no_grad():
            maps = self.network.features(image.contiguous(memory_format=torch.channels_last))
            logit = float(self.network.classify(maps))
        probability = float(self.calibration.probability(logit))
        if not np.isfinite(probability):
            raise InferenceError("not_finite", "The model gave no number for this image: report it to the operator.")
        return maps, probability


def is_blank(square: np.ndarray) -> bool:
    """True where a square (256, 256) uint8 holds next to no grey values or only a smooth ramp: nothing to judge."""
    reached = np.cumsum(np.bincount(square.ravel(), minlength=256)) / square.size
    low, high = np.searchsorted(reached, [0.01, 0.99])
    if high - low < _BLANK_GREY_SPAN:
        return True
    coarse = np.asarray(Image.fromarray(square).reduce(8), dtype=np.int16)
    across = coarse[1:-1, :-2] + coarse[1:-1, 2:] + coarse[:-2, 1:-1] + coarse[2:, 1:-1]
    return bool(np.percentile(np.abs(4 * coarse[1:-1, 1:-1] - across), 95) < _BLANK_DETAIL)


def load_members(card: dict[str, Any], data: bytes) -> dict[str, Member]:
    """Build the card's networks and fill them from safetensors bytes; WeightsError where they do not fit."""
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise WeightsError("bad_weights", "The model's weights are damaged: install weights and card again.") from error
    if any(not bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise WeightsError(
            "not_finite_weights", "The model's weights hold values that are no numbers: do not use them."
        )
    members = {}
    for name in NETWORKS:
        entry = card["networks"][name]
        network = build(entry["architecture"])
        own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        try:
            network.load_state_dict(own, strict=True)
        except RuntimeError as error:
            raise WeightsError("bad_weights", "The model's weights do not fit the networks of its card.") from error
        calibration = Calibration(entry["calibration"]["scale"], entry["calibration"]["bias"])
        members[name] = Member(network.eval().requires_grad_(False), calibration)
    return members


class Predictor:
    """A loaded, verified model. One instance serves one process; `predict` keeps no state between calls."""

    def __init__(self, card: dict[str, Any], members: dict[str, Member]) -> None:
        self.card = card
        self.identity = ModelIdentity(card["name"], card["version"], card["weights"]["sha256"])
        self._members = members
        self._point = OperatingPoint(**card["operating_point"])
        self._gate_threshold = float(card["gate"]["threshold"])

    @classmethod
    def load(cls, weights_dir: Path | None = None) -> Predictor:
        """Load the shipped weights or those of `weights_dir`; WeightsError unless weights and card match."""
        card = load_card(weights_dir)
        try:
            return cls(card, load_members(card, verified_weights(card, weights_dir)))
        except (KeyError, TypeError) as error:
            raise WeightsError("bad_card", "The model's card is incomplete: install weights and card again.") from error

    def predict(
        self, canonical: np.ndarray, *, on_stage: Callable[[str], None] | None = None, explain: bool = True
    ) -> Prediction:
        """Judge one canonical image, uint8 (H, W).

        `on_stage` hears "checking", "classifying", "explaining" as each begins; what it raises stops the work.
        """
        announce = on_stage or (lambda stage: None)
        clock = _Clock()
        announce("checking")
        with clock.stage("checking"):
            square = common_square(canonical)
            gate = self.check(square)
        probabilities, saliency, outcome = None, None, "not_analysable"
        if gate.analysable:
            announce("classifying")
            with clock.stage("classifying"):
                maps, probabilities, outcome = self._classify(square)
            if explain:
                announce("explaining")
                with clock.stage("explaining"):
                    deciding = "malignant" if outcome == "malignant" else "tumour"
                    saliency = grad_cam(maps[deciding], self._members[deciding].network.classify)
        return Prediction(
            outcome=outcome,
            probabilities=probabilities,
            operating_point=self._point.as_dict(),
            gate=gate,
            model=self.identity,
            preprocessing_version=PREPROCESSING_VERSION,
            canonical_sha256=canonical_sha256(canonical),
            saliency=saliency,
            timings_ms=clock.timings_ms,
        )

    def check(self, canonical: np.ndarray) -> Gate:
        """Say whether the image is a bone radiograph that the model may judge."""
        square = common_square(canonical)
        if is_blank(square):
            return Gate(False, 0.0, self._gate_threshold, BLANK)
        _, score = self._members["gate"].look(self._read(square, "gate"))
        analysable = score >= self._gate_threshold
        return Gate(analysable, score, self._gate_threshold, "" if analysable else NOT_A_BONE)

    def classify(self, canonical: np.ndarray) -> tuple[dict[str, float], str]:
        """Return class probabilities and outcome of any image, with the gate off: for measuring, not for the portal."""
        _, probabilities, outcome = self._classify(common_square(canonical))
        return probabilities, outcome

    def _read(self, square: np.ndarray, name: str) -> Tensor:
        return torch.from_numpy(model_input(square, self._members[name].network.size))[None, None]

    def _classify(self, square: np.ndarray) -> tuple[dict[str, Tensor], dict[str, float], str]:
        maps, chance = {}, {}
        for name in ("tumour", "malignant"):
            maps[name], chance[name] = self._members[name].look(self._read(square, name))
        shares = class_probabilities(chance["tumour"], chance["malignant"]).tolist()
        probabilities = dict(zip(OUTCOMES, shares, strict=True))
        return maps, probabilities, self._point.outcome(chance["tumour"], probabilities["malignant"])


class _Clock:
    """Collects the wall time of named stages in ms."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}

    def stage(self, name: str) -> _Stage:
        return _Stage(self.timings_ms, name)


class _Stage:
    def __init__(self, timings_ms: dict[str, float], name: str) -> None:
        self._timings_ms = timings_ms
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self._timings_ms[self._name] = round((time.perf_counter() - self._began) * 1000, 2)
