"""The family of the founding paper's network: one network for tumour, one for malignant, one gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.calibration import OUTCOMES, Calibration, OperatingPoint, class_probabilities
from inference.errors import InferenceError, WeightsError
from inference.families.paper_cnn.network import PaperCNN, build
from inference.imaging.prepare import common_square, model_input
from inference.prediction import Judgement
from inference.saliency import grad_cam

NETWORKS = ("gate", "tumour", "malignant")


@dataclass(frozen=True)
class Member:
    """One calibrated network."""

    network: PaperCNN
    calibration: Calibration

    def look(self, square: np.ndarray) -> tuple[Tensor, float]:
        """Return the last feature maps and the calibrated probability for a square uint8 (256, 256)."""
        image = torch.from_numpy(model_input(square, self.network.size))[None, None]
        with torch.no_grad():
            maps = self.network.features(image.contiguous(memory_format=torch.channels_last))
            logit = float(self.network.classify(maps))
        probability = float(self.calibration.probability(logit))
        if not np.isfinite(probability):
            raise InferenceError(
                "not_finite", "The model returned no valid figure for this image: inform the operator."
            )
        return maps, probability


class PaperModel:
    """Judges squares uint8 (256, 256) with the card's three networks; it withholds nothing and outlines nothing."""

    def __init__(self, card: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.members: dict[str, Member] = {}
        for name in NETWORKS:
            entry = card["networks"][name]
            network = build(entry["architecture"])
            own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
            try:
                network.load_state_dict(own, strict=True)
            except RuntimeError as error:
                raise WeightsError("bad_weights", "The model's weights do not fit the networks of its card.") from error
            calibration = Calibration(entry["calibration"]["scale"], entry["calibration"]["bias"])
            self.members[name] = Member(network.eval().requires_grad_(False), calibration)

    def film(self, canonical: np.ndarray) -> np.ndarray:
        """Return what `judge` reads of a canonical image: the square uint8 (256, 256)."""
        return common_square(canonical)

    def gate_score(self, square: np.ndarray) -> float:
        """Return the gate's probability that a square is a bone radiograph."""
        return self.members["gate"].look(square)[1]

    def judge(self, square: np.ndarray, point: OperatingPoint) -> Judgement:
        """Judge one square with the gate off."""
        tumour, malignant = (self.members[name].look(square)[1] for name in ("tumour", "malignant"))
        shares = [float(value) for value in class_probabilities(tumour, malignant)]
        outcome = point.outcome(tumour, shares[2])
        return Judgement(dict(zip(OUTCOMES, shares, strict=True)), outcome, outcome)

    def saliency(self, square: np.ndarray, judgement: Judgement) -> np.ndarray | None:
        """Return Grad-CAM of the network that decided, uint8 (56, 56)."""
        member = self.members["malignant" if judgement.leaning == "malignant" else "tumour"]
        maps, _ = member.look(square)
        return grad_cam(maps, member.network.classify)
