"""What the held-out fold gives a fracture network: calibration, cut-off, sets, distance, outline's threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.calibration import Calibration, FindingPoint, fit_calibration, youden_threshold
from inference.lab.cards.fitted import quantiles
from inference.lab.fracture.answers import FractureAnswers
from inference.lab.training.fitting import mask_cut_off
from inference.lab.training.oof import halves
from inference.variants import Views
from inference.withholding import ConformalSets, Distance, fit_conformal, fit_distance, reasons_to_withhold

# Share of the held-out films that the distance may call unlike the training films.
UNLIKE = 0.01


@dataclass(frozen=True)
class FittedFinding:
    """Everything that the card fixes besides the weights."""

    step: Calibration
    point: FindingPoint
    sets: ConformalSets
    distance: Distance
    furthest: float
    mask_threshold: float
    smallest_area: float

    def chances(self, logits: np.ndarray) -> np.ndarray:
        """Return P(fracture) (N,) of logits (N, V)."""
        return self.step.probability(logits.mean(axis=1))

    def reasons(self, answers: FractureAnswers, views: Views) -> list[tuple[str, ...]]:
        """Return why the answer to each film is withheld, as the portal would."""
        chances = self.chances(answers.logits)
        members = self.sets.members(np.stack([1 - chances, chances], axis=1))
        called = chances >= self.point.finding
        by_view = self.step.probability(answers.logits) >= self.point.finding
        far = self.distance.of(answers.features)
        dissent = (views.reason, views.dissenters)
        return [
            reasons_to_withhold(int(lean), own, seen.astype(int).tolist(), float(away), self.furthest, dissent)
            for lean, own, seen, away in zip(called, members, by_view, far, strict=True)
        ]


def fit_finding(held: FractureAnswers, train_features: np.ndarray, level: float, chosen_on: str) -> FittedFinding:
    """Fit calibration on one half of the held-out groups, conformal sets on the other, cut-offs on all."""
    first = halves(held.groups)
    mean = held.logits.mean(axis=1)
    step = fit_calibration(mean[first].astype(float), held.labels[first].astype(float))
    chances = step.probability(mean)
    point = FindingPoint(
        "balanced",
        round(youden_threshold(chances, held.labels), 5),
        f"{chosen_on}: largest sensitivity + specificity for a fracture",
    )
    shares = np.stack([1 - chances, chances], axis=1)
    distance = fit_distance(train_features)
    shown = held.labels > 0
    return FittedFinding(
        step=step,
        point=point,
        sets=fit_conformal(held.labels[~first], shares[~first], level),
        distance=distance,
        furthest=float(np.quantile(distance.of(held.features), 1 - UNLIKE)),
        mask_threshold=mask_cut_off(held.cells[shown], held.masks[shown]),
        smallest_area=round(float(np.quantile(held.masks[shown].mean(axis=(1, 2)), 0.05)) / 2, 6),
    )


def reference_of(held: FractureAnswers, fitted: FittedFinding, views: Views) -> dict[str, Any]:
    """Return the reference distributions of inputs and outputs on the held-out films, for drift monitoring."""
    chances = fitted.chances(held.logits)
    called = chances >= fitted.point.finding
    withheld = np.array([bool(codes) for codes in fitted.reasons(held, views)])
    return {
        "grey mean": quantiles(held.grey[:, 0], "of 255"),
        "grey spread": quantiles(held.grey[:, 1], "standard deviation, of 255"),
        "distance from the training films": quantiles(fitted.distance.of(held.features), "standard deviations"),
        "probability of fracture": quantiles(chances, ""),
        "shares": {
            "unit": "share of held-out films",
            "values": {
                "leaning no fracture": round(float(1 - called.mean()), 4),
                "leaning fracture": round(float(called.mean()), 4),
                "withheld": round(float(withheld.mean()), 4),
            },
            "n": len(held.labels),
        },
    }
