"""What a DICOM file says its picture is of: modality, kind of object and body part, as text and as code."""

from __future__ import annotations

import contextlib
from typing import Any

from pydicom.dataset import Dataset

from inference.imaging.dicom.identity import TEXT_CHARS, clean_text, value_of

KEYWORDS = ("SOPClassUID", "AnatomicRegionSequence")


def read_use(ds: Dataset) -> dict[str, Any]:
    """Return modality, body_part_examined and sop_class as texts, anatomic_region as value, scheme and meaning.

    Empty where the file says nothing; whatever is malformed says nothing, since the picture can be read all the same.
    """
    return {
        "modality": _text(ds, "Modality").upper(),
        "body_part_examined": _text(ds, "BodyPartExamined").upper(),
        "sop_class": _text(ds, "SOPClassUID"),
        "anatomic_region": _region(ds),
    }


def _region(ds: Dataset) -> dict[str, str]:
    """The first item of Anatomic Region Sequence (0008,2218), as a code (PS3.3, 8.8)."""
    items = value_of(ds, "AnatomicRegionSequence")
    try:
        code = items[0]
    except (TypeError, IndexError, KeyError):
        return {}
    if not isinstance(code, Dataset):
        return {}
    named = {"value": "CodeValue", "scheme": "CodingSchemeDesignator", "meaning": "CodeMeaning"}
    return {key: _text(code, keyword) for key, keyword in named.items()}


def _text(ds: Dataset, keyword: str) -> str:
    """The element as one clean line; of several values the first.

    A code string knows plain letters only (PS3.5, 6.2); where a device wrote others, they are UTF-8 as a rule, which
    the reader took for Latin letters.
    """
    value = value_of(ds, keyword)
    if value is not None and not isinstance(value, str) and hasattr(value, "__getitem__"):
        value = value[0]
    text = "" if value is None else str(value)
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    return clean_text(text, TEXT_CHARS)
