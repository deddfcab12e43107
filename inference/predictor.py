"""The one door to the model: a canonical image in, a Prediction out. Only worker and laboratory load this (torch)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from inference.calibration import FindingPoint, OperatingPoint
from inference.card import ModelIdentity, family_of, load_card, operating_points, verified_weights
from inference.errors import WeightsError
from inference.families.finding.model import FindingModel
from inference.families.joint.model import JointModel
from inference.families.paper_cnn.model import PaperModel
from inference.imaging.blank import is_blank
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.imaging.prepare import common_square
from inference.prediction import BLANK, NOT_A_BONE, Gate, Judgement, Prediction

# One thread per worker process: with two, torch collapses as soon as the other core is busy.
torch.set_num_threads(1)

DEFAULT_POINT = "balanced"


class Model(Protocol):
    """What a family of networks must do: the gate reads a square uint8 (256, 256), the rest what `film` returns."""

    def gate_score(self, square: np.ndarray) -> float: ...
    def film(self, canonical: np.ndarray) -> np.ndarray: ...
    def judge(self, film: np.ndarray, point: Any) -> Judgement: ...
    def saliency(self, film: np.ndarray, judgement: Judgement) -> np.ndarray | None: ...


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, Tensor]], Model]] = {
    "paper": PaperModel,
    "joint": JointModel,
    "finding": FindingModel,
}
Point = OperatingPoint | FindingPoint


def point_of(entry: dict[str, Any]) -> Point:
    """Return an operating point of a card: that of one finding, or that of the tumour's two steps."""
    return FindingPoint(**entry) if "finding" in entry else OperatingPoint(**entry)


def load_tensors(data: bytes) -> dict[str, Tensor]:
    """Return the tensors of safetensors bytes; WeightsError where they are damaged or hold no numbers."""
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise WeightsError("bad_weights", "The model's weights are damaged: install weights and card again.") from error
    if any(tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise WeightsError("not_finite_weights", "The model's weights contain invalid values: do not use them.")
    return tensors


class Predictor:
    """A loaded, verified model. One instance serves one process; `predict` keeps no state between calls."""

    def __init__(self, card: dict[str, Any], model: Model) -> None:
        self.card = card
        self.identity = ModelIdentity(card["name"], card["version"], card["weights"]["sha256"])
        self.model = model
        self.points = {name: point_of(point) for name, point in operating_points(card).items()}
        self._gate_threshold = float(card["gate"]["threshold"])

    @classmethod
    def load(cls, weights_dir: Path | None = None) -> Predictor:
        """Load the default weights or those of `weights_dir`; WeightsError unless weights and card match."""
        card = load_card(weights_dir)
        family = FAMILIES.get(family_of(card))
        if family is None:
            raise WeightsError(
                "unknown_family", "This program does not support the model's family: install a newer version."
            )
        try:
            return cls(card, family(card, load_tensors(verified_weights(card, weights_dir))))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError("bad_card", "The model's card is incomplete: install weights and card again.") from error

    def point(self, name: str | OperatingPoint = DEFAULT_POINT) -> Point:
        """Return the operating point of that name, or the balanced one where this model has none of it.

        One that is given as it is, as a site found it for itself, is returned.
        """
        if isinstance(name, OperatingPoint):
            return name
        return self.points.get(name) or self.points[DEFAULT_POINT]

    def predict(
        self,
        canonical: np.ndarray,
        *,
        on_stage: Callable[[str], None] | None = None,
        explain: bool = True,
        operating_point: str | OperatingPoint = DEFAULT_POINT,
    ) -> Prediction:
        """Judge one canonical image, uint8 (H, W), at an operating point of the card or one of the site's own.

        `on_stage` hears "checking", "classifying", "explaining" as each begins; what it raises stops the work.
        """
        announce = on_stage or (lambda _stage: None)
        clock, point = _Clock(), self.point(operating_point)
        announce("checking")
        with clock.stage("checking"):
            square = common_square(canonical)
            gate = self.check(square)
        judgement, saliency = None, None
        if gate.analysable:
            announce("classifying")
            with clock.stage("classifying"):
                film = self.model.film(canonical)
                judgement = self.model.judge(film, point)
            if explain:
                announce("explaining")
                with clock.stage("explaining"):
                    saliency = self.model.saliency(film, judgement)
        found = judgement or Judgement({}, "not_analysable", "")
        return Prediction(
            outcome=found.outcome,
            probabilities=found.probabilities or None,
            operating_point=point.as_dict(),
            gate=gate,
            model=self.identity,
            preprocessing_version=PREPROCESSING_VERSION,
            canonical_sha256=canonical_sha256(canonical),
            saliency=saliency,
            timings_ms=clock.timings_ms,
            leaning=found.leaning,
            withheld_reasons=found.withheld_reasons,
            prediction_set=found.prediction_set,
            subtypes=found.subtypes,
            regions=found.regions,
            distance=found.distance,
            features=found.features,
        )

    def check(self, canonical: np.ndarray) -> Gate:
        """Say whether the image is a bone radiograph that the model may judge."""
        square = common_square(canonical)
        if is_blank(square):
            return Gate(False, 0.0, self._gate_threshold, BLANK)
        score = self.model.gate_score(square)
        analysable = score >= self._gate_threshold
        return Gate(analysable, score, self._gate_threshold, "" if analysable else NOT_A_BONE)

    def judge(self, canonical: np.ndarray, operating_point: str = DEFAULT_POINT) -> Judgement:
        """Judge any image with the gate off: for measuring, not for the portal."""
        return self.model.judge(self.model.film(canonical), self.point(operating_point))


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
