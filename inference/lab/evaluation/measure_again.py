"""Measures one section of a stored measurement again, on the same weights and films, and leaves the others alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.card import load_card
from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm
from inference.lab.evaluation.measure import measure, report
from inference.lab.evaluation.subjects import InstalledModel
from inference.lab.reports.runs import read_json
from inference.lab.training.progress import say

SECTIONS = ("saliency",)
# What tells that films, weights and outcome rule are those of before: exact counts, no rounded figures.
_SAME = ("films", "groups", "films_by_class", "groups_by_class", "confusion_matrix", "operating_point")
Figures = dict[str, Any]


def measure_section_again(
    folder: Path, films: list[LabelledFilm], stored: Path, section: str, point: str, workers: int, command: str
) -> Figures:
    """Return the measurement in `stored` with this section measured anew; nothing is written.

    Raises:
        DataError: the file holds no measurement, or one of other weights, films or another operating point.
    """
    before, card = read_json(stored), load_card(folder)
    told = before.get("model")
    if not isinstance(told, dict) or told.get("sha256") != card["weights"]["sha256"]:
        raise DataError("other_weights", f"{stored.name} was not measured on these weights: measure everything anew.")
    model = InstalledModel(folder, point, workers)
    outputs = measure(model, films, flips=False)
    after = report(films, outputs, model, {"operating_point": model.predictor.point(point).as_dict()})
    differing = [name for name in _SAME if before.get(name) != after[name]]
    if differing:
        raise DataError(
            "other_films",
            f"{stored.name} was measured on other films, or the model answers otherwise: {', '.join(differing)}.",
        )
    if section not in after:
        raise DataError("no_section", f"These films and this model give no section {section!r}.")
    _say_what_moved(before.get(section) or {}, after[section])
    return _replaced(before, after, section, command)


def _say_what_moved(before: Figures, after: Figures) -> None:
    moved = [name for name, value in after.items() if name in before and before[name] != value]
    say(f"differs from before: {', '.join(moved) or 'nothing'}")


def _replaced(before: Figures, after: Figures, section: str, command: str) -> Figures:
    replaced = {**before, section: after[section]}
    inner, own = before.get("with_gate"), after.get("with_gate") or {}
    if isinstance(inner, dict) and section in inner and section in own:
        replaced["with_gate"] = {**inner, section: own[section]}
    again = dict(before.get("measured_again") or {})
    times = int((again.get(section) or {}).get("times", 0))
    replaced["measured_again"] = {**again, section: {"times": times + 1, "command": command}}
    return replaced
