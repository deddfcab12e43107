"""The family of one finding: a network that says whether it is there and outlines it, behind the common gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.calibration import Calibration, FindingPoint
from inference.errors import InferenceError
from inference.families.gate.network import build as build_gate
from inference.families.joint.model import filled, folded, image_of, score_of_gate
from inference.families.joint.network import JointNet
from inference.families.joint.network import build as build_joint
from inference.imaging.prepare import Frame, fitted_square
from inference.outline import on_film, regions_of
from inference.prediction import Judgement
from inference.shift.sample import FEATURES
from inference.variants import SMALL_CHANGES, Views, views_of_card
from inference.withholding import ConformalSets, Distance, reasons_to_withhold


def look_at_finding(network: JointNet, square: np.ndarray, views: Views) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits (V,) by view, cell probabilities (h, w) and features (D,) of the film.

    `square` is uint8 (size, size): a film in its own proportions with black around it.
    """
    seen = views.of(image_of(square)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        answer = network(seen)
    assert answer.masks is not None
    assert answer.features is not None
    cells = views.cells(torch.sigmoid(answer.masks.float()).numpy())
    return answer.logits[:, 0].double().numpy(), cells, views.features(answer.features.double().numpy())


class FindingModel:
    """Judges canonical images by what the card fixed: calibration, operating point, sets, distance, outline.

    The card names the two outcomes, the finding's absence first.
    """

    def __init__(self, card: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        shape = card["architecture"]
        network = filled(build_joint(shape["network"]), tensors, "network.")
        assert isinstance(network, JointNet)
        folded(network)
        self.network, self.side = network, int(shape["network"]["size"])
        self.gate = folded(filled(build_gate(shape["gate"]), tensors, "gate."))
        self._gate_side = int(shape["gate"]["size"])
        self._views = views_of_card(card.get("views", SMALL_CHANGES))
        self._absent, self._present = card["outcomes"]
        self._step = Calibration(**card["calibration"]["finding"])
        withheld = card["withheld"]
        self._sets = ConformalSets(withheld["level"], tuple(withheld["cut_offs"]))
        self._distance = Distance(tensors["distance.mean"].double().numpy(), tensors["distance.basis"].double().numpy())
        self._furthest = float(withheld["distance"]["threshold"])
        self._outline = card["outline"]

    def film(self, canonical: np.ndarray) -> np.ndarray:
        """Return what `judge` reads: the whole canonical image, for its proportions count."""
        return canonical

    def gate_score(self, square: np.ndarray) -> float:
        """Return the gate's probability that a square uint8 (256, 256) is a bone radiograph."""
        return score_of_gate(self.gate, self._gate_side, square)

    def judge(self, film: np.ndarray, point: FindingPoint) -> Judgement:
        """Judge one canonical image uint8 (H, W) with the gate off.

        Raises:
            InferenceError: the network gave no number.
        """
        square, frame = fitted_square(film, self.side)
        logits, cells, features = look_at_finding(self.network, square, self._views)
        if not np.isfinite(logits).all():
            raise InferenceError(
                "not_finite", "The model returned no valid figure for this image: inform the operator."
            )
        chance = float(self._step.probability(logits.mean()))
        found = chance >= point.finding
        names = (self._absent, self._present)
        by_view = [int(float(self._step.probability(logit)) >= point.finding) for logit in logits]
        members = self._sets.members(np.array([1 - chance, chance]))
        distance = float(self._distance.of(features[None])[0])
        dissent = (self._views.reason, self._views.dissenters)
        reasons = reasons_to_withhold(int(found), members, by_view, distance, self._furthest, dissent)
        coordinates = self._distance.coordinates(features[None])[0, :FEATURES]
        return Judgement(
            probabilities={self._absent: 1 - chance, self._present: chance},
            outcome="withheld" if reasons else names[found],
            leaning=names[found],
            withheld_reasons=reasons,
            prediction_set=tuple(name for name, inside in zip(names, members, strict=True) if inside),
            regions=self.regions(cells, frame) if found else (),
            distance=round(distance, 4),
            features=tuple(round(float(value), 3) for value in coordinates),
            cells=cells,
        )

    def regions(self, cells: np.ndarray, frame: Frame) -> tuple:
        """Return the outlines that the card's threshold leaves of cell probabilities (h, w), as shares of the film."""
        return on_film(regions_of(cells, self._outline["threshold"], self._outline["smallest_area"]), frame)

    def saliency(self, film: np.ndarray, judgement: Judgement) -> None:
        """Return nothing: the outline is what this family shows."""
