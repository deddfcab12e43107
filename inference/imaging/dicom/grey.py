"""Stored DICOM values to 8-bit grey, bone bright: modality LUT, VOI LUT or window, inversion last (PS3.3, C.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from inference.imaging.codecs.stored import remark
from inference.imaging.dicom.identity import clean_text, value_of
from inference.imaging.dicom.pixels import Frame
from inference.imaging.dicom.tables import is_depth_wrong, looked_up, lut_top, palette_luminance, read_lut
from inference.imaging.limits import refusal

_ROBUST = (0.01, 0.99)
_SAMPLE = 1_000_000
_ROWS = 128
_WIDEST = 1e12
_LARGEST = 1e300


def to_grey(frame: Frame, ds: Dataset, found: list[str]) -> np.ndarray:
    """Return uint8 (H, W) of one frame; `found` gains codes of DECODE_WARNINGS."""
    stored, photometric = frame.values, frame.photometric
    if photometric == "LUMINANCE":
        return _scaled(stored, frame.bits)
    if photometric == "PALETTE COLOR" and stored.ndim == 2 and stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        return palette_luminance(stored, ds, found)
    if photometric == "RGB" and stored.ndim == 3:
        return _luminance(stored, frame.bits)
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or stored.ndim != 2:
        raise refusal("unreadable")
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        return _by_table(stored, photometric, ds, found)
    return _by_value(stored, photometric, ds, found)


def _by_table(stored: np.ndarray, photometric: str, ds: Dataset, found: list[str]) -> np.ndarray:
    """Render each possible value once and look the pixels up: the same answer as per pixel in a tenth of the time."""
    low, high = int(stored.min()), int(stored.max())
    values = np.arange(low, high + 1)
    counts = _histogram(stored, low, values.size)
    padding = padding_of(values, ds)
    if padding.any() and counts[~padding].sum() == 0:
        padding[:] = False  # nothing would be left of the picture
    counts[padding] = 0
    grey = _render(values.astype(np.float64), counts, ds, found)
    if is_inverted(photometric, ds):
        grey = 255 - grey
    grey[padding] = 0
    return looked_up(grey, stored, low)


def _histogram(stored: np.ndarray, low: int, size: int) -> np.ndarray:
    """Return how many pixels hold each value from `low` on, counted some rows at a time to spare memory."""
    counts = np.zeros(size, np.int64)
    for first in range(0, stored.shape[0], _ROWS):
        counts += np.bincount((stored[first : first + _ROWS].astype(np.int64) - low).ravel(), minlength=size)
    return counts


def _by_value(stored: np.ndarray, photometric: str, ds: Dataset, found: list[str]) -> np.ndarray:
    """Render 32-bit and floating-point pixels some rows at a time; the range is judged on an even sample of them."""
    sample = _values_and_padding(stored.ravel()[:: max(1, stored.size // _SAMPLE)], ds)
    if sample[1].all():
        sample = _values_and_padding(stored.ravel(), ds)
    if sample[1].all():
        raise refusal("unreadable")
    render = _renderer(sample[0][~sample[1]], ds, found)
    inverted, grey = is_inverted(photometric, ds), np.empty(stored.shape, np.uint8)
    for first in range(0, stored.shape[0], _ROWS):
        values, padding = _values_and_padding(stored[first : first + _ROWS], ds)
        shown = render(values)
        shown = 255 - shown if inverted else shown
        shown[padding] = 0
        grey[first : first + _ROWS] = shown
    return grey


def _values_and_padding(stored: np.ndarray, ds: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return (float64 values, which of them are padding or no number); an infinite one is the largest there is."""
    values = stored.astype(np.float64)
    padding = np.isnan(values) | padding_of(values, ds)
    values[np.isnan(values)] = 0.0
    return np.clip(values, -_LARGEST, _LARGEST), padding


