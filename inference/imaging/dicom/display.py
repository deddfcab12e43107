"""A DICOM object's values for the viewer: after modality LUT or rescale, before any window (PS3.3, C.11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from inference.imaging.dicom.grey import (
    is_inverted,
    modality_values,
    numbers_of,
    padding_edges,
    parts_of,
)
from inference.imaging.dicom.identity import clean_text
from inference.imaging.dicom.pixels import Frame
from inference.imaging.dicom.tables import looked_up, lut_top, read_lut
from inference.imaging.display import Values, quantised, values_of

MAX_WINDOWS = 8
# A larger table would not fit into the answer's head; such a film is shown by a window.
MAX_LUT_ENTRIES = 4096
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def values_of_dicom(frame: Frame, ds: Dataset, found: Sequence[str], outside: np.ndarray | None = None) -> Values:
    """Return the values of a frame; colour has none beyond its luminance, the canonical image.

    Args:
        found: what reading the grey picture remarked; says whether the file's own window or table was used.
        outside: bool (H, W), what the display shutter covers; None where there is none.
    """
    stored, photometric = frame.values, frame.photometric
    if stored.ndim != 2 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return Values()
    facts = _facts(frame, ds, found)
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        deep = modality_values(stored.astype(np.float64), ds, [])
        return quantised(_covered(deep, outside, facts, deep.min(), deep.max()), **facts)
    low, high = int(stored.min()), int(stored.max())
    meant = modality_values(np.arange(low, high + 1, dtype=np.float64), ds, [])
    if "ModalityLUTSequence" in ds and not np.array_equal(meant, np.arange(low, high + 1)):
        mapped = looked_up(meant.astype(np.uint16), stored, low)
        return values_of(_covered(mapped, outside, facts, mapped.min(), mapped.max()), **facts)
    step = float(meant[1] - meant[0]) if meant.size > 1 else 1.0
    index = _covered(looked_up(np.arange(high - low + 1).astype(np.uint16), stored, low), outside, facts, 0, high - low)
    return values_of(index, scale=step, offset=float(meant[0]), padding=_padding(ds, low, high), **facts)


def _covered(
    values: np.ndarray, outside: np.ndarray | None, facts: dict[str, Any], low: float, high: float
) -> np.ndarray:
    """Give what a shutter covers the value that every window shows black."""
    if outside is not None:
        values[outside] = high if facts["inverted"] else low
    return values


def _padding(ds: Dataset, low: int, high: int) -> list[int] | None:
    """The padding's edges as numbers of the shifted array; None where there is none or nothing else would be left."""
    edges = padding_edges(ds)
    if edges is None or edges[1] < low or edges[0] > high or (edges[0] <= low and edges[1] >= high):
        return None
    return [max(0, int(edges[0]) - low), min(high, int(edges[1])) - low]


def _facts(frame: Frame, ds: Dataset, found: Sequence[str]) -> dict[str, Any]:
    windows = windows_of(ds)
    table = voi_lut_of(ds, signed_input=bool(frame.values.min() < 0))
    automatic = "no_window" in found or "window_unusable" in found
    default = "auto" if automatic else "voi_lut" if table else "window" if windows else "auto"
    return {
        "bits": frame.bits,
        "inverted": is_inverted(frame.photometric, ds),
        "unit": "HU" if clean_text(ds.get("RescaleType", "")).upper() == "HU" else "",
        "windows": windows,
        "voi_lut": table,
        "default": default,
    }


def windows_of(ds: Dataset) -> list[dict[str, Any]]:
    """Return the usable windows that the file states, each with center, width, function and explanation."""
    stated = clean_text(ds.get("VOILUTFunction", "")).upper()
    function = stated if stated in _FUNCTIONS else "LINEAR"
    words = _texts(ds, "WindowCenterWidthExplanation")
    pairs = zip(numbers_of(ds, "WindowCenter"), numbers_of(ds, "WindowWidth"), strict=False)
    found = []
    for number, (center, width) in enumerate(pairs):
        if np.isfinite(center) and 0 < width < 1e12:
            word = words[number] if number < len(words) else ""
            kind = "LINEAR_EXACT" if function == "LINEAR" and width < 1 else function
            found.append({"center": center, "width": width, "function": kind, "explanation": word})
    return found[:MAX_WINDOWS]


def voi_lut_of(ds: Dataset, *, signed_input: bool) -> dict[str, Any] | None:
    """Return the first VOI LUT: first (value mapped), top (entry shown white), entries; None where it is not simple."""
    table = read_lut(ds, "VOILUTSequence", signed_input=signed_input) if "VOILUTSequence" in ds else None
    if table is None or table[0].size > MAX_LUT_ENTRIES:
        return None
    entries, first, bits = table
    return {"first": first, "top": lut_top(entries, bits), "entries": [int(entry) for entry in entries]}


def _texts(ds: Dataset, keyword: str) -> list[str]:
    return [clean_text(part, 32) for part in parts_of(ds, keyword)]
