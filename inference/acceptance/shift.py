"""Drift of an acceptance set against the card's reference: inputs as a set of tumour-free films can tell them.

How often a film shows a tumour is the set's own choice, so outputs are left out: only tumour-free films are compared,
one of each patient, by grey values, distance and, where the card keeps a sample of films, all features together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.acceptance.films import FilmAnswer
from inference.shift.bins import CUTS, Reference, compare, holm, of_quantiles
from inference.shift.energy import LEAST_FILMS, energy_test
from inference.shift.sample import ReferenceSample

LEVEL = 0.01
_FIGURES = {
    "grey mean": lambda film: film.grey_mean,
    "grey spread": lambda film: film.grey_spread,
    "distance from the training films": lambda film: film.distance,
}
JOINT = "features of the film"


def quantile_reference(card: Mapping[str, Any], name: str) -> Reference | None:
    """Return the reference of a quantity as a card states it; None where it lacks it or two quantiles are equal."""
    entry = (card.get("reference") or {}).get(name) or {}
    given = {float(key): value for key, value in (entry.get("quantiles") or {}).items()}
    if not entry.get("n") or not set(CUTS) <= set(given):
        return None
    edges = [given[cut] for cut in CUTS]
    return of_quantiles(edges, entry["n"]) if edges == sorted(set(edges)) else None


def shift_of(card: Mapping[str, Any], films: Sequence[FilmAnswer]) -> list[dict[str, Any]]:
    """Return a line for each figure that can be compared: {name, n, p, adjusted_p, shifted}.

    The p-values are adjusted after Holm: a set like the card's films shows any shift with a probability of LEVEL.
    """
    own = _one_of_each_patient(films)
    lines: list[dict[str, Any]] = []
    for name, value in _FIGURES.items():
        reference = quantile_reference(card, name)
        values = [found for film in own if (found := value(film)) is not None]
        if reference is not None and len(values) >= LEAST_FILMS:
            lines.append({"name": name, "n": len(values), "p": compare(values, reference).p})
    sample = ReferenceSample.of_card(card)
    if sample is not None:
        rows = [film.features for film in own if len(film.features) == sample.features.shape[1]]
        reference_rows = sample.clear_features
        if min(len(rows), len(reference_rows)) >= LEAST_FILMS:
            lines.append({"name": JOINT, "n": len(rows), "p": energy_test(reference_rows, np.array(rows)).p})
    for line, adjusted in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line |= {"adjusted_p": round(adjusted, 5), "shifted": adjusted <= LEVEL, "p": round(line["p"], 5)}
    return lines


def _one_of_each_patient(films: Sequence[FilmAnswer]) -> list[FilmAnswer]:
    """Return the first tumour-free film of each patient that the gate let pass."""
    seen: dict[int, FilmAnswer] = {}
    for film in films:
        if film.is_clear and film.analysable:
            seen.setdefault(film.patient, film)
    return list(seen.values())
