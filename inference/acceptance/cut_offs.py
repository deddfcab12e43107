"""Local cut-offs that a set suggests, and what they do to films that had no say in them. Numpy only.

They aim at a share of tumour-free films, of which a site has many: the tumour's cut-off is the one that so many of them
stay below; the card's cut-off for malignancy is raised where too many reach it, and never lowered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.acceptance.films import FilmAnswer
from inference.acceptance.rule import AcceptanceRule
from inference.calibration import OperatingPoint
from inference.prediction import SET_UNDECIDED

LOCAL = "local"
PARTS, _SEED = 5, 17
CHOSEN_ON = "site acceptance: tumour-free films of the site"


def suggest(films: Sequence[FilmAnswer], point: OperatingPoint, rule: AcceptanceRule) -> OperatingPoint | None:
    """Return local cut-offs by the films of the set that the gate let pass; None without tumour-free ones."""
    clear = np.array([film.probabilities for film in films if film.is_clear and film.analysable])
    if not len(clear):
        return None
    tumour = _upper(1 - clear[:, 0], rule.aim_false_alarms)
    malignant = max(point.malignant, _upper(clear[:, 2], rule.aim_malignant))
    return replace(point, name=LOCAL, malignant=round(malignant, 5), tumour=round(tumour, 5), chosen_on=CHOSEN_ON)


def _upper(values: np.ndarray, share: float) -> float:
    """Return a cut-off that about `share` of films like `values` (N,) reach, from above: the (1 - share)(N + 1)-th
    smallest, a little more, so that this one stays below it."""
    place = min(len(values), int(np.ceil((1 - share) * (len(values) + 1))))
    return float(min(1.0, np.sort(values)[place - 1] + 1e-5))


def recalled(film: FilmAnswer, point: OperatingPoint) -> FilmAnswer:
    """Return the answer to a film at other cut-offs.

    Whether the set decides is asked anew; whether the film is unlike the others, or its answer unstable, is taken from
    the first answer.
    """
    if not film.analysable:
        return film
    leaning = point.outcome(1 - film.probabilities[0], film.probabilities[2])
    reasons = [reason for reason in film.withheld_reasons if reason != SET_UNDECIDED]
    if film.prediction_set is not None and film.prediction_set != (leaning,):
        reasons.insert(0, SET_UNDECIDED)
    return replace(film, leaning=leaning, withheld_reasons=tuple(reasons))


def cross_fitted(films: Sequence[FilmAnswer], point: OperatingPoint, rule: AcceptanceRule) -> list[FilmAnswer] | None:
    """Return the answers at local cut-offs, each by cut-offs that were chosen without the film's patient.

    None where some part of the patients leaves no tumour-free film to choose by.
    """
    patients = sorted({film.patient for film in films})
    drawn = np.random.default_rng(_SEED).permutation(len(patients))
    part = {patients[index]: place % PARTS for place, index in enumerate(drawn)}
    points = [suggest([film for film in films if part[film.patient] != number], point, rule) for number in range(PARTS)]
    found = []
    for film in films:
        own = points[part[film.patient]]
        if own is None:
            return None
        found.append(recalled(film, own))
    return found
