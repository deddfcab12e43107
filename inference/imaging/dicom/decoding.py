"""A single-frame DICOM object to its grey picture and what it says about itself, checking before every costly step."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
import pydicom.config
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from inference.imaging.canonical import MAX_SIDE_PX
from inference.imaging.dicom import identity as dicom_identity
from inference.imaging.dicom import region
from inference.imaging.dicom.display import values_of_dicom
from inference.imaging.dicom.grey import LUT_KEYWORDS, to_grey
from inference.imaging.dicom.meta import FileMeta, read_file_meta
from inference.imaging.dicom.pixels import PIXEL_KEYWORDS, read_frame
from inference.imaging.display import Values, kept
from inference.imaging.limits import Limits, refusal

# pydicom quotes values in its log and warnings; those may be a patient's.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # noqa: TID251 (not a log of ours)
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_TAGS = [Tag(word) for word in (*dicom_identity.KEYWORDS, *region.KEYWORDS, *PIXEL_KEYWORDS, *LUT_KEYWORDS)]
_PIXEL_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_MAX_PIXEL_RATIO = 8.0


def decode_dicom(data: bytes, limits: Limits) -> tuple[np.ndarray, dict[str, Any], Values]:
    """Return (grey uint8 (H, W) with square pixels, meta, values); raises DecodeError or what the codecs raise."""
    found: list[str] = []
    file_meta = read_file_meta(data)
    if not file_meta.has_preamble:
        found.append("preamble_missing")
    ds = _read(data, file_meta)
    rows, columns = _check(ds, limits)
    identity = dicom_identity.read_identity(ds, found)
    spacing, source = dicom_identity.read_spacing(ds, (rows, columns), found)
    burned_in = dicom_identity.burned_in_annotation(ds)
    if burned_in == "YES":
        found.append("burned_in_annotation")
    stored, photometric = read_frame(ds, file_meta, limits)
    grey = to_grey(stored, photometric, ds, found)
    values = kept(lambda: values_of_dicom(stored, photometric, ds, found))
    square = _square(grey, dicom_identity.pixel_ratio(ds), found)
    meta = {
        "format": "dicom",
        "width_px": columns,
        "height_px": rows,
        "bits": _whole(ds, "BitsStored") or _whole(ds, "BitsAllocated"),
        "photometric": dicom_identity.clean_text(ds.get("PhotometricInterpretation", ""), 16),
        "modality": identity["modality"],
        "transfer_syntax_uid": file_meta.transfer_syntax,
        "pixel_spacing_mm": None if spacing is None else list(spacing),
        "canonical_pixel_spacing_mm": None if spacing is None else _canonical_spacing(spacing, (rows, columns), square),
        "spacing_source": source,
        "identity": identity,
        "use": region.read_use(ds),
        "burned_in_annotation": burned_in,
        "warnings": found,
    }
    return square, meta, values


def _read(data: bytes, file_meta: FileMeta) -> Dataset:
    """Read the elements this package uses, in the syntax that was checked: pydicom never sees the meta group."""
    stream = io.BytesIO(data)
    stream.seek(file_meta.dataset_offset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ds = read_dataset(stream, file_meta.implicit, file_meta.little_endian, specific_tags=list(_TAGS))
    ended_early = any("end of file" in str(w.message).lower() for w in caught)
    if not any(keyword in ds for keyword in _PIXEL_ELEMENTS):
        raise refusal("truncated" if ended_early else "no_pixels")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(file_meta.transfer_syntax)
    return ds


def _check(ds: Dataset, limits: Limits) -> tuple[int, int]:
    """Return (rows, columns) after the policy checks that need no pixels."""
    rows, columns = _whole(ds, "Rows"), _whole(ds, "Columns")
    if not rows or not columns:
        raise refusal("no_pixels")
    if _whole(ds, "NumberOfFrames") > 1:
        raise refusal("multi_frame")
    if rows * columns > limits.max_pixels:
        raise refusal("too_many_pixels")
    return rows, columns


def _whole(ds: Dataset, keyword: str) -> int:
    """Return a non-negative whole number, 0 where the element is absent or not one."""
    value = dicom_identity.value_of(ds, keyword)
    try:
        return max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _square(grey: np.ndarray, ratio: float, found: list[str]) -> np.ndarray:
    """Stretch the coarser axis so that pixels are square; `ratio` is a pixel's height over its width."""
    if abs(ratio - 1.0) <= 0.01:
        return grey
    if not 1 / _MAX_PIXEL_RATIO <= ratio <= _MAX_PIXEL_RATIO:
        found.append("pixel_aspect_ignored")
        return grey
    height, width = grey.shape
    tall, wide = height * max(1.0, ratio), width * max(1.0, 1.0 / ratio)
    shrink = min(1.0, MAX_SIDE_PX / max(tall, wide))
    size = (max(1, round(wide * shrink)), max(1, round(tall * shrink)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))


def _canonical_spacing(spacing: tuple[float, float], stored: tuple[int, int], square: np.ndarray) -> list[float]:
    """Return [row, column] mm per pixel of the canonical image, which is `square` shrunk to MAX_SIDE_PX if larger.

    The two differ where the pixels' shape was left as it was (`_square`), and by rounding to whole pixels.
    """
    shrink = min(1.0, MAX_SIDE_PX / max(square.shape))
    sides = (max(1, round(side * shrink)) for side in square.shape)
    return [round(mm * count / side, 6) for mm, count, side in zip(spacing, stored, sides, strict=True)]
