"""The family of joint networks: several members look at several variants of a film, one gate stands before them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inference.calibration import OUTCOMES, Calibration, OperatingPoint, class_probabilities
from inference.contrast import stretched
from inference.errors import InferenceError, WeightsError
from inference.families.gate.network import build as build_gate
from inference.families.joint.network import JointNet
from inference.families.joint.network import build as build_joint
from inference.imaging.prepare import common_square
from inference.outline import regions_of
from inference.prediction import Judgement
from inference.saliency import attribution
from inference.shift.sample import FEATURES
from inference.variants import SMALL_CHANGES, Views, views_of_card
from inference.withholding import ConformalSets, Distance, reasons_to_withhold


@dataclass(frozen=True)
class Looks:
    """Raw answers of M members on V variants of one film: `logits` (M, V, 2), `cells` (h, w) and `subtypes` (S,) are
    probabilities averaged over them, `features` (D,) are the first member's."""

    logits: np.ndarray
    cells: np.ndarray
    subtypes: np.ndarray
    features: np.ndarray


def image_of(square: np.ndarray) -> Tensor:
    """Return a square uint8 (H, W) as float32 (1, 1, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(square))[None, None].float().div_(255)


def preparation_of_card(name: str) -> bool:
    """Return whether a card asks for dull films to be stretched; WeightsError where it names anything else."""
    if name not in ("none", "stretch"):
        raise WeightsError("bad_card", f"The card asks for the preparation {name!r}; there are none and stretch.")
    return name == "stretch"


def look_at(members: list[JointNet], square: Tensor, views: Views | None = None) -> Looks:
    """Look at one image (1, 1, 256, 256) in [0, 1] in all `views`, small changes of it where none are named."""
    views = views or views_of_card(SMALL_CHANGES)
    seen = views.of(square).contiguous(memory_format=torch.channels_last)
    logits, cells, subtypes, features = [], [], [], None
    with torch.inference_mode():
        for member in members:
            answer = member(seen)
            assert answer.masks is not None
            assert answer.features is not None
            logits.append(answer.logits.double().numpy())
            cells.append(views.cells(torch.sigmoid(answer.masks.float()).numpy()))
            if answer.subtypes is not None:
                subtypes.append(torch.softmax(answer.subtypes.double(), dim=1).mean(dim=0).numpy())
            features = views.features(answer.features.double().numpy()) if features is None else features
    assert features is not None
    named = np.mean(subtypes, axis=0) if subtypes else np.zeros(0)
    return Looks(np.stack(logits), np.mean(cells, axis=0), named, features)


def folded(network: nn.Module) -> nn.Module:
    """Fold every batch norm that follows a convolution into it, in place: the same answers, fewer passes over maps."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for first, second in pairwise(list(module.named_children())):
                if isinstance(first[1], nn.Conv2d) and isinstance(second[1], nn.BatchNorm2d):
                    setattr(module, first[0], fuse_conv_bn_eval(first[1], second[1]))
                    setattr(module, second[0], nn.Identity())
    return network


def filled(network: nn.Module, tensors: dict[str, Tensor], prefix: str) -> nn.Module:
    """Fill a network with the tensors whose names begin with `prefix`, for answering only; WeightsError if unfit."""
    own = {key.removeprefix(prefix): value.float() for key, value in tensors.items() if key.startswith(prefix)}
    kinds = network.state_dict()
    try:
        network.load_state_dict({key: value.to(kinds[key].dtype) for key, value in own.items()}, strict=True)
    except (RuntimeError, KeyError) as error:
        raise WeightsError("bad_weights", "The model's weights do not fit the networks of its card.") from error
    return network.eval().requires_grad_(False)


def score_of_gate(gate: nn.Module, side: int, square: np.ndarray) -> float:
    """Return a gate's probability that a square uint8 (256, 256) is a bone radiograph; the gate reads it at `side`."""
    image = image_of(square)
    if side != image.shape[-1]:
        image = nn.functional.interpolate(image, size=(side,) * 2, mode="bilinear", antialias=True)
    with torch.inference_mode():
        return float(torch.sigmoid(gate(image.contiguous(memory_format=torch.channels_last)).double())[0])


