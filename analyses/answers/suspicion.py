"""The one order of suspicion, by which lists, case page and report put films and cases.

A withheld answer stands after the malignant ones and before the benign: the model could not rule malignancy out, so the
film is read before those that it answered. Among each other withheld films stand by P(malignant), which nobody is shown
as an answer.
"""

from analyses.models import Outcome

SUSPICION = (Outcome.MALIGNANT, Outcome.WITHHELD, Outcome.BENIGN, Outcome.NORMAL, Outcome.NOT_ANALYSABLE)


def rank(outcome: str, malignant_probability: float | None) -> tuple[int, float]:
    """Sort key: the most suspicious outcome first, then the higher probability; no outcome comes last."""
    place = SUSPICION.index(Outcome(outcome)) if outcome in SUSPICION else len(SUSPICION)
    return place, -(malignant_probability or 0.0)
