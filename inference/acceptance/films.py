"""What an acceptance keeps of one film: numbers and codes, no pixels and no name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np

from inference.acceptance.training_films import TrainingFilms
from inference.calibration import OUTCOMES
from inference.imaging.stats import input_stats
from inference.prediction import Prediction


class Judges(Protocol):
    """A loaded model: ``inference.predictor.Predictor``, named by what is asked of it, so that no torch is loaded."""

    @property
    def card(self) -> dict[str, Any]: ...

    def predict(self, canonical: np.ndarray, *, explain: bool, operating_point: str) -> Prediction: ...


@dataclass(frozen=True)
class FilmAnswer:
    """The model's answer to one film of the set.

    `probabilities` are those of OUTCOMES, () where the gate refused; `prediction_set` is None where the model has no
    sets; `patient` is a number within the set.
    """

    label: str
    patient: int
    analysable: bool
    leaning: str
    withheld_reasons: tuple[str, ...]
    probabilities: tuple[float, ...]
    prediction_set: tuple[str, ...] | None
    distance: float | None
    grey_mean: float
    grey_spread: float
    features: tuple[float, ...]
    trained_on: bool

    @property
    def is_clear(self) -> bool:
        """Whether the film shows no tumour by its label."""
        return self.label == OUTCOMES[0]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FilmAnswer:
        """Return what `as_dict` gave, also after a way through JSON."""
        values = {field.name: stored[field.name] for field in fields(cls)}
        for name in ("withheld_reasons", "probabilities", "features"):
            values[name] = tuple(values[name])
        if values["prediction_set"] is not None:
            values["prediction_set"] = tuple(values["prediction_set"])
        return cls(**values)


def answer_film(
    model: Judges, canonical: np.ndarray, *, label: str, patient: int, operating_point: str, trained: TrainingFilms
) -> FilmAnswer:
    """Ask `model` about one canonical image, uint8 (H, W), at an operating point of its card."""
    prediction = model.predict(canonical, explain=False, operating_point=operating_point)
    seen, chances = input_stats(canonical), prediction.probabilities or {}
    has_sets = "cut_offs" in (model.card.get("withheld") or {})
    return FilmAnswer(
        label=label,
        patient=patient,
        analysable=prediction.gate.analysable,
        leaning=prediction.leaning,
        withheld_reasons=tuple(prediction.withheld_reasons),
        probabilities=tuple(round(chances[name], 6) for name in OUTCOMES) if chances else (),
        prediction_set=tuple(prediction.prediction_set) if has_sets else None,
        distance=prediction.distance,
        grey_mean=seen["grey_mean"],
        grey_spread=seen["grey_spread"],
        features=tuple(prediction.features),
        trained_on=trained.hold(canonical),
    )
