"""Writes docs/dicom.md from the tables in code: `python -m scripts.dicom_document > docs/dicom.md`."""

from __future__ import annotations

import sys
from itertools import groupby

from inference.imaging.dicom.elements import TABLE, UNKNOWN, Element, Use
from inference.imaging.dicom.meta import SYNTAXES, Syntax
from inference.imaging.limits import DECODE_WARNINGS

_HEAD = """\
# What is done with a DICOM file

Written from `inference/imaging/dicom/elements.py`, `meta.py` and `inference/imaging/limits.py` by
`.venv/bin/python -m scripts.dicom_document > docs/dicom.md`; a test compares.
What to do after a refusal stands in [operating.md](operating.md);
`make compare-dicom` compares the pictures with those of another reader.

One object is one film: one frame of grey, palette or colour pixels. Colour becomes luminance (ITU-R BT.601).

## Transfer syntaxes

The stream itself decides how it is decoded: its depth, sign, colours and kind of compression go before the header's.
Where both disagree the image is read with the remark `codestream_contradicts`. An offset table is not used, an end mark
is not needed; where coded data is missing the film is refused as `truncated`.
A file without a meta header is read as what its first element and its pixels look like.

| transfer syntax | name | what is done |
|---|---|---|
"""
_ELEMENTS = """
## Elements that say how to read or to show pixels

*read*: it decides what is shown. *refused*, *remarked*: with this code; a remark stands on the page of the case.
*ignored*: it cannot change the picture. Any other element of the groups 0028, 0070, 2050, 7FE0, 50xx and 60xx is
remarked on with `{unknown}`.

| element | name | what is done | how, or why not | source |
|---|---|---|---|---|
"""
_REMARKS = """
## Remarks

| code | what the page says |
|---|---|
"""


def document() -> str:
    """Return the whole page."""
    return "".join(
        [
            _HEAD,
            *map(_syntax_row, _merged(SYNTAXES)),
            _ELEMENTS.format(unknown=UNKNOWN),
            *(_element_row(element) for use in Use for element in sorted(_of(use), key=lambda row: row.tag)),
            _REMARKS,
            *(f"| `{code}` | {words} |\n" for code, words in sorted(DECODE_WARNINGS.items())),
        ]
    )


def _of(use: Use) -> list[Element]:
    return [element for element in TABLE if element.use is use]


def _merged(syntaxes: tuple[Syntax, ...]) -> list[list[Syntax]]:
    """Return neighbours of one name as one row."""
    return [list(group) for _, group in groupby(syntaxes, key=lambda syntax: syntax.name)]


def _syntax_row(group: list[Syntax]) -> str:
    first, last = group[0], group[-1]
    numbers = f"`{first.uid}`" if first is last else f"`{first.uid}` to `.{last.uid.rsplit('.', 1)[1]}`"
    return f"| {numbers} | {first.name} | {f'refused: `{first.refusal}`' if first.refusal else 'read'} |\n"


def _element_row(row: Element) -> str:
    done = f"{row.use}: `{row.code}`" if row.code else str(row.use)
    but = f", unless {' or '.join(row.quiet)}" if row.quiet else ""
    return f"| {row.shown_tag} | {row.keyword} | {done}{but} | {row.note} | {row.source} |\n"


if __name__ == "__main__":
    sys.stdout.write(document())
