"""Where a doctor's mind went between the own and the final reading, seen from the model's answer."""

from typing import Any

from analyses.answers.agreement import ANSWERS, agreement
from analyses.models import Direction


def direction(
    before: tuple[str, int | None], after: tuple[str, int | None], answer: dict[str, Any] | None
) -> Direction:
    """The direction of a revision.

    Args:
        before, after: reading and likelihood of malignancy, 0 to 100 or None.
        answer: the model's answer at the lock (``outcome``, ``malignant_probability``).

    The word decides where it changed to or from the model's; otherwise the distance of the likelihood from the model's
    probability in percent does.
    """
    if before == after:
        return Direction.UNCHANGED
    outcome = (answer or {}).get("outcome", "")
    if answer is None or outcome not in ANSWERS:
        return Direction.NO_ANSWER
    agreed, agrees = (agreement(outcome, reading) for reading, _ in (before, after))
    if agreed != agrees:
        return Direction.TOWARDS if agrees else Direction.AWAY
    probability = answer.get("malignant_probability")
    if probability is None or before[1] is None or after[1] is None:
        return Direction.SIDEWAYS
    gained = abs(before[1] - 100 * probability) - abs(after[1] - 100 * probability)
    if not gained:
        return Direction.SIDEWAYS
    return Direction.TOWARDS if gained > 0 else Direction.AWAY
