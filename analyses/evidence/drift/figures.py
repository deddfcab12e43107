"""What is monitored: each figure with its value for one film or one signed reading, and where its reference stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.answers.tasks import sought_in
from analyses.models import Analysis, DriftSeries, Outcome, Task
from analyses.pipeline.holds import REASON
from inference.shift import bins as drift
from inference.shift.bins import CUTS, Reference
from inference.shift.sample import ReferenceSample

YES, NO = "yes", "no"


@dataclass(frozen=True)
class MonitoredFigure:
    """One figure. ``value`` gives a number or a category, or None where a row has none."""

    name: str
    group: str  # inputs, outputs, withheld, overruled
    series: str
    value: Callable[[Any], Any]
    is_quantity: bool = False
    is_joint: bool = False  # values are vectors, compared as a whole
    card: Callable[[dict[str, Any]], Reference | np.ndarray | None] = lambda _card: None
    task: str = ""  # of one task only; empty: of every one

    def local(self, values: Sequence[Any]) -> Reference | np.ndarray:
        """The reference that the first local values make; of vectors the longest, which have the features."""
        if self.is_joint:
            longest = max(map(len, values))
            return np.array([value for value in values if len(value) == longest])
        return drift.of_values(values) if self.is_quantity else drift.of_categories(values)


def _answer(film: Analysis, name: str) -> Any:
    """What was computed of the film, also while the model is withheld for all."""
    return (film.computed or {}).get(name, getattr(film, name))


def _withheld(film: Analysis) -> str | None:
    outcome = _answer(film, "outcome")
    if outcome == Outcome.NOT_ANALYSABLE:
        return None
    reasons = set(_answer(film, "withheld_reasons")) - {REASON}
    return YES if outcome == Outcome.WITHHELD and reasons else NO


def _quantiles(name: str) -> Callable[[dict[str, Any]], Reference | None]:
    def read(reference: dict[str, Any]) -> Reference | None:
        entry = reference.get(name) or {}
        given = {float(key): value for key, value in (entry.get("quantiles") or {}).items()}
        if not entry.get("n") or not set(CUTS) <= set(given):
            return None
        edges = [given[cut] for cut in CUTS]
        return drift.of_quantiles(edges, entry["n"]) if edges == sorted(set(edges)) else None

    return read


def _shares(*names: str, rest: str = "") -> Callable[[dict[str, Any]], Reference | None]:
    def read(reference: dict[str, Any]) -> Reference | None:
        entry = reference.get("shares") or {}
        values = entry.get("values") or {}
        if not entry.get("n") or not all(name in values for name in names):
            return None
        found = {name.removeprefix("leaning "): float(values[name]) for name in names}
        if rest:
            found = {YES: found[names[0]], rest: 1 - found[names[0]]}
        return drift.of_shares(found, entry["n"])

    return read


def _joint_values(film: Analysis) -> tuple[float, ...] | None:
    """P(normal), P(malignant) and, where the model gives them, the features of a film that it judged."""
    chances = _answer(film, "probabilities")
    if not chances:
        return None
    return (chances["normal"], chances["malignant"], *film.input_stats.get("features", ()))


def _joint_reference(reference: dict[str, Any]) -> np.ndarray | None:
    sample = ReferenceSample.of_card({"reference": reference})
    return None if sample is None else sample.rows


FILMS, READINGS = DriftSeries.FILMS, DriftSeries.READINGS
LEANINGS = ("leaning normal", "leaning benign", "leaning malignant")
MONITORED_FIGURES: tuple[MonitoredFigure, ...] = (
    MonitoredFigure(
        *("grey mean", "inputs", FILMS, lambda film: film.input_stats.get("grey_mean")),
        is_quantity=True,
        card=_quantiles("grey mean"),
    ),
    MonitoredFigure(
        *("grey spread", "inputs", FILMS, lambda film: film.input_stats.get("grey_spread")),
        is_quantity=True,
        card=_quantiles("grey spread"),
    ),
    MonitoredFigure(
        *("film size, megapixels", "inputs", FILMS, lambda film: film.input_stats.get("megapixels")), is_quantity=True
    ),
    MonitoredFigure("modality", "inputs", FILMS, lambda film: film.image.study.modality or "not stated"),
    MonitoredFigure(
        "body part", "inputs", FILMS, lambda film: film.image.study.body_part_examined.lower() or "not stated"
    ),
    MonitoredFigure(
        *("distance from the training films", "inputs", FILMS, lambda film: film.distance),
        is_quantity=True,
        card=_quantiles("distance from the training films"),
    ),
    MonitoredFigure(
        "refused by the gate",
        "inputs",
        FILMS,
        lambda film: YES if _answer(film, "outcome") == Outcome.NOT_ANALYSABLE else NO,
    ),
    MonitoredFigure(
        *("probability of malignancy", "outputs", FILMS, lambda film: _answer(film, "malignant_probability")),
        is_quantity=True,
        card=_quantiles("probability of malignant"),
        task=Task.TUMOUR,
    ),
    MonitoredFigure(
        *("answers by the cut-offs", "outputs", FILMS, lambda film: _answer(film, "leaning") or None),
        card=_shares(*LEANINGS),
        task=Task.TUMOUR,
    ),
    MonitoredFigure(
        "probability of a fracture",
        *("outputs", FILMS, lambda film: sought_in(Task.FRACTURE, _answer(film, "probabilities"))),
        is_quantity=True,
        card=_quantiles("probability of fracture"),
        task=Task.FRACTURE,
    ),
    MonitoredFigure(
        *("answers by the cut-off", "outputs", FILMS, lambda film: _answer(film, "leaning").replace("_", " ") or None),
        card=_shares("leaning no fracture", "leaning fracture"),
        task=Task.FRACTURE,
    ),
    MonitoredFigure("withheld", "withheld", FILMS, _withheld, card=_shares("withheld", rest=NO)),
    MonitoredFigure(
        *("features and probabilities together", "outputs", FILMS, _joint_values),
        is_joint=True,
        card=_joint_reference,
        task=Task.TUMOUR,
    ),
    MonitoredFigure("overruled", "overruled", READINGS, lambda review: NO if review.agrees_with_model else YES),
)


def monitored_figures(series: str, task: str = Task.TUMOUR) -> list[MonitoredFigure]:
    """The figures of one series that are monitored for this task."""
    return [figure for figure in MONITORED_FIGURES if figure.series == series and figure.task in ("", task)]


__all__ = ["MONITORED_FIGURES", "MonitoredFigure", "monitored_figures"]
