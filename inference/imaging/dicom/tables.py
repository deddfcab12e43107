"""Lookup tables of DICOM: modality and VOI LUTs (PS3.3, C.11.1 and C.11.2), palettes (C.7.6.3.1.5 and C.7.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from inference.imaging.codecs.stored import remark
from inference.imaging.dicom.identity import value_of
from inference.imaging.limits import refusal

LUT_KEYWORDS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "RescaleType", "PresentationLUTShape", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit", "DoubleFloatPixelPaddingValue",
    "DoubleFloatPixelPaddingRangeLimit",
    "LUTDescriptor", "LUTData", "LUTExplanation", "ModalityLUTType",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
)  # fmt: skip
_COLOURS = (("Red", 0.299), ("Green", 0.587), ("Blue", 0.114))  # ITU-R BT.601
_ROWS = 128


def read_lut(ds: Dataset, keyword: str, *, signed_input: bool) -> tuple[np.ndarray, float, int] | None:
    """Return (entries, first value mapped, bits per entry) of the sequence's first LUT, None where it is not valid."""
    try:
        item = ds[keyword].value[0]
        length, first, bits = (int(part) for part in item.LUTDescriptor)
        entries = _entries(item.LUTData, length or 65536, big_endian=item.original_encoding[1] is False)
    except Exception:
        return None
    if entries.size < 2 or not 1 <= bits <= 16:
        return None
    # The first value mapped is written as unsigned even where pixels are signed (PS3.3, C.11.1.1).
    return entries, float(first - 65536 if signed_input and first > 32767 else first), bits


def _entries(raw: Any, length: int, *, big_endian: bool) -> np.ndarray:
    """Return table data as float64, of bytes where they are too few for words."""
    if isinstance(raw, bytes):
        packed = len(raw) < 2 * length
        values = np.frombuffer(raw, "u1" if packed else ">u2" if big_endian else "<u2")
    else:
        values = np.asarray(raw)
    return values[:length].astype(np.float64) % 65536


def lut_top(entries: np.ndarray, bits: int) -> float:
    """Return the entry that is shown as white: a table whose highest bit is never set has fewer bits than stated."""
    return max(float(entries.max()), 1.0) if is_depth_wrong(entries, bits) else max(2.0**bits - 1, 1.0)


def is_depth_wrong(entries: np.ndarray, bits: int) -> bool:
    """Whether a table cannot have the depth that its descriptor states."""
    top = 2.0**bits - 1
    return bool(entries.max() > top or entries.max() < top / 2)


def looked_up(table: np.ndarray, stored: np.ndarray, low: int) -> np.ndarray:
    """Return `table[stored - low]`, some rows at a time: an index of numpy takes eight bytes a pixel."""
    out = np.empty(stored.shape, table.dtype)
    for first in range(0, stored.shape[0], _ROWS):
        rows = stored[first : first + _ROWS]
        out[first : first + _ROWS] = table[rows.astype(np.int64) - low]
    return out


def palette_luminance(stored: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray:
    """Return luminance as uint8 (H, W) of palette indices; raises DecodeError unreadable without usable tables."""
    low, high = int(stored.min()), int(stored.max())
    shown = _palette(np.arange(low, high + 1), ds, found, signed=stored.dtype.kind == "i")
    return looked_up((shown * 255.0 + 0.5).astype(np.uint8), stored, low)


def _palette(values: np.ndarray, ds: Dataset, found: list[str], *, signed: bool) -> np.ndarray:
    """Return the luminance, 0 to 1, of each stored value."""
    if any(value_of(ds, f"Segmented{colour}PaletteColorLookupTableData") is not None for colour, _ in _COLOURS):
        colours = apply_color_lut(values, ds)
        segments = [colours[..., number].astype(np.float64) for number in range(3)]
        return _weighted(segments, 8 * colours.dtype.itemsize, found)
    tables, depths = [], []
    for colour, _ in _COLOURS:
        head = value_of(ds, f"{colour}PaletteColorLookupTableDescriptor")
        data = value_of(ds, f"{colour}PaletteColorLookupTableData")
        if not isinstance(head, Sequence) or len(head) != 3 or data is None:
            raise refusal("unreadable")
        length, first, bits = (int(part) for part in head)
        table = _entries(data, length or 65536, big_endian=ds.original_encoding[1] is False)
        if table.size < 2:
            raise refusal("unreadable")
        # Descriptors are unsigned or signed as the pixels are (PS3.3, C.7.6.3.1.5).
        first = first - 65536 if signed and first > 32767 else first
        tables.append(table[np.clip(values - first, 0, table.size - 1)])
        depths.append(bits)
    return _weighted(tables, max(depths), found)


def _weighted(tables: list[np.ndarray], bits: int, found: list[str]) -> np.ndarray:
    """Return the luminance of three tables of `bits` bits; one whose upper byte is never used has 8 (C.7.6.3.1.6)."""
    highest = max(float(table.max()) for table in tables)
    top = float(2**bits - 1)
    if highest > top or (bits > 8 and highest <= 255):
        remark(found, "lut_depth_contradicts")
        top = 255.0 if highest <= 255 else 65535.0
    mixed = sum(weight * table for (_, weight), table in zip(_COLOURS, tables, strict=True))
    return np.clip(np.asarray(mixed) / top, 0.0, 1.0)