def _render(values: np.ndarray, counts: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray:
    """Return uint8 grey per value, before inversion; `counts` says how many pixels hold each (0: padding)."""
    meant = modality_values(values, ds, found)
    shown = _voi(meant, ds, found)
    if shown is not None and _shows_nothing(shown, meant, counts):
        remark(found, "window_unusable")
        shown = None
    elif shown is None:
        remark(found, "no_window")
    if shown is None:
        shown = _stretched(meant, *_robust_range(meant, counts))
    return _eight_bits(shown)


def _renderer(sample: np.ndarray, ds: Dataset, found: list[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Return what renders values as `_render` does, with what was decided on this sample of them."""
    counts = np.ones(sample.shape, np.int64)
    meant = modality_values(sample, ds, found)
    shown = _voi(meant, ds, found)
    stated = shown is not None and not _shows_nothing(shown, meant, counts)
    if stated:
        return lambda values: _eight_bits(_voi(modality_values(values, ds, []), ds, []))
    remark(found, "no_window" if shown is None else "window_unusable")
    low, high = _robust_range(meant, counts)
    return lambda values: _eight_bits(_stretched(modality_values(values, ds, []), low, high))


def _stretched(meant: np.ndarray, low: float, high: float) -> np.ndarray:
    # Halves first: the difference of two large numbers may be none.
    return (meant / 2 - low / 2) / (high / 2 - low / 2)


def _eight_bits(shown: np.ndarray | None) -> np.ndarray:
    """Return 0 to 1 as uint8."""
    return (np.clip(np.asarray(shown), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def modality_values(values: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray:
    """Apply the Modality LUT or the rescale (PS3.3, C.11.1)."""
    if "ModalityLUTSequence" in ds:
        table = read_lut(ds, "ModalityLUTSequence", signed_input=bool(values.min() < 0))
        if table is not None:
            entries, first, _ = table
            return entries[np.clip(values - first, 0, entries.size - 1).astype(np.int64)]
        remark(found, "lut_ignored")
    slope, intercept = number_of(ds, "RescaleSlope"), number_of(ds, "RescaleIntercept")
    if slope is None and intercept is None:
        return values
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if slope == 0.0 or not abs(slope) < 1e12 or not abs(intercept) < 1e15:
        remark(found, "rescale_ignored")
        return values
    return values * slope + intercept


def _voi(values: np.ndarray, ds: Dataset, found: list[str]) -> np.ndarray | None:
    """Apply the first VOI LUT, else the first window (PS3.3, C.11.2.1); None where the file states neither usably."""
    if "VOILUTSequence" in ds:
        table = read_lut(ds, "VOILUTSequence", signed_input=bool(values.min() < 0))
        if table is not None:
            entries, first, bits = table
            if is_depth_wrong(entries, bits):
                remark(found, "lut_depth_contradicts")
            index = np.clip(np.rint(values) - first, 0, entries.size - 1).astype(np.int64)
            return entries[index] / lut_top(entries, bits)
        remark(found, "lut_ignored")
    window = first_window(ds)
    if window is None:
        return None
    center, width = window
    function = clean_text(ds.get("VOILUTFunction", "")).upper()
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -60, 60)))
    if function == "LINEAR_EXACT" or width < 1:
        return (values - center) / width + 0.5
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1) + 0.5


def first_window(ds: Dataset) -> tuple[float, float] | None:
    """Return (center, width) of the first window that is one: of several, some may be empty or have no width."""
    for center, width in zip(numbers_of(ds, "WindowCenter"), numbers_of(ds, "WindowWidth"), strict=False):
        if np.isfinite(center) and 0 < width < _WIDEST:
            return center, width
    return None


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
    for kind in ("", "Float", "DoubleFloat"):
        value = number_of(ds, f"{kind}PixelPaddingValue")
        if value is not None:
            limit = number_of(ds, f"{kind}PixelPaddingRangeLimit")
            edges = (value, value if limit is None else limit)
            return min(edges), max(edges)
    return None


def is_inverted(photometric: str, ds: Dataset) -> bool:
    """Whether low values are bright. In DX, INVERSE restates MONOCHROME1 (PS3.3, C.8.11.3.1.2): invert once."""
    return photometric == "MONOCHROME1" or clean_text(ds.get("PresentationLUTShape", "")).upper() == "INVERSE"


def _luminance(rgb: np.ndarray, bits: int) -> np.ndarray:
    """Return ITU-R BT.601 luminance as uint8 (H, W) of RGB samples (H, W, 3) with `bits` bits."""
    if rgb.dtype == np.uint8 and bits == 8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb[..., :3])).convert("L"))
    grey, top = np.empty(rgb.shape[:2], np.uint8), 2.0**bits - 1
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    for first in range(0, rgb.shape[0], _ROWS):
        rows = rgb[first : first + _ROWS, :, :3].astype(np.float32) @ weights
        grey[first : first + _ROWS] = np.clip(rows / top, 0.0, 1.0) * 255.0 + 0.5
    return grey


def _scaled(luminance: np.ndarray, bits: int) -> np.ndarray:
    """Return luminance (H, W) of `bits` bits as uint8."""
    if luminance.dtype == np.uint8 and bits == 8:
        return luminance
    return (np.clip(luminance.astype(np.float32) / (2.0**bits - 1), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def number_of(ds: Dataset, keyword: str) -> float | None:
    """Return the element's first value as a finite number, else None."""
    number = next(iter(numbers_of(ds, keyword)), float("nan"))
    return number if np.isfinite(number) else None


def numbers_of(ds: Dataset, keyword: str) -> list[float]:
    """Return the element's values as numbers, NaN for those that are none."""
    return [_number(part) for part in parts_of(ds, keyword)]


def parts_of(ds: Dataset, keyword: str) -> list[Any]:
    """Return the element's values as a list, empty where there is none."""
    value = value_of(ds, keyword)
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def _number(part: Any) -> float:
    try:
        return float(part)
    except (TypeError, ValueError):
        return float("nan")
