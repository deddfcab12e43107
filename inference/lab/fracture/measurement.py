"""The figures of a fracture network on films that chose nothing, with 95 % intervals by group."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.intervals import auroc_interval, share_interval
from inference.lab.fracture.answers import FractureAnswers
from inference.lab.fracture.boxes import average_precision
from inference.lab.fracture.fitting import FittedFinding
from inference.lab.metrics.resampling import rounded
from inference.lab.metrics.scores import group_resamples
from inference.outline import regions_of
from inference.prediction import Region
from inference.variants import Views

Figures = dict[str, Any]
_RESAMPLES = 1000
_FEWEST = 20
# Boxes compete by their probability, so the published footing counts weak ones as well.
_WEAKEST = 0.05


def measure_fracture(answers: FractureAnswers, fitted: FittedFinding, views: Views) -> Figures:
    """Return ranking, calls at the operating point, withheld answers and outlines."""
    chances, shown = fitted.chances(answers.logits), answers.labels > 0
    called = chances >= fitted.point.finding
    withheld = np.array([bool(codes) for codes in fitted.reasons(answers, views)])
    groups = answers.groups

    def share(hits: np.ndarray, among: np.ndarray) -> Figures:
        return _figure(share_interval(hits[among], groups[among])) | {"n": int(among.sum())}

    answered = ~withheld
    return {
        "films": {"fracture": int(shown.sum()), "no fracture": int((~shown).sum())},
        "groups": {"fracture": len(np.unique(groups[shown])), "all": len(np.unique(groups))},
        "auroc": _figure(auroc_interval(shown, chances, groups)),
        "sensitivity": share(called, shown),
        "specificity": share(~called, ~shown),
        "withheld": {"fracture": share(withheld, shown), "no fracture": share(withheld, ~shown)},
        "answered": {
            "precision": share(shown, called & answered),
            "sensitivity": share(called, shown & answered),
            "specificity": share(~called, ~shown & answered),
        },
        "outlines": _outlines(answers, fitted, called),
        "by_body_part": _by(answers, "body_part", chances, called),
        "by_view": _by(answers, "view", chances, called),
        "by_hardware": _by(answers, "hardware", chances, called),
    }


def _figure(values: tuple[float, float, float]) -> Figures:
    return dict(zip(("estimate", "low", "high"), map(rounded, values), strict=True))


def _by(answers: FractureAnswers, name: str, chances: np.ndarray, called: np.ndarray) -> Figures:
    """Figures of each value of an attribute that enough films of both labels have."""
    values, shown = np.array([film.attributes.get(name, "") for film in answers.films]), answers.labels > 0
    found = {}
    for value in sorted(set(values.tolist())):
        inside = values == value
        if min((inside & shown).sum(), (inside & ~shown).sum()) < _FEWEST:
            continue
        found[value] = {
            "auroc": _figure(auroc_interval(shown[inside], chances[inside], answers.groups[inside])),
            "sensitivity": _figure(share_interval(called[inside & shown], answers.groups[inside & shown])),
            "specificity": _figure(share_interval(~called[inside & ~shown], answers.groups[inside & ~shown])),
            "n": int(inside.sum()),
        }
    return found


def _outlines(answers: FractureAnswers, fitted: FittedFinding, called: np.ndarray) -> Figures:
    shown = np.flatnonzero(answers.labels > 0)
    marked = answers.cells[shown] >= fitted.mask_threshold
    truth = answers.masks[shown]
    both = 2 * (marked & truth).sum(axis=(1, 2))
    dice = both / np.maximum(1, marked.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)))
    hit = (marked & truth).any(axis=(1, 2)) & called[shown]
    clear = np.flatnonzero(answers.labels == 0)
    false = [
        len(regions_of(answers.cells[film], fitted.mask_threshold, fitted.smallest_area)) if called[film] else 0
        for film in clear
    ]
    weak = [regions_of(answers.cells[film], _WEAKEST, fitted.smallest_area) for film in shown]
    return {
        "dice": _resampled(dice, answers.groups[shown]),
        "hits": _figure(share_interval(hit, answers.groups[shown])),
        "false_regions_per_film_without_fracture": round(float(np.mean(false)), 4) if false else None,
        "box_ap50_fractured_films": _box_precision(weak, answers, shown),
    }


def _resampled(values: np.ndarray, groups: np.ndarray) -> Figures:
    drawn = group_resamples(groups, np.ones(len(groups), dtype=int), _RESAMPLES, seed=17)
    low, high = np.percentile([values[chosen].mean() for chosen in drawn], [2.5, 97.5])
    return _figure((float(values.mean()), float(low), float(high)))


def _box_precision(regions: list[tuple[Region, ...]], answers: FractureAnswers, shown: np.ndarray) -> Figures:
    """Average precision of boxes on films with a fracture alone, as the authors of FracAtlas report it."""
    boxes, groups = [answers.boxes[film] for film in shown], answers.groups[shown]
    drawn = group_resamples(groups, np.ones(len(groups), dtype=int), 200, seed=19)
    values = [average_precision([regions[at] for at in some], [boxes[at] for at in some]) for some in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return _figure((average_precision(regions, boxes), float(low), float(high)))


def false_alarms(answers: FractureAnswers, fitted: FittedFinding) -> Figures:
    """Return the share of films of another source, none with a fracture, that are called one."""
    called = fitted.chances(answers.logits) >= fitted.point.finding
    return _figure(share_interval(called, answers.groups)) | {"n": len(called)}
