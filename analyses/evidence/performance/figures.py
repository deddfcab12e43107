"""Figures of *Performance at this site*, computed from its rows. Malignant is what is looked for.

Small numbers are not shown as rates: a share with fewer than ``LEAST`` observations, or an area with fewer of the rarer
truth, says how many there are and no more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext_lazy as _

from analyses.answers.agreement import ANSWERS
from analyses.evidence.performance.rows import NOT_STATED, OTHERS, YOU, Row
from analyses.models import Outcome
from analyses.statistics.clustered import clustered_auc, clustered_share
from analyses.statistics.rates import Figure
from analyses.stored_words import BODY_PARTS

LEAST = 10
BINS = 10


@dataclass(frozen=True)
class Shown:
    """A figure as the page shows it: with its interval, or only how many observations there are."""

    n: int
    figure: Figure | None  # None where there are too few


@dataclass(frozen=True)
class Observer:
    """Who calls: the model or a reader, with or without the other."""

    name: Any  # in the language of the page, like the note
    call: Callable[[Row], bool | None]
    score: Callable[[Row], float | None]
    counts: Callable[[Row], bool]
    note: Any = ""


MODEL = Observer(_("Model alone"), lambda row: row.model_call, lambda row: row.probability, lambda _row: True)
ALONE = Observer(
    _("Reader without the model"),
    lambda row: row.unaided_call,
    lambda row: row.unaided_likelihood,
    lambda row: row.read_alone,
    _("before the model's answer was shown"),
)
TOGETHER = Observer(
    _("Reader with the model"), lambda row: row.final_call, lambda row: row.final_likelihood, lambda row: row.saw_model
)
SAME_CASES = Observer(
    _("Reader with the model, same cases"),
    lambda row: row.final_call,
    lambda row: row.final_likelihood,
    lambda row: row.saw_model and row.read_alone,
    _("only cases that were also read without the model"),
)
OBSERVERS = (MODEL, ALONE, TOGETHER, SAME_CASES)
GROUPS: tuple[tuple[Any, str], ...] = (
    (_("Quarter of the signature"), "quarter"),
    (_("Reader"), "reader"),
    (_("Body part"), "body_part"),
    (_("Age"), "age_group"),
    (_("Sex"), "sex"),
)
_UNKNOWN = {NOT_STATED: _("not stated")}
# For each field its words in the rows, which are those of the export, as the page says them. Of body parts
# only DICOM's are translated, so that one called "other" is not taken for a sex.
GROUP_WORDS: dict[str, dict[str, Any]] = {
    "quarter": {},
    "reader": {YOU: _("you"), OTHERS: _("other readers")},
    "body_part": _UNKNOWN | {part.lower(): _(name) for part, name in BODY_PARTS.items()},
    "age_group": _UNKNOWN
    | {
        "0 to 9": _("0 to 9"),
        "10 to 19": _("10 to 19"),
        "20 to 39": _("20 to 39"),
        "40 to 59": _("40 to 59"),
        "60 and older": _("60 and older"),
    },
    "sex": _UNKNOWN | {"male": _("male"), "female": _("female"), "other": _("other")},
}


def share(hits: Iterable[bool], patients: Iterable[int]) -> Shown:
    """A share with its interval clustered by patient, where there are enough observations."""
    hits = np.fromiter(hits, dtype=bool)
    found = clustered_share(hits, np.fromiter(patients, dtype=int)) if len(hits) >= LEAST else None
    return Shown(len(hits), found)


def share_of(rows: Iterable[Row], of: Callable[[Row], bool], hit: Callable[[Row], bool]) -> Shown:
    """The share of rows with a property among those that count."""
    counted = [row for row in rows if of(row)]
    return share((hit(row) for row in counted), (row.patient for row in counted))


def sensitivity(rows: Iterable[Row], observer: Observer, *, missed: bool = False) -> Shown:
    """Share of malignant cases called so; cases without a call are left out, or counted as missed."""
    return share_of(
        rows,
        lambda row: row.malignant and observer.counts(row) and (missed or observer.call(row) is not None),
        lambda row: observer.call(row) is True,
    )


def specificity(rows: Iterable[Row], observer: Observer, *, missed: bool = False) -> Shown:
    """Share of other cases not called malignant; cases without a call are left out, or counted as wrong."""
    return share_of(
        rows,
        lambda row: not row.malignant and observer.counts(row) and (missed or observer.call(row) is not None),
        lambda row: observer.call(row) is False,
    )


def predictive_value(rows: Iterable[Row], observer: Observer, called: bool) -> Shown:
    """Share of right calls among those that called malignant (PPV), or that did not (NPV)."""
    return share_of(rows, lambda row: observer.call(row) is called, lambda row: row.malignant is called)


def area(rows: Iterable[Row], observer: Observer) -> Shown:
    """Area under the empirical ROC curve of the scores that there are."""
    counted = [(row, score) for row in rows if observer.counts(row) and (score := observer.score(row)) is not None]
    positive = np.array([row.malignant for row, _ in counted], dtype=bool)
    rarer = int(min(positive.sum(), (~positive).sum()))
    if rarer < LEAST:
        return Shown(rarer, None)
    scores = np.array([score for _, score in counted], dtype=float)
    return Shown(rarer, clustered_auc(scores, positive, np.array([row.patient for row, _ in counted])))


def observers(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One line for each observer: how many cases, how many without a call, and the figures both ways."""
    table = []
    for observer in OBSERVERS:
        counted = [row for row in rows if observer.counts(row)]
        table.append(
            {
                "name": observer.name,
                "note": observer.note,
                "cases": len(counted),
                "without": sum(observer.call(row) is None for row in counted),
                "sensitivity": sensitivity(rows, observer),
                "specificity": specificity(rows, observer),
                "ppv": predictive_value(counted, observer, True),
                "npv": predictive_value(counted, observer, False),
                "area": area(rows, observer),
                "sensitivity_missed": sensitivity(rows, observer, missed=True),
                "specificity_missed": specificity(rows, observer, missed=True),
            }
        )
    return table


