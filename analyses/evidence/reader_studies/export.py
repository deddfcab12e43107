"""All readings of a closed reader study as a ZIP of two CSV files: the readings and the dictionary of their columns."""

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.csv_lines import csv_lines
from accounts.models import User
from accounts.permissions import Action, require
from analyses.answers.suspicion import rank
from analyses.errors import Conflict
from analyses.models import Outcome, ReaderStudy, ReaderStudyReading

Row = ReaderStudyReading


@dataclass(frozen=True)
class Column:
    """One column: what the dictionary says of it, and how it is read."""

    name: str
    kind: str
    values: str
    meaning: str
    read: Callable[[Row], Any]


def _answer(row: Row) -> dict[str, Any]:
    """The most suspicious kept answer of the case."""
    answers = [film["answer"] for film in row.study_case.films]
    return min(answers, key=lambda answer: rank(answer["outcome"], answer["malignant_probability"]), default={})


def _model_probability(row: Row) -> str:
    answer = _answer(row)
    value = answer.get("malignant_probability")
    return "" if value is None or answer["outcome"] == Outcome.WITHHELD else f"{value:.4f}"


def _model(row: Row) -> str:
    answer = _answer(row)
    return f"{answer['model_name']}-{answer['model_version']}" if answer.get("model_name") else ""


def _moment(moment: datetime | None) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds") if moment else ""


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


COLUMNS: tuple[Column, ...] = (
    Column("reader", "integer", "from 1", "Number of the reader in the study.", lambda r: r.reader.number),
    Column("case", "integer", "from 1", "Number of the case in the study.", lambda r: r.study_case.number),
    Column(
        "truth",
        "word",
        "normal, benign, malignant",
        "Reference standard of the case, as entered for the study.",
        lambda r: r.study_case.truth,
    ),
    Column(
        "condition",
        "word",
        "without, with",
        "Whether the model's answer was shown with the films.",
        lambda r: r.condition,
    ),
    Column("session", "integer", "1, 2", "Session; the wash-out separates the two sessions.", lambda r: r.session),
    Column("position", "integer", "from 1", "Position in the reader's order in the session.", lambda r: r.position),
    Column(
        "reading",
        "word",
        "normal, benign, malignant, cannot_tell; empty: not read",
        "The reader's call.",
        lambda r: r.reading,
    ),
    Column(
        "likelihood",
        "integer",
        "0 to 100; empty: cannot tell, or not read",
        "Likelihood of malignancy stated by the reader; the score of the analysis.",
        lambda r: _or_empty(r.likelihood),
    ),
    Column(
        "opened_at",
        "time",
        "ISO 8601 with offset; empty: never opened",
        "When the case was first shown to the reader in this condition.",
        lambda r: _moment(r.opened_at),
    ),
    Column(
        "submitted_at",
        "time",
        "ISO 8601 with offset; empty: not read",
        "When the reading was submitted.",
        lambda r: _moment(r.submitted_at),
    ),
    Column(
        "time_s",
        "number",
        "seconds; empty: not read",
        "From the first showing to the submission, interruptions included.",
        lambda r: "" if r.time_s is None else f"{r.time_s:.1f}",
    ),
    Column(
        "washout_waived",
        "integer",
        "0, 1",
        "Whether an administrator waived the wash-out before session 2.",
        lambda r: int(r.reader.washout_waived_at is not None),
    ),
    Column("films", "integer", "from 1", "Number of films shown.", lambda r: len(r.study_case.films)),
    Column(
        "model_outcome",
        "word",
        "normal, benign, malignant, withheld, not_analysable; empty: failed",
        "The model's answer for the most suspicious film, as stored at the start; shown only in the condition with.",
        lambda r: _answer(r).get("outcome", ""),
    ),
    Column(
        "model_probability",
        "number",
        "0 to 1; empty: none, or withheld",
        "The model's calibrated probability of malignancy for that film.",
        _model_probability,
    ),
    Column("model", "text", "name-version", "Name and version of the model.", _model),
)
DICTIONARY_HEAD = ("column", "type", "values", "meaning")


def export(reader_study: ReaderStudy, by: User) -> bytes:
    """The ZIP; recorded.

    Raises:
        Conflict: ``not_closed``.
    """
    require(by, Action.MANAGE_READER_STUDIES)
    if not reader_study.is_closed:
        raise Conflict("not_closed", _("The readings can be exported after the study has been closed."))
    rows = list(
        ReaderStudyReading.objects.filter(reader__reader_study=reader_study)
        .select_related("reader")
        .prefetch_related("study_case")
        .order_by("reader__number", "session", "position")
    )
    audit.record(
        "export_reader_study", user=by, obj=reader_study, department=reader_study.department, detail={"rows": len(rows)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        head = [column.name for column in COLUMNS]
        archive.writestr("readings.csv", _csv([head, *([column.read(row) for column in COLUMNS] for row in rows)]))
        words = ([column.name, column.kind, column.values, column.meaning] for column in COLUMNS)
        archive.writestr("data-dictionary.csv", _csv([DICTIONARY_HEAD, *words]))
    return buffer.getvalue()


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    return "".join(csv_lines(rows))
