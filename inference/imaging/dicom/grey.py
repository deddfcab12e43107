"""Stored DICOM values to 8-bit grey, bone bright: modality LUT, VOI LUT or window, inversion last (PS3.3, C.11)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from inference.imaging.dicom.identity import clean_text, value_of
from inference.imaging.limits import refusal

LUT_KEYWORDS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "VOILUTFunction", "RescaleType", "PresentationLUTShape", "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "LUTDescriptor", "LUTData", "LUTExplanation", "ModalityLUTType",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
)  # fmt: skip
_ROBUST = (0.01, 0.99)
_SAMPLE = 1_000_000


def to_grey(stored: np.ndarray, photometric: str, ds: Dataset, found: list[str]) -> np.ndarray:
    """Return uint8 (H, W) of stored values (H, W) or RGB (H, W, 3); `found` gains codes of DECODE_WARNINGS."""
    if photometric == "PALETTE COLOR":
        return _luminance(apply_color_lut(stored, ds))
    if stored.ndim == 3:
        if photometric != "RGB":
            raise refusal("unreadable")
        return _luminance(stored, int(ds.BitsStored))
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise refusal("unreadable")
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        return _by_table(stored, photometric, ds, found)
    return _by_value(stored, photometric, ds, found)


def _by_table(stored: np.ndarray, photometric: str, ds: Dataset, found: list[str]) -> np.ndarray:
    """Render each possible value once and look the pixels up: the same answer as per pixel in a tenth of the time."""
    low, high = int(stored.min()), int(stored.max())
    values = np.arange(low, high + 1)
    index = (stored.astype(np.int32) - low).ravel()
    counts = np.bincount(index, minlength=values.size)
    padding = padding_of(values, ds)
    if padding.any() and counts[~padding].sum() == 0:
        padding[:] = False  # nothing would be left of the picture
    counts[padding] = 0
    grey = _render(values.astype(np.float64), counts, ds, found)
    if is_inverted(photometric, ds):
        grey = 255 - grey
    grey[padding] = 0
    return grey[index].reshape(stored.shape)


def _by_value(stored: np.ndarray, photometric: str, ds: Dataset, found: list[str]) -> np.ndarray:
    """Render 32-bit and floating-point pixels one by one; the range is judged on an even sample of them."""
    values = stored.astype(np.float64).ravel()
    padding = ~np.isfinite(values)
    if stored.dtype.kind in "iu":
        padding |= padding_of(stored.ravel(), ds)
    if padding.all():
        raise refusal("unreadable")
    values[padding] = values[~padding].min()
    counts = (~padding).astype(np.int64)
    grey = _render(values, counts, ds, found)
    if is_inverted(photometric, ds):
        grey = 255 - grey
    grey[padding] = 0
    return grey.reshape(stored.shape)


def _render(values: np.ndarray, counts: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray:
    """Return uint8 grey per value, before inversion; `counts` says how many pixels hold each (0: padding)."""
    meant = modality_values(values, ds, found)
    shown = _voi(meant, ds, found)
    if shown is not None and _shows_nothing(shown, meant, counts):
        found.append("window_unusable")
        shown = None
    elif shown is None:
        found.append("no_window")
    if shown is None:
        low, high = _robust_range(meant, counts)
        shown = (meant - low) / (high - low)
    return (np.clip(shown, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def modality_values(values: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray:
    """Apply the Modality LUT or the rescale (PS3.3, C.11.1)."""
    if "ModalityLUTSequence" in ds:
        table = read_lut(ds, "ModalityLUTSequence", signed_input=bool(values.min() < 0))
        if table is not None:
            entries, first, _ = table
            return entries[np.clip(values - first, 0, entries.size - 1).astype(np.int64)]
        found.append("lut_ignored")
    slope, intercept = number_of(ds, "RescaleSlope"), number_of(ds, "RescaleIntercept")
    if slope is None and intercept is None:
        return values
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0.0 or not abs(slope) < 1e12 or not abs(intercept) < 1e15:
        found.append("rescale_ignored")
        return values
    return values * slope + intercept


def _voi(values: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray | None:
    """Apply the first VOI LUT, else the first window (PS3.3, C.11.2.1); None where the file states neither usably."""
    if "VOILUTSequence" in ds:
        table = read_lut(ds, "VOILUTSequence", signed_input=bool(values.min() < 0))
        if table is not None:
            entries, first, bits = table
            index = np.clip(np.rint(values) - first, 0, entries.size - 1).astype(np.int64)
            return entries[index] / lut_top(entries, bits)
        found.append("lut_ignored")
    center, width = number_of(ds, "WindowCenter"), number_of(ds, "WindowWidth")
    if center is None or width is None or not 0 < width < 1e12:
        return None
    function = clean_text(ds.get("VOILUTFunction", "")).upper()
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -60, 60)))
    if function == "LINEAR_EXACT" or width < 1:
        return (values - center) / width + 0.5
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1) + 0.5


def read_lut(ds: Dataset, keyword: str, *, signed_input: bool) -> tuple[np.ndarray, float, int] | None:
    """Return (entries, first value mapped, bits per entry) of the sequence's first LUT, None where it is not valid."""
    try:
        item = ds[keyword].value[0]
        length, first, bits = (int(part) for part in item.LUTDescriptor)
        raw = item.LUTData
        length = length or 65536
        if isinstance(raw, bytes):
            order = "<" if item.original_encoding[1] is not False else ">"
            packed = len(raw) < 2 * length
            entries = np.frombuffer(raw, "u1" if packed else f"{order}u2")
        else:
            entries = np.asarray(raw)
        entries = entries[:length].astype(np.float64) % 65536
    except Exception:
        return None
    if entries.size < 2 or not 1 <= bits <= 16:
        return None
    # The first value mapped is written as unsigned even where pixels are signed (PS3.3, C.11.1.1).
    return entries, float(first - 65536 if signed_input and first > 32767 else first), bits


