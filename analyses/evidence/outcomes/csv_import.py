"""Outcomes from a CSV file: an answer to every line, and either all of them stored or none."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from accounts.spelling import normal_number
from analyses.errors import Invalid
from analyses.evidence.outcomes import services as outcomes
from analyses.evidence.outcomes.csv_file import CaseKey, FileLine, read_lines
from analyses.models import CaseOutcome, Study, Truth
from analyses.models.querysets import StudyQuerySet
from analyses.record import cases


class RowAnswer(models.TextChoices):
    """What a line meets."""

    ACCEPTED = "accepted", gettext_lazy("accepted")
    UNCHANGED = "unchanged", gettext_lazy("already stored")
    UNKNOWN = "unknown", gettext_lazy("unknown case")
    AMBIGUOUS = "ambiguous", gettext_lazy("ambiguous")
    CONTRADICTORY = "contradictory", gettext_lazy("contradictory")
    MALFORMED = "malformed", gettext_lazy("malformed")
    NOT_SIGNED = "not_signed", gettext_lazy("not signed")


# How a line names its case, and where the case keeps that.
WAYS = {"case": "pk", "accession_number": "accession_number_normal", "patient_id": "patient__patient_id_normal"}
FINE = (RowAnswer.ACCEPTED, RowAnswer.UNCHANGED)
UNKNOWN = gettext_lazy("Your department has no case with this number.")
AMBIGUOUS = gettext_lazy(
    "%(cases)s cases of your department match. Add study_date, or identify the case by case or accession_number."
)


@dataclass(frozen=True)
class Judged:
    """A line with its answer; ``study`` and ``fields`` only where it may be stored."""

    line: FileLine
    answer: RowAnswer
    message: str = ""
    study: Study | None = None
    fields: outcomes.OutcomeFields | None = None
    current: CaseOutcome | None = None


@dataclass(frozen=True)
class ImportResult:
    """The answers to all lines, and whether they were stored."""

    rows: list[Judged]
    stored: bool

    def count(self, answer: str) -> int:
        return sum(row.answer == answer for row in self.rows)


@transaction.atomic
def import_outcomes(data: bytes, *, user: User, correct: bool = False) -> ImportResult:
    """Store the outcomes of a file if every line is fine; otherwise store none and say what is wrong with which.

    The same file again finds every outcome already there and changes nothing.

    Args:
        data: the bytes of the file, see ``outcome_csv``.
        correct: whether lines may correct outcomes that are there; else such lines are contradictory.

    Raises:
        Invalid: ``bad_file``.
    """
    require(user, Action.ENTER_OUTCOMES)
    lines = read_lines(data)
    found = _Cases(lines, user)
    rows = _without_twins([_judge(line, found, correct) for line in lines])
    stored = all(row.answer in FINE for row in rows)
    if stored:
        accepted = [row for row in rows if row.answer == RowAnswer.ACCEPTED]
        outcomes.store([(row.study, row.fields, row.current) for row in accepted if row.study and row.fields], user)
    result = ImportResult(rows, stored)
    counts = {answer.value: result.count(answer) for answer in RowAnswer if result.count(answer)}
    audit.record("import_outcomes", user=user, detail={"stored": stored, "lines": len(rows)} | counts)
    return result


class _Cases:
    """The cases of the user's department that a file names, locked until the transaction ends."""

    def __init__(self, lines: Iterable[FileLine], user: User) -> None:
        mine = Study.objects.for_user(user)
        self.studies: dict[UUID, Study] = {}
        self.current: dict[UUID, CaseOutcome] = {}
        ordered = sorted(_named_cases([line.key for line in lines if not line.problem], mine))
        for start in range(0, len(ordered), outcomes.CHUNK):
            part = ordered[start : start + outcomes.CHUNK]
            held = list(mine.select_for_update(no_key=True).filter(pk__in=part).order_by("pk").values_list("pk"))
            # Who waited for a lock looks again: the case may be another patient's now, or be gone.
            fresh = mine.filter(pk__in=[pk for (pk,) in held]).select_related("patient")
            self.studies |= {study.pk: study for study in fresh}
            rows_now = CaseOutcome.objects.filter(study__in=part, is_current=True)
            self.current |= {row.study_id: row for row in rows_now}
        self._by: dict[tuple[str, Any], set[UUID]] = defaultdict(set)
        for study in self.studies.values():
            for name, value in zip(WAYS, (study.pk, study.accession_number, study.record_number), strict=True):
                self._by[name, _looked_up(value)].add(study.pk)

    def named(self, key: CaseKey) -> tuple[list[Study], bool]:
        """The cases that a line means, and whether each of its ways finds one (but not together the same)."""
        ways = [(name, _looked_up(getattr(key, name))) for name in WAYS if getattr(key, name)]
        sets = [self._by.get(way, set()) for way in ways]
        if not all(sets):
            return [], False
        both = [self.studies[pk] for pk in set.intersection(*sets)]
        if key.study_date is None:
            return both, True
        dated = [study for study in both if study.study_date == key.study_date]
        # A date narrows a record number down; beside a number of the case itself it is a check.
        return dated, bool(dated) or key.case is not None or bool(key.accession_number)