class JointModel:
    """Judges squares uint8 (256, 256) by what the card fixed: calibration, operating point, sets, distance, outline."""

    def __init__(self, card: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        shape = card["architecture"]
        self.members: list[JointNet] = []
        for number in range(card["members"]):
            member = filled(build_joint(shape["member"]), tensors, f"members.{number}.")
            assert isinstance(member, JointNet)
            folded(member)
            self.members.append(member)
        self.gate = folded(filled(build_gate(shape["gate"]), tensors, "gate."))
        self._gate_side = int(shape["gate"]["size"])
        self._views = views_of_card(card.get("views", SMALL_CHANGES))
        self._stretches = preparation_of_card(card.get("preparation", "none"))
        self._steps = [Calibration(**card["calibration"][name]) for name in ("tumour", "malignant")]
        withheld = card["withheld"]
        self._sets = ConformalSets(withheld["level"], tuple(withheld["cut_offs"]))
        self._distance = Distance(tensors["distance.mean"].double().numpy(), tensors["distance.basis"].double().numpy())
        self._furthest = float(withheld["distance"]["threshold"])
        self._outline = card["outline"]
        self._subtypes = tuple(card["subtypes"])
        self._saliency_shown = card["saliency"]["status"] == "shown"

    @property
    def views_count(self) -> int:
        """In how many views each member sees a film."""
        side = 32
        return len(self._views.of(torch.zeros(1, 1, side, side)))

    def film(self, canonical: np.ndarray) -> np.ndarray:
        """Return what `judge` reads of a canonical image: the square uint8 (256, 256)."""
        return common_square(canonical)

    def gate_score(self, square: np.ndarray) -> float:
        """Return the gate's probability that a square is a bone radiograph."""
        return score_of_gate(self.gate, self._gate_side, square)

    def probabilities(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return calibrated P(tumour) (...) and class probabilities (..., 3) of logits (..., 2)."""
        tumour = self._steps[0].probability(logits[..., 0])
        return tumour, class_probabilities(tumour, self._steps[1].probability(logits[..., 1]))

    def judge(self, square: np.ndarray, point: OperatingPoint) -> Judgement:
        """Judge one square with the gate off.

        Raises:
            InferenceError: the networks gave no number.
        """
        looks = look_at(self.members, image_of(self._prepared(square)), self._views)
        if not np.isfinite(looks.logits).all():
            raise InferenceError(
                "not_finite", "The model returned no valid figure for this image: inform the operator."
            )
        tumour, shares = self.probabilities(looks.logits.mean(axis=(0, 1)))
        leaning = point.outcome(float(tumour), float(shares[2]))
        by_view = [
            OUTCOMES.index(point.outcome(float(t), float(p[2])))
            for t, p in zip(*self.probabilities(looks.logits.mean(axis=0)), strict=True)
        ]
        members = self._sets.members(shares)
        distance = float(self._distance.of(looks.features[None])[0])
        features = self._distance.coordinates(looks.features[None])[0, :FEATURES]
        dissent = (self._views.reason, self._views.dissenters)
        reasons = reasons_to_withhold(OUTCOMES.index(leaning), members, by_view, distance, self._furthest, dissent)
        tumour_called = leaning != "normal"
        return Judgement(
            probabilities=dict(zip(OUTCOMES, (float(share) for share in shares), strict=True)),
            outcome="withheld" if reasons else leaning,
            leaning=leaning,
            withheld_reasons=reasons,
            prediction_set=tuple(name for name, inside in zip(OUTCOMES, members, strict=True) if inside),
            subtypes=self._ranked(looks.subtypes) if tumour_called else (),
            regions=self.regions(looks.cells) if tumour_called else (),
            distance=round(distance, 4),
            features=tuple(round(float(value), 3) for value in features),
            cells=looks.cells,
        )

    def _prepared(self, square: np.ndarray) -> np.ndarray:
        return stretched(square) if self._stretches else square

    def regions(self, cells: np.ndarray) -> tuple:
        """Return the outlines that the card's threshold leaves of cell probabilities (h, w)."""
        return regions_of(cells, self._outline["threshold"], self._outline["smallest_area"])

    def _ranked(self, subtypes: np.ndarray) -> tuple[tuple[str, float], ...]:
        pairs = zip(self._subtypes, (round(float(value), 4) for value in subtypes), strict=True)
        return tuple(sorted(pairs, key=lambda pair: -pair[1]))

    def saliency(self, square: np.ndarray, judgement: Judgement) -> np.ndarray | None:
        """Return the attribution of the deciding logit, uint8, or None where the card does not let it be shown."""
        if not self._saliency_shown:
            return None
        image = image_of(self._prepared(square))
        return attribution(self.members[0], image, 1 if judgement.leaning == "malignant" else 0)


__all__ = ["JointModel", "Looks", "image_of", "look_at"]
