"""CSV as spreadsheet programs read and write it: sent line by line, and with no cell that they take for a formula."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

BYTE_ORDER_MARK = "\ufeff"  # so that spreadsheet programs read UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# A first line such as `sep=;` names the separator to spreadsheet programs and is no row.
SEPARATOR_LINE = re.compile(r'"?sep=([;,\t])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


class _Echo:
    """What csv.writer writes to: hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The lines of a file, one for each row, as they are asked for; before them the mark of UTF-8."""
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK
    for row in rows:
        yield writer.writerow(row)


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 that begins with its mark; UnicodeDecodeError for any other."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def safe_cell(value: Any) -> str:
    """Text that a spreadsheet program does not take for a formula (OWASP, CSV injection)."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
