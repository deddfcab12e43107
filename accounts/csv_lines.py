"""Rows as CSV: sent line by line, and with no cell that a spreadsheet takes for a formula."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

BYTE_ORDER_MARK = "\ufeff"  # so that spreadsheet programs read UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv.writer writes to: hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The lines of a file, one for each row, as they are asked for."""
    writer = csv.writer(_Echo())
    return (writer.writerow(row) for row in rows)


def safe_cell(value: Any) -> str:
    """Text that a spreadsheet program does not take for a formula (OWASP, CSV injection)."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
