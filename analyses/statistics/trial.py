"""Two arms of a trial compared by intention to treat, with 95 % intervals that hold for several cases of one patient.

Each figure is a mean (or an area under a curve) to which every case contributes a known share; the differences of the
arms are judged by the sum of those shares over each patient, so that a patient with cases in both arms is counted as
what he or she is (the sandwich estimator with clusters; for the area: Obuchowski, Biometrics 1997;53:567).
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

SHOWN, HIDDEN = "shown", "hidden"
MALIGNANT = "malignant"
Z = 1.959964  # the 97.5 % point of the normal distribution
FEWEST = 10  # cases of an arm (for an area: of each truth) below which nothing is shown as a rate


@dataclass(frozen=True)
class Case:
    """One allocated case.

    Attributes:
        arm: ``shown`` or ``hidden``, as drawn.
        patient: whose case; several cases may have one patient.
        reading: the final reading; empty where nobody has signed.
        likelihood: of malignancy, 0 to 100; None for *cannot tell* and where nobody has signed.
        truth: normal, benign, malignant; empty while unknown.
        changed: whether the final reading differs from the unaided one; None where nobody has signed.
        total_s: reading time, own and final, in seconds.
    """

    arm: str
    patient: Hashable
    reading: str
    likelihood: float | None
    truth: str
    changed: bool | None
    total_s: float | None


@dataclass(frozen=True)
class Arm:
    """One figure of one arm; None where there are too few cases."""

    n: int
    value: float | None


@dataclass(frozen=True)
class Comparison:
    """One figure of both arms; ``difference`` is shown less hidden, with its 95 % interval."""

    name: str
    shown: Arm
    hidden: Arm
    difference: float | None
    low: float | None
    high: float | None


# A case's share in an estimate: (estimate, {patient: sum of shares}) or None where there are too few cases.
Estimate = tuple[float, dict[Hashable, float]]


def compare(cases: Iterable[Case]) -> list[Comparison]:
    """Every figure of the trial, in the order in which they are reported.

    *Cannot tell* is neither a hit nor a correct all-clear: it counts as wrong in sensitivity and specificity, and has
    no likelihood, so it is left out of the area. Cases without a signature or a known truth are left out where the
    figure needs it; ``n`` says how many remain.
    """
    rows = list(cases)
    return [
        _compared("sensitivity", rows, lambda row: _called(row) if row.truth == MALIGNANT else None),
        _compared("specificity", rows, lambda row: _cleared(row) if row.truth and row.truth != MALIGNANT else None),
        _compared_areas(rows),
        _compared("reading_time_s", rows, lambda row: row.total_s),
        _compared("changed", rows, lambda row: None if row.changed is None else float(row.changed)),
    ]


def _called(row: Case) -> float | None:
    return float(row.reading == MALIGNANT) if row.reading else None


def _cleared(row: Case) -> float | None:
    return float(row.reading in ("normal", "benign")) if row.reading else None


def _compared(name: str, rows: list[Case], value: Callable[[Case], float | None]) -> Comparison:
    arms = {
        arm: [(row.patient, number) for row in rows if row.arm == arm and (number := value(row)) is not None]
        for arm in (SHOWN, HIDDEN)
    }
    return _difference(name, {arm: (len(found), _mean(found)) for arm, found in arms.items()})


def _compared_areas(rows: list[Case]) -> Comparison:
    arms = {}
    for arm in (SHOWN, HIDDEN):
        found = [
            (row.patient, row.likelihood, row.truth == MALIGNANT)
            for row in rows
            if row.arm == arm and row.truth and row.likelihood is not None
        ]
        arms[arm] = (len(found), _area(found))
    return _difference("auc", arms)


def _mean(found: list[tuple[Hashable, float]]) -> Estimate | None:
    if len(found) < FEWEST:
        return None
    mean = sum(number for _, number in found) / len(found)
    return mean, _by_patient((patient, (number - mean) / len(found)) for patient, number in found)


def _area(found: list[tuple[Hashable, float, bool]]) -> Estimate | None:
    """The area under the empirical curve with the placement of every case (DeLong), ties counted one half."""
    positive = [(patient, score) for patient, score, is_positive in found if is_positive]
    negative = [(patient, score) for patient, score, is_positive in found if not is_positive]
    if min(len(positive), len(negative)) < FEWEST:
        return None
    positives, negatives = sorted(score for _, score in positive), sorted(score for _, score in negative)
    above = [_share(score, negatives) for _, score in positive]
    below = [1 - _share(score, positives) for _, score in negative]
    area = sum(above) / len(above)
    shares = [
        *((patient, (place - area) / len(positive)) for (patient, _), place in zip(positive, above, strict=True)),
        *((patient, (place - area) / len(negative)) for (patient, _), place in zip(negative, below, strict=True)),
    ]
    return area, _by_patient(shares)


def _share(score: float, others: list[float]) -> float:
    """The share of the others, in ascending order, that lie below a score, ties counted one half."""
    return (bisect_left(others, score) + bisect_right(others, score)) / 2 / len(others)


def _by_patient(shares: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    summed: dict[Hashable, float] = defaultdict(float)
    for patient, share in shares:
        summed[patient] += share
    return summed


def _difference(name: str, arms: dict[str, tuple[int, Estimate | None]]) -> Comparison:
    (n_shown, shown), (n_hidden, hidden) = arms[SHOWN], arms[HIDDEN]
    difference = low = high = None
    if shown is not None and hidden is not None:
        difference = shown[0] - hidden[0]
        joined = _by_patient([*shown[1].items(), *((patient, -share) for patient, share in hidden[1].items())])
        clusters = len(joined)
        if clusters > 1:
            error = math.sqrt(clusters / (clusters - 1) * sum(share**2 for share in joined.values()))
            low, high = difference - Z * error, difference + Z * error
    return Comparison(
        name,
        Arm(n_shown, shown[0] if shown else None),
        Arm(n_hidden, hidden[0] if hidden else None),
        difference,
        low,
        high,
    )
