"""What tells one task's answers from another's: outcomes, what is looked for, its cut-off, and the order of suspicion.

The case, its reading and its place in the worklist are about the tumour; other tasks answer beside it, never mixed.
"""

from collections.abc import Iterable
from typing import Any

from django.utils.text import capfirst

from analyses.answers.agreement import ANSWERS
from analyses.answers.suspicion import rank
from analyses.models import Analysis, FractureOutcome, Outcome, Status, Task

# The class whose probability an answer is ordered and drawn by, and the name of its cut-off in an operating point.
SOUGHT: dict[str, tuple[str, str]] = {Task.TUMOUR: ("malignant", "malignant"), Task.FRACTURE: ("fracture", "finding")}
_NO_ANSWER = (Outcome.WITHHELD, Outcome.NOT_ANALYSABLE)
_FRACTURE_SUSPICION = (FractureOutcome.FRACTURE, Outcome.WITHHELD, FractureOutcome.NO_FRACTURE, Outcome.NOT_ANALYSABLE)


def outcomes_of(task: str) -> list[tuple[str, str]]:
    """What a model of this task can say, each with its words."""
    if task != Task.FRACTURE:
        return [(str(value), str(label)) for value, label in Outcome.choices]
    return [(outcome.value, str(outcome.label)) for outcome in (*FractureOutcome, *_NO_ANSWER)]


def task_word(task: str) -> str:
    """A task as a heading."""
    return str(capfirst(str(dict(Task.choices).get(task, task))))


def is_answer(outcome: str) -> bool:
    """Whether an outcome of any task is an answer: neither a refusal by the gate nor one that is withheld."""
    return outcome in ANSWERS or outcome in FractureOutcome.values


def sought_in(task: str, probabilities: dict[str, Any] | None) -> float | None:
    """The probability of what this task looks for; None where there is none."""
    return (probabilities or {}).get(SOUGHT.get(task, SOUGHT[Task.TUMOUR])[0])


def cut_off_of(analysis: Analysis) -> float | None:
    """The cut-off that this answer's probability was compared with; None where its operating point states none."""
    return (analysis.operating_point or {}).get(SOUGHT.get(analysis.task, SOUGHT[Task.TUMOUR])[1])


def suspicion(analysis: Analysis) -> tuple[int, float]:
    """Sort key among answers of one task: the most suspicious first."""
    if analysis.task != Task.FRACTURE:
        return rank(analysis.outcome, analysis.malignant_probability)
    known = [str(outcome) for outcome in _FRACTURE_SUSPICION]
    place = known.index(analysis.outcome) if analysis.outcome in known else len(known)
    return place, -(sought_in(analysis.task, analysis.probabilities) or 0.0)


def standing(analyses: Iterable[Analysis]) -> Analysis | None:
    """The answer that a case shows of one task: the most suspicious; one that waits only where there is no answer."""
    rows = list(analyses)
    answered = [row for row in rows if row.status == Status.SUCCEEDED]
    return min(answered or rows, key=suspicion, default=None)
