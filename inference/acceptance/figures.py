"""The figures of an acceptance with their intervals, the card's own beside them, and what the rule says. Numpy only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.acceptance.cut_offs import cross_fitted, suggest
from inference.acceptance.films import FilmAnswer
from inference.acceptance.labels import require_enough
from inference.acceptance.rule import AcceptanceRule, judge_figures, rule_of
from inference.acceptance.shift import shift_of
from inference.acceptance.training_films import TrainingFilms
from inference.calibration import OUTCOMES, OperatingPoint
from inference.errors import DataError
from inference.intervals import FEWEST_GROUPS, auroc_interval, share_interval

NORMAL, MALIGNANT = OUTCOMES[0], OUTCOMES[-1]
# What is counted: of which films, and which of them count.
_Counts = Callable[[FilmAnswer], bool]
SHARES: dict[str, tuple[_Counts, _Counts]] = {
    "false_alarms": (lambda film: film.analysable and film.is_clear, lambda film: film.leaning != NORMAL),
    "false_alarms_malignant": (lambda film: film.analysable and film.is_clear, lambda film: film.leaning == MALIGNANT),
    "tumour_sensitivity": (lambda film: film.analysable and not film.is_clear, lambda film: film.leaning != NORMAL),
    "malignant_sensitivity": (
        lambda film: film.analysable and film.label == MALIGNANT,
        lambda film: film.leaning == MALIGNANT,
    ),
    "cancers_called_normal": (
        lambda film: film.analysable and film.label == MALIGNANT,
        lambda film: film.leaning == NORMAL,
    ),
    "coverage": (
        lambda film: film.analysable and film.prediction_set is not None,
        lambda film: film.label in (film.prediction_set or ()),
    ),
    "withheld": (lambda film: film.analysable, lambda film: bool(film.withheld_reasons)),
    "gate_refusals": (lambda _film: True, lambda film: not film.analysable),
}
AREAS = {"tumour_auroc": NORMAL, "malignant_auroc": MALIGNANT}
# Protocols of a card's figures, the one that counts first.
_PROTOCOLS = ("patient", "grouped")


def figures_of(films: Sequence[FilmAnswer]) -> dict[str, dict[str, Any] | None]:
    """Return each figure of SHARES and AREAS as {estimate, low, high, n, hits, patients}; None without such films.

    Shares count what the model leans to, also where the answer was withheld. Patients are clusters.
    """
    found: dict[str, dict[str, Any] | None] = {name: _share(films, *how) for name, how in SHARES.items()}
    judged = [film for film in films if film.analysable]
    return found | {name: _area(judged, one) for name, one in AREAS.items()}


def _share(films: Sequence[FilmAnswer], of: _Counts, counts: _Counts) -> dict[str, Any] | None:
    own = [film for film in films if of(film)]
    if not own:
        return None
    hits = np.array([counts(film) for film in own], dtype=bool)
    patients = np.array([film.patient for film in own])
    return _figure(share_interval(hits, patients), len(own), len(set(patients.tolist())), int(hits.sum()))


def _area(films: Sequence[FilmAnswer], one: str) -> dict[str, Any] | None:
    place = OUTCOMES.index(one)
    if not films:
        return None
    scores = np.array([film.probabilities[place] for film in films])
    positive = np.array([film.label == one for film in films])
    if one == NORMAL:
        scores, positive = 1 - scores, ~positive
    patients = np.array([film.patient for film in films])
    found = auroc_interval(positive, scores, patients)
    if not math.isfinite(found[0]):
        return None
    return _figure(found, int(positive.sum()), len(set(patients[positive].tolist())), None)


def _figure(found: tuple[float, float, float], n: int, patients: int, hits: int | None) -> dict[str, Any]:
    estimate, low, high = (round(value, 4) for value in found)
    return {"estimate": estimate, "low": low, "high": high, "n": n, "patients": patients, "hits": hits}


def card_figures(card: Mapping[str, Any]) -> dict[str, dict[str, float] | None]:
    """Return what the card states of the same figures; None where it states none."""
    figures = card.get("figures") or {}
    own = next((figures[name] for name in _PROTOCOLS if isinstance(figures.get(name), Mapping)), figures)
    gate = figures.get("gate") or {}
    return {
        "false_alarms": _complement(_stated(own, "normals_called_normal")),
        "false_alarms_malignant": None,
        "tumour_sensitivity": _complement(_stated(own, "tumours_called_normal")),
        "malignant_sensitivity": _stated(own, "malignant_sensitivity"),
        "cancers_called_normal": _stated(own, "cancers_called_normal"),
        "coverage": _stated(own.get("conformal"), "coverage"),
        "withheld": _stated(own.get("withheld"), "share"),
        "gate_refusals": _stated(gate, "bone_refused"),
        "tumour_auroc": _stated(own, "tumour_auroc"),
        "malignant_auroc": _stated(own, "malignant_auroc"),
    }


def _stated(block: Any, name: str) -> dict[str, float] | None:
    entry = block.get(name) if isinstance(block, Mapping) else None
    if not isinstance(entry, Mapping) or not {"estimate", "low", "high"} <= set(entry):
        return None
    return {key: float(entry[key]) for key in ("estimate", "low", "high")}


def _complement(figure: dict[str, float] | None) -> dict[str, float] | None:
    if figure is None:
        return None
    found = {"estimate": 1 - figure["estimate"], "low": 1 - figure["high"], "high": 1 - figure["low"]}
    return {name: round(value, 4) for name, value in found.items()}


def acceptance_of(
    card: Mapping[str, Any], point: OperatingPoint, films: Sequence[FilmAnswer], unreadable: int = 0
) -> dict[str, Any]:
    """Return everything that an acceptance says of a model, JSON-able: command and portal print this.

    `unreadable` films of the set are not among `films`; they are told, and the others must suffice for the rule.

    Keys: ``films`` (counts), ``warnings`` (codes), ``rule``, ``card`` (its figures), ``at_card`` and ``at_local``
    (``cut_offs``, ``figures``, ``verdict``, ``by_figure``; the latter None where nothing can be suggested) and
    ``shift``.

    Raises:
        DataError: ``training_films``, ``one_class``, ``too_few_films``.
        WeightsError: ``no_acceptance_rule``.
    """
    rule = rule_of(card)
    require_unseen(films)
    require_enough((film.label for film in films), rule)
    suggested, crossed = suggest(films, point, rule), cross_fitted(films, point, rule)
    local = None if suggested is None or crossed is None else _judged(rule, suggested, crossed)
    return {
        "films": counts_of(films) | {"unreadable": unreadable},
        "warnings": warnings_of(card, films) + (["unreadable_films"] if unreadable else []),
        "rule": rule.as_dict(),
        "card": card_figures(card),
        "at_card": _judged(rule, point, films),
        "at_local": local,
        "shift": shift_of(card, films),
    }


def _judged(rule: AcceptanceRule, point: OperatingPoint, films: Sequence[FilmAnswer]) -> dict[str, Any]:
    figures = figures_of(films)
    found = judge_figures(rule, figures)
    return {
        "cut_offs": point.as_dict(),
        "figures": figures,
        "verdict": found.verdict,
        "by_figure": found.by_figure,
    }


def require_unseen(films: Sequence[FilmAnswer]) -> None:
    """Refuse a set with films that the model learnt from; DataError ``training_films`` with the count."""
    seen = sum(film.trained_on for film in films)
    if seen:
        raise DataError(
            "training_films",
            f"{seen} of {len(films)} films are among the films that the model learnt from. Use films of this site.",
        )


def counts_of(films: Sequence[FilmAnswer]) -> dict[str, Any]:
    """Return films and patients as a whole and by label."""
    by_label = Counter(film.label for film in films)
    patients = {name: len({film.patient for film in films if film.label == name}) for name in OUTCOMES}
    return {
        "n": len(films),
        "patients": len({film.patient for film in films}),
        "by_label": {name: by_label[name] for name in OUTCOMES},
        "patients_by_label": patients,
    }


def warnings_of(card: Mapping[str, Any], films: Sequence[FilmAnswer]) -> list[str]:
    """Return codes of what a reader must know: ``few_<label>`` patients, and what the card knows of its training."""
    patients = counts_of(films)["patients_by_label"]
    found = [f"few_{name}" for name in OUTCOMES if patients[name] < FEWEST_GROUPS]
    knows = TrainingFilms.of_card(card).knows
    return found + ([] if knows == "looks" else [f"training_known_{knows}"])