def _named_cases(keys: list[CaseKey], mine: StudyQuerySet) -> set[UUID]:
    """The cases that any of the keys names in one way."""
    found: set[UUID] = set()
    for name, field in WAYS.items():
        values = sorted({_looked_up(getattr(key, name)) for key in keys if getattr(key, name)})
        for start in range(0, len(values), outcomes.CHUNK):
            rows = mine.filter(**{f"{field}__in": values[start : start + outcomes.CHUNK]})
            found.update(rows.order_by().values_list("pk", flat=True))
    return found


def _looked_up(value: Any) -> Any:
    """A number in the form in which the record looks it up; a case's own id as it is."""
    return normal_number(value) if isinstance(value, str) else value


def _judge(line: FileLine, found: _Cases, correct: bool) -> Judged:
    if line.problem or line.fields is None:
        return Judged(line, RowAnswer.MALFORMED, line.problem)
    named, each = found.named(line.key)
    if len(named) > 1:
        return Judged(line, RowAnswer.AMBIGUOUS, AMBIGUOUS % {"cases": len(named)})
    if not named:
        if each:
            mixed = _("The numbers and the date in this line belong to different cases.")
            return Judged(line, RowAnswer.CONTRADICTORY, mixed)
        return Judged(line, RowAnswer.UNKNOWN, str(UNKNOWN))
    study = named[0]
    try:
        fields = outcomes.cleaned(line.fields, study.patient.patient_birth_date if study.patient else None)
    except Invalid as error:
        kind = RowAnswer.CONTRADICTORY if error.code == "contradiction" else RowAnswer.MALFORMED
        return Judged(line, kind, error.message)
    if not cases.is_signed(study):
        return Judged(line, RowAnswer.NOT_SIGNED, str(outcomes.NOT_SIGNED))
    return _against_record(line, study, fields, found.current.get(study.pk), correct)


def _against_record(
    line: FileLine, study: Study, fields: outcomes.OutcomeFields, current: CaseOutcome | None, correct: bool
) -> Judged:
    if current is not None and outcomes.fields_of(current) == fields:
        return Judged(line, RowAnswer.UNCHANGED, "", study, fields, current)
    if current is None:
        return Judged(line, RowAnswer.ACCEPTED, "", study, fields)
    there = {
        "truth": str(Truth(current.truth).label).lower(),
        "day": date_format(current.established_on, "SHORT_DATE_FORMAT"),
    }
    if not correct:
        said = _("The case already has a different outcome (%(truth)s, %(day)s). To correct it, allow corrections.")
        return Judged(line, RowAnswer.CONTRADICTORY, said % there)
    return Judged(line, RowAnswer.ACCEPTED, _("Corrects %(truth)s of %(day)s.") % there, study, fields, current)


def _without_twins(rows: list[Judged]) -> list[Judged]:
    """A second line about a case must say the same; then it is already there, else both contradict each other."""
    by_case: dict[UUID, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.study is not None:
            by_case[row.study.pk].append(index)
    judged = list(rows)
    for twins in (indexes for indexes in by_case.values() if len(indexes) > 1):
        same = all(rows[index].fields == rows[twins[0]].fields for index in twins)
        numbers = ", ".join(str(rows[index].line.number) for index in twins)
        differ = _("Lines %(lines)s contradict each other about the same case.") % {"lines": numbers}
        for index in twins[1:] if same else twins:
            row = rows[index]
            judged[index] = (
                Judged(
                    row.line,
                    RowAnswer.UNCHANGED,
                    _("Same content as line %(line)s.") % {"line": rows[twins[0]].line.number},
                )
                if same
                else Judged(row.line, RowAnswer.CONTRADICTORY, differ)
            )
    return judged
