"""Draws who reads what when: crossed, balanced, and the same again from the same seed.

Every draw is an order by SHA-256 of the seed and the names of what is ordered, so anybody can replay it by hand.
Without the seed, which readers never see, it cannot be predicted.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from analyses.models import Condition

SESSIONS = (1, 2)
OTHER = {Condition.WITHOUT: Condition.WITH, Condition.WITH: Condition.WITHOUT}


@dataclass(frozen=True)
class Slot:
    """One reading to come; all numbers start from 1."""

    reader: int
    case: int
    condition: Condition
    session: int
    position: int


def draw(seed: str, readers: Iterable[int], cases: dict[int, str]) -> list[Slot]:
    """All readings of a reader study.

    Each reader reads every case once in each session, in an order of his own. In session 1 one half of the cases comes
    without the answer and one half with it, balanced within each truth to one case; in session 2 the other way round.
    Readers come in pairs: what the first of a pair reads first without the answer, the second reads first with it.

    Args:
        readers: their numbers; pairs are made in this order.
        cases: truth by the number of the case.
    """
    slots = []
    for index, reader in enumerate(readers):
        pair, second = divmod(index, 2)
        first = _first_conditions(seed, pair, cases)
        if second:
            first = {case: OTHER[condition] for case, condition in first.items()}
        for session in SESSIONS:
            order = sorted(cases, key=lambda case: _random_key(seed, "order", reader, session, case))
            slots += [
                Slot(reader, case, first[case] if session == 1 else OTHER[first[case]], session, position)
                for position, case in enumerate(order, start=1)
            ]
    return slots


def _first_conditions(seed: str, pair: int, cases: dict[int, str]) -> dict[int, Condition]:
    """Which condition comes first for each case: dealt out in turn to the cases, by truth and then at random."""
    turn = [Condition.WITHOUT, Condition.WITH]
    if int(_random_key(seed, "turn", pair), 16) % 2:
        turn.reverse()
    dealt = sorted(cases, key=lambda case: (cases[case], _random_key(seed, "first", pair, case)))
    return {case: turn[place % 2] for place, case in enumerate(dealt)}


def _random_key(seed: str, *names: object) -> str:
    return hashlib.sha256("|".join(map(str, (seed, *names))).encode()).hexdigest()
