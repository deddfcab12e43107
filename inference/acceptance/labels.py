"""The table of an acceptance set: which film is what, and of whom; and whether the films suffice for the rule."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from inference.acceptance.rule import AcceptanceRule
from inference.calibration import OUTCOMES
from inference.errors import DataError

CLEAR = OUTCOMES[0]
MAX_BYTES, MAX_ROWS = 2 * 1024 * 1024, 5000
FILE_COLUMNS, LABEL_COLUMNS, PATIENT_COLUMNS = ("file", "image_id", "film"), ("label", "truth"), ("patient", "group_id")
# Other ways to say that a film shows no tumour.
_CLEAR_WORDS = {CLEAR, "tumour_free", "tumor_free", "no_tumour", "no_tumor"}
_SEPARATOR_LINE = re.compile(r'"?sep=([;,\t])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class LabelledFile:
    """One row: the file's name without folder and ending, in small letters; its label; its patient's number."""

    line: int
    name: str
    label: str
    patient: int


def name_key(text: str) -> str:
    """Return what file names are compared by: the last part without ending, in small letters."""
    name = PurePath(text.strip().replace("\\", "/")).name
    stem, dot, ending = name.rpartition(".")
    return (stem if dot and stem and 1 <= len(ending) <= 5 and not ending.isdigit() else name).casefold()


def read_labels(data: bytes) -> list[LabelledFile]:
    """Read a CSV (UTF-8 or UTF-16 with its mark; comma, semicolon or tab) with the columns file, label and, perhaps,
    patient. Patients become numbers; without the column each film counts as a patient of its own.

    Raises:
        DataError: ``bad_labels``: no such table, an unknown label, a name that occurs twice.
    """
    text = _text(data)
    named = _SEPARATOR_LINE.match(text)
    above = 1 if named else 0
    text = text[named.end() :] if named else text
    head_line = next((line for line in text.splitlines() if line.strip()), "")
    separator = named[1] if named else max(",", ";", "\t", key=head_line.count)
    try:
        rows = [
            (above + number, row)
            for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise _bad("The label file cannot be read as CSV.") from error
    if len(rows) < 2:
        raise _bad("The label file has no row below its header.")
    if len(rows) - 1 > MAX_ROWS:
        raise _bad(f"The label file has more than {MAX_ROWS} rows.")
    places = _places(rows[0][1])
    found: list[LabelledFile] = []
    patients: dict[str, int] = {}
    seen: set[str] = set()
    for line, row in rows[1:]:
        one = _labelled(line, row, places, patients, number=len(found))
        if one.name in seen:
            raise _bad(f"Line {line}: this file name occurs twice.")
        seen.add(one.name)
        found.append(one)
    return found


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _bad("The label file is larger than 2 MB.")
    try:
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad("The label file is not UTF-8 text.") from error
    if "\x00" in text:
        raise _bad("The label file is not UTF-8 text.")
    return text


def _places(head: list[str]) -> tuple[int, int, int | None]:
    names = ["_".join(cell.strip().lower().split()) for cell in head]

    def place(known: tuple[str, ...]) -> int | None:
        return next((names.index(name) for name in known if name in names), None)

    file, label = place(FILE_COLUMNS), place(LABEL_COLUMNS)
    if file is None or label is None:
        raise _bad("The label file needs the columns file and label; patient is optional.")
    return file, label, place(PATIENT_COLUMNS)


def _labelled(
    line: int, row: list[str], places: tuple[int, int, int | None], patients: dict[str, int], number: int
) -> LabelledFile:
    def cell(place: int | None) -> str:
        return row[place].strip() if place is not None and place < len(row) else ""

    name, label, patient = name_key(cell(places[0])), "_".join(cell(places[1]).lower().split()), cell(places[2])
    if not name:
        raise _bad(f"Line {line}: no file name.")
    label = CLEAR if label.replace("-", "_") in _CLEAR_WORDS else label
    if label not in OUTCOMES:
        raise _bad(f"Line {line}: the label must be normal, benign or malignant.")
    # A film whose patient nobody names is held to be of one of its own.
    key = f"named {patient}" if patient else f"line {number}"
    return LabelledFile(line, name, label, patients.setdefault(key, len(patients)))


def _bad(message: str) -> DataError:
    return DataError("bad_labels", message)


def require_enough(labels: Iterable[str], rule: AcceptanceRule) -> None:
    """Refuse a set that the rule cannot be applied to.

    Raises:
        DataError: ``one_class`` or ``too_few_films``, with the counts.
    """
    counts = Counter(labels)
    clear, tumours = counts[CLEAR], sum(counts[name] for name in OUTCOMES if name != CLEAR)
    if not clear or not tumours:
        raise DataError(
            "one_class",
            f"The set has {clear} tumour-free films and {tumours} films with a tumour: an acceptance needs both.",
        )
    if clear < rule.least_tumour_free or tumours < rule.least_tumours:
        raise DataError(
            "too_few_films",
            f"The set has {clear} tumour-free films and {tumours} films with a tumour; the model's rule needs at least "
            f"{rule.least_tumour_free} and {rule.least_tumours}.",
        )
