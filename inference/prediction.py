"""What a model says of one film: plain values and small arrays, no torch, so that anybody may import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.card import ModelIdentity

NOT_A_BONE = "not_a_bone_radiograph"
BLANK = "blank_image"
# Why an answer is withheld; the card holds the sentences.
SET_UNDECIDED, UNLIKE_TRAINING, UNSTABLE = "set_undecided", "unlike_training", "unstable"
ORIENTATION = "orientation"


@dataclass(frozen=True)
class Gate:
    """Whether the model may judge the image at all; `score` is compared with `threshold`, both probabilities."""

    analysable: bool
    score: float
    threshold: float
    reason_code: str


@dataclass(frozen=True)
class Region:
    """One connected outline. Places are fractions of the film's width and height (0 to 1), origin top left.

    `polygon` lists (x, y) without repeating the first point, `box` is x0, y0, x1, y1, `area` a share of the film,
    `probability` the highest cell probability inside.
    """

    polygon: tuple[tuple[float, float], ...]
    box: tuple[float, float, float, float]
    area: float
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The whole answer for one film; `saliency` is uint8 (h, w) stretched over the film, None where not to be shown.

    `leaning` is the outcome by the rule as if nothing were withheld, "" where the film is not analysable.
    `features` are the first coordinates of what the distance is taken of.
    """

    outcome: str
    probabilities: dict[str, float] | None
    operating_point: dict[str, Any]
    gate: Gate
    model: ModelIdentity
    preprocessing_version: str
    canonical_sha256: str
    saliency: np.ndarray | None
    timings_ms: dict[str, float]
    leaning: str = ""
    withheld_reasons: tuple[str, ...] = ()
    prediction_set: tuple[str, ...] = ()
    subtypes: tuple[tuple[str, float], ...] = ()
    regions: tuple[Region, ...] = ()
    distance: float | None = None
    features: tuple[float, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What a family of models finds in a film that the gate let pass; the predictor makes the Prediction of it."""

    probabilities: dict[str, float]
    outcome: str
    leaning: str
    withheld_reasons: tuple[str, ...] = ()
    prediction_set: tuple[str, ...] = ()
    subtypes: tuple[tuple[str, float], ...] = ()
    regions: tuple[Region, ...] = ()
    distance: float | None = None
    features: tuple[float, ...] = ()
    cells: np.ndarray | None = None
