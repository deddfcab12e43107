"""What a card fixes besides the weights, fitted on films that no member was taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES, OperatingPoint
from inference.lab.training.fitting import Steps, called, choose_points, fit_steps, mask_cut_off, specificity_cut_off
from inference.lab.training.oof import OutOfFold, halves
from inference.prediction import UNSTABLE
from inference.shift.sample import FEATURES, KEY, draw_sample
from inference.variants import SMALL_CHANGES, views_of_card
from inference.withholding import ConformalSets, Distance, fit_conformal, fit_distance, reasons_to_withhold

# Share of the held-out films that the distance may call unlike the training films.
UNLIKE = 0.01
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Fitted:
    """What the out-of-fold films gave: everything that the card fixes besides the weights."""

    steps: Steps
    points: dict[str, OperatingPoint]
    specificity_cut_offs: dict[str, float]
    mask_threshold: float
    smallest_area: float
    sets: ConformalSets
    distance: Distance
    furthest: float
    out_of_fold: dict[str, Any]


@dataclass(frozen=True)
class Away:
    """Tumour-free films of other places, each seen by members that never saw its place: `views` names how, `logits`
    (N, 2) by place are the mean of the views."""

    views: str
    logits: dict[str, np.ndarray]


def fit(
    material: OutOfFold,
    held_features: np.ndarray,
    train_features: np.ndarray,
    level: float,
    away: Away | None = None,
) -> Fitted:
    """Fit calibration on one half of the groups, conformal sets on the other, cut-offs on all.

    With films of `away` places, the tumour's cut-off and the sets of every class hold at the worst place.
    """
    first = halves(material.groups)
    logits = material.logits.mean(axis=1)
    steps = fit_steps(logits[first], material.labels[first])
    tumour, shares = steps.tumour_probability(logits), steps.probabilities(logits)
    folds = ", ".join(sorted({film.part for film in material.films}))
    alarms = {place: steps.tumour_probability(found) for place, found in away.logits.items()} if away else None
    points = choose_points(tumour, shares, material.labels, material.groups, f"out of fold ({folds})", alarms)
    sets = _sets(material, shares, ~first, steps, level, away)
    distance = fit_distance(train_features)
    furthest = float(np.quantile(distance.of(held_features), 1 - UNLIKE))
    shown = material.labels > 0
    mask_threshold = mask_cut_off(material.cells[shown], material.masks[shown])
    smallest = float(np.quantile(material.masks[shown].mean(axis=(1, 2)), 0.05)) / 2
    return Fitted(
        steps=steps,
        points=points,
        specificity_cut_offs={
            f"{wanted:.2f}": round(specificity_cut_off(shares[:, 2], material.labels, wanted), 5)
            for wanted in (0.90, 0.95)
        },
        mask_threshold=mask_threshold,
        smallest_area=round(smallest, 6),
        sets=sets,
        distance=distance,
        furthest=furthest,
        out_of_fold=_reference(material, steps, points["balanced"], sets, distance, held_features, _dissent(away)),
    )


def _dissent(away: Away | None) -> tuple[str, int]:
    """The reason to withhold when views disagree, and how many may."""
    views = views_of_card(away.views if away else SMALL_CHANGES)
    return views.reason, views.dissenters


def _sets(
    material: OutOfFold, shares: np.ndarray, own: np.ndarray, steps: Steps, level: float, away: Away | None
) -> ConformalSets:
    """Fit the sets on the `own` films (N,) of home, and on those of other places where there are any."""
    if away is None:
        return fit_conformal(material.labels[own], shares[own], level)
    centres = [f"home {film.attributes.get('centre', '')}" for film in material.films]
    labels, parts, places = [material.labels[own]], [shares[own]], [np.array(centres, dtype=np.str_)[own]]
    for place, logits in away.logits.items():
        labels.append(np.zeros(len(logits), dtype=int))
        parts.append(steps.probabilities(logits))
        places.append(np.full(len(logits), place))
    return fit_conformal(np.concatenate(labels), np.concatenate(parts), level, np.concatenate(places))


def quantiles(values: np.ndarray, unit: str) -> dict[str, Any]:
    """Return the quantiles of a figure that a card keeps for drift monitoring."""
    found = np.quantile(values, _QUANTILES)
    return {
        "unit": unit,
        "quantiles": {f"{q:g}": round(float(v), 4) for q, v in zip(_QUANTILES, found, strict=True)},
        "n": len(values),
    }


def withheld_out_of_fold(
    material: OutOfFold,
    steps: Steps,
    point: OperatingPoint,
    sets: ConformalSets,
    dissent: tuple[str, int] = (UNSTABLE, 0),
) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Return the leaning (N,) of every held-out film and why its answer is withheld; the distance is left out here."""
    logits = material.logits.mean(axis=1)
    shares = steps.probabilities(logits)
    leaning = called(point, steps.tumour_probability(logits), shares)
    variants = np.stack(
        [
            called(point, steps.tumour_probability(variant), steps.probabilities(variant))
            for variant in material.logits.transpose(1, 0, 2)
        ]
    )
    reasons = [
        reasons_to_withhold(int(lean), members, variants[:, index].tolist(), 0.0, np.inf, dissent)
        for index, (lean, members) in enumerate(zip(leaning, sets.members(shares), strict=True))
    ]
    return leaning, reasons


def _reference(
    material: OutOfFold,
    steps: Steps,
    point: OperatingPoint,
    sets: ConformalSets,
    distance: Distance,
    held_features: np.ndarray,
    dissent: tuple[str, int],
) -> dict[str, Any]:
    """Return the reference distributions of inputs and outputs on the held-out films, and a sample of the films.

    `held_features` (N1, D) are the first member's of its own held-out films, which stand first in the material: the
    portal's features are the first member's as well.
    """
    logits = material.logits.mean(axis=1)
    shares = steps.probabilities(logits)
    leaning, reasons = withheld_out_of_fold(material, steps, point, sets, dissent)
    withheld = np.array([bool(codes) for codes in reasons])
    own = len(held_features)
    features = distance.coordinates(held_features)[:, :FEATURES]
    sample = draw_sample(material.labels[:own], shares[:own][:, [0, 2]], features, material.groups[:own])
    return {
        "grey mean": quantiles(material.grey[:, 0], "of 255"),
        "grey spread": quantiles(material.grey[:, 1], "standard deviation, of 255"),
        "distance from the training films": quantiles(distance.of(held_features), "standard deviations"),
        "probability of malignant": quantiles(shares[:, 2], ""),
        "probability of normal": quantiles(shares[:, 0], ""),
        "shares": {
            "unit": "share of held-out films",
            "values": {
                **{f"leaning {name}": round(float((leaning == k).mean()), 4) for k, name in enumerate(OUTCOMES)},
                "withheld": round(float(withheld.mean()), 4),
                **{
                    f"{name} withheld": round(float(withheld[material.labels == k].mean()), 4)
                    for k, name in enumerate(OUTCOMES)
                },
            },
            "n": len(material.labels),
        },
        KEY: sample.as_dict(),
    }
