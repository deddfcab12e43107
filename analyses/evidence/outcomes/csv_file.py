"""An outcomes file as text: its columns, and each line's values or what is wrong with them. Knows no case yet."""

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.csv_lines import FORMULA_STARTS, SEPARATOR_LINE, decoded
from analyses.errors import Invalid
from analyses.evidence.outcomes.services import OutcomeFields

MAX_BYTES, MAX_ROWS = 2 * 1024 * 1024, 5000
KEYS = ("case", "accession_number", "patient_id", "study_date")
NEEDED = ("method", "date", "truth")
COLUMNS = (*KEYS, "method", "date", "source", "truth", "subtype", "grade", "stage")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True)
class CaseKey:
    """How a line names its case; empty where it does not use that way."""

    case: UUID | None = None
    accession_number: str = ""
    patient_id: str = ""
    study_date: date | None = None


@dataclass(frozen=True)
class FileLine:
    """One line of the file, or why it cannot be read (``problem``)."""

    number: int  # as an editor counts
    label: str  # how it names its case, for the answer
    key: CaseKey = CaseKey()
    fields: OutcomeFields | None = None
    problem: str = ""


def read_lines(data: bytes) -> list[FileLine]:
    """The lines below the head; blank ones are left out.

    Raises:
        Invalid: ``bad_file``: too large, not UTF-8 text or UTF-16 with its mark, no head, unknown columns, no or
            too many lines.
    """
    text, separator, above = _separated(_text(data))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        head = _head(next(reader, []))
        lines = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append(_line(above + reader.line_num, head, cells))
                if len(lines) > MAX_ROWS:
                    raise _bad(_("The file has more than %(most)s lines. Split it.") % {"most": MAX_ROWS})
    except csv.Error as error:
        message = _("Line %(line)s cannot be read: a quotation mark is not closed, or a cell is too long.")
        raise _bad(message % {"line": above + reader.line_num}) from error
    if not lines:
        raise _bad(_("The file has no line below the header."))
    return lines


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _bad(_("The file is larger than %(most)s MB. Split it.") % {"most": MAX_BYTES // 1024 // 1024})
    try:
        text = decoded(data)
    except UnicodeDecodeError as error:
        raise _bad(_("The file is not UTF-8 text. Save it as CSV UTF-8.")) from error
    if "\x00" in text:
        raise _bad(_("The file is not a text file. Save the table as CSV UTF-8."))
    return text


def _separated(text: str) -> tuple[str, str, int]:
    """The text from its head on, what separates its cells, and how many lines stand above the head."""
    if named := SEPARATOR_LINE.match(text):
        return text[named.end() :], named[1], 1
    head = next((line for line in text.splitlines() if line), "")
    return text, max(",", ";", "\t", key=head.count), 0


def _head(cells: list[str]) -> list[str]:
    names = ["_".join(cell.lower().split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    unknown = [name[:40] for name in names if name not in COLUMNS]
    if unknown:
        said = _("Unknown columns: %(names)s. Name the columns in the first line as in the template.")
        raise _bad(said % {"names": ", ".join(unknown[:5])})
    missing = [name for name in NEEDED if name not in names]
    if missing or not set(names) & {"case", "accession_number", "patient_id"}:
        wanted = ", ".join(missing) or _("one of case, accession_number, patient_id")
        said = _("Missing columns: %(names)s. Name the columns in the first line as in the template.")
        raise _bad(said % {"names": wanted})
    if len(set(names)) < len(names):
        raise _bad(_("A column appears twice in the header."))
    return names


def _line(number: int, head: list[str], cells: list[str]) -> FileLine:
    surplus = [cell for cell in cells[len(head) :] if cell.strip()]
    given = dict(zip(head, (_cell(text) for text in cells), strict=False))
    label = " ".join(given[name] for name in KEYS if given.get(name))[:120]
    if surplus:  # fewer cells are the rule: spreadsheet programs leave out empty ones at the end
        said = _("The line has %(cells)s cells, the header has %(head)s.") % {"cells": len(cells), "head": len(head)}
        return FileLine(number, label, problem=said)
    try:
        return FileLine(number, label, _key(given), _fields(given))
    except ValueError as error:
        return FileLine(number, label, problem=str(error))


def _cell(text: str) -> str:
    """The cell's text; the apostrophe that keeps a spreadsheet from taking it for a formula is no part of it."""
    text = text.strip()
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text


def _key(given: dict[str, str]) -> CaseKey:
    case, day = given.get("case", ""), given.get("study_date", "")
    accession, record = given.get("accession_number", ""), given.get("patient_id", "")
    if not (case or accession or record):
        raise ValueError(_("No case given: fill in case, accession_number, or patient_id with study_date."))
    if max(len(accession), len(record)) > 64:
        raise ValueError(_("A record or accession number has at most 64 characters."))
    try:
        identifier = UUID(case) if case else None
    except ValueError:
        raise ValueError(_("case is not an identifier from the case export.")) from None
    return CaseKey(identifier, accession, record, read_day("study_date", day) if day else None)


def _fields(given: dict[str, str]) -> OutcomeFields:
    day = given.get("date", "")
    return OutcomeFields(
        truth=_code(given.get("truth", "")),
        method=_code(given.get("method", "")),
        established_on=read_day("date", day) if day else None,
        source=given.get("source", ""),
        subtype=given.get("subtype", ""),
        tumour_grade=given.get("grade", "").upper(),
        tumour_stage=given.get("stage", "").upper(),
    )


def _code(text: str) -> str:
    return "_".join(text.lower().replace("-", " ").replace("_", " ").split())


def read_day(name: str, text: str) -> date:
    """A date written 2026-03-02 or 2.3.2026; ValueError with a sentence otherwise."""
    iso, german = _ISO.fullmatch(text), _GERMAN.fullmatch(text)
    try:
        if iso:
            return date(*map(int, iso.groups()))
        if german:
            day, month, year = map(int, german.groups())
            return date(year, month, day)
    except ValueError:
        pass
    raise ValueError(_("%(column)s is not a date such as 2026-03-02 or 02.03.2026.") % {"column": name})


def _bad(message: str) -> Invalid:
    return Invalid("bad_file", message, fields={"file": [message]})