def withheld(rows: Iterable[Row]) -> Shown:
    """Share of cases whose answer was withheld, among those that the model judged."""
    judged = (*ANSWERS, Outcome.WITHHELD)
    return share_of(rows, lambda row: row.model_outcome in judged, lambda row: row.model_outcome == Outcome.WITHHELD)


def overruled(rows: Iterable[Row]) -> Shown:
    """Share of signed readings that differ from the answer that their reader saw."""
    return share_of(rows, lambda row: row.overruled is not None, lambda row: row.overruled is True)


def groups(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A table for each way of grouping, with the figures of model and of reader with the model."""
    return [{"title": title, "rows": _group_rows(rows, name)} for title, name in GROUPS]


def _group_rows(rows: Sequence[Row], name: str) -> list[dict[str, Any]]:
    values = sorted({getattr(row, name) for row in rows}, key=lambda value: (value == OTHERS, value != YOU, value))
    words = GROUP_WORDS[name]
    return [_group(words.get(value, value), [row for row in rows if getattr(row, name) == value]) for value in values]


def _group(name: Any, rows: list[Row]) -> dict[str, Any]:
    return {
        "name": name,
        "cases": len(rows),
        "malignant": sum(row.malignant for row in rows),
        "cells": [
            sensitivity(rows, MODEL),
            specificity(rows, MODEL),
            sensitivity(rows, TOGETHER),
            specificity(rows, TOGETHER),
            withheld(rows),
            overruled(rows),
        ],
    }


def calibration(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Stated against observed in ten bins of the model's probability: {from, to, n, stated, observed, low, high}.

    A bin with too few cases has its number only.
    """
    answered = [row for row in rows if row.probability is not None]
    bins: list[list[Row]] = [[] for _ in range(BINS)]
    for row in answered:
        bins[min(BINS - 1, int((row.probability or 0.0) * BINS))].append(row)
    return [_bin(number, members) for number, members in enumerate(bins) if members]


def _bin(number: int, members: list[Row]) -> dict[str, Any]:
    entry: dict[str, Any] = {"from": number / BINS, "to": (number + 1) / BINS, "n": len(members)}
    found = share((row.malignant for row in members), (row.patient for row in members)).figure
    if found is not None:
        stated = sum(row.probability or 0.0 for row in members) / len(members)
        entry |= {"stated": stated, "observed": found.estimate, "low": found.low, "high": found.high}
    return entry


CHANGES = (
    ("to_right", _("Correct after the answer")),
    ("to_wrong", _("Wrong after the answer")),
    ("wrong_to_wrong", _("Wrong before and after the answer")),
)
DIRECTIONS = (("toward", _("towards the model")), ("away", _("away from the model")), ("neither", _("neither")))


def flips(rows: Iterable[Row]) -> dict[str, Any]:
    """Unaided reading against the signed one where the answer was shown between the two.

    Right is a reading that equals the outcome (normal, benign, malignant); *cannot tell* is never right.
    """
    pairs = [row for row in rows if row.read_alone and row.saw_model]
    counts = {change: dict.fromkeys((name for name, _ in DIRECTIONS), 0) for change, _ in CHANGES}
    for row in pairs:
        if row.unaided_reading != row.final_reading:
            counts[change_of(row)][direction_of(row)] += 1
    table = [
        {"label": label, "cells": [counts[change][name] for name, _ in DIRECTIONS], "sum": sum(counts[change].values())}
        for change, label in CHANGES
    ]
    unchanged = [row for row in pairs if row.unaided_reading == row.final_reading]
    right = sum(row.unaided_reading == row.truth for row in unchanged)
    return {
        "pairs": len(pairs),
        "directions": [label for _, label in DIRECTIONS],
        "table": table,
        "unchanged_right": right,
        "unchanged_wrong": len(unchanged) - right,
        "changed": share((row.unaided_reading != row.final_reading for row in pairs), (row.patient for row in pairs)),
    }


def change_of(row: Row) -> str:
    """What a revision did against the outcome."""
    if row.final_reading == row.truth:
        return "to_right"
    return "to_wrong" if row.unaided_reading == row.truth else "wrong_to_wrong"


def direction_of(row: Row) -> str:
    """Where a revision went, seen from the model's answer; without an answer it went nowhere."""
    if row.model_outcome not in ANSWERS:
        return "neither"
    if row.final_reading == row.model_outcome:
        return "toward"
    return "away" if row.unaided_reading == row.model_outcome else "neither"