def lut_top(entries: np.ndarray, bits: int) -> float:
    """Return the entry that is shown as white; descriptors often state 16 bits for tables of fewer."""
    top = max(2.0**bits - 1, 1.0)
    if entries.max() > top or entries.max() < top / 4:
        top = max(float(entries.max()), 1.0)
    return top


def _shows_nothing(shown: np.ndarray, meant: np.ndarray, counts: np.ndarray) -> bool:
    """Whether a window leaves at most two greys of an image that holds many: it would be shown as black or white."""
    used = counts > 0
    if np.unique(meant[used][:: max(1, int(used.sum()) // _SAMPLE)]).size <= 16:
        return False
    return np.unique((np.clip(shown[used], 0.0, 1.0) * 255.0).astype(np.uint8)).size <= 2


def _robust_range(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return the 1st and 99th percentile of the pixels that are not padding, widened where they coincide."""
    used = counts > 0
    order = np.argsort(values[used], kind="stable")
    ordered, total = values[used][order], np.cumsum(counts[used][order])
    low, high = (float(ordered[np.searchsorted(total, share * total[-1])]) for share in _ROBUST)
    if high <= low:
        low, high = float(ordered[0]), float(ordered[-1])
    return (low, high) if high > low else (low, low + 1.0)


def padding_of(values: np.ndarray, ds: Dataset) -> np.ndarray:
    """Return which values are Pixel Padding."""
    edges = padding_edges(ds)
    if edges is None:
        return np.zeros(values.shape, bool)
    return (values >= edges[0]) & (values <= edges[1])


def padding_edges(ds: Dataset) -> tuple[float, float] | None:
    """Return the stored values that are Pixel Padding (PS3.3, C.7.5.1.1.2): one value, or a range in either order."""
    value = number_of(ds, "PixelPaddingValue")
    if value is None:
        return None
    limit = number_of(ds, "PixelPaddingRangeLimit")
    edges = (value, value if limit is None else limit)
    return min(edges), max(edges)


def is_inverted(photometric: str, ds: Dataset) -> bool:
    """Whether low values are bright. In DX, INVERSE restates MONOCHROME1 (PS3.3, C.8.11.3.1.2): invert once."""
    return photometric == "MONOCHROME1" or clean_text(ds.get("PresentationLUTShape", "")).upper() == "INVERSE"


def _luminance(rgb: np.ndarray, bits: int = 0) -> np.ndarray:
    """Return ITU-R 601 luminance as uint8 (H, W) of RGB samples with `bits` bits (0: all of the type's)."""
    if rgb.dtype == np.uint8 and bits in (0, 8):
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb[..., :3])).convert("L"))
    top = 2.0 ** (bits or 8 * rgb.dtype.itemsize) - 1
    grey = rgb[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return (np.clip(grey / top, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def number_of(ds: Dataset, keyword: str) -> float | None:
    """Return the element's first value as a finite number, else None."""
    value = value_of(ds, keyword)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
