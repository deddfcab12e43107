"""Which outcomes of the model are an answer, and which reading agrees with each."""

from analyses.models import Outcome, Reading

READINGS: dict[str, str] = {
    Outcome.NORMAL: Reading.NORMAL,
    Outcome.BENIGN: Reading.BENIGN,
    Outcome.MALIGNANT: Reading.MALIGNANT,
}
# What a reading can agree with: neither a refusal by the gate nor an answer that is withheld.
ANSWERS = tuple(READINGS)


def agreeing_reading(outcome: str) -> str:
    """The reading that agrees with an outcome; empty where there is no answer to agree with."""
    return READINGS.get(outcome, "")


def agreement(outcome: str, reading: str) -> bool | None:
    """Whether a reading agrees with the model's outcome; None where there is none to agree with."""
    return READINGS[outcome] == reading if outcome in READINGS else None
