"""A single-frame DICOM object to its grey picture and what it says about itself, checking before every costly step."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pydicom.config
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inference.imaging.canonical import MAX_SIDE_PX
from inference.imaging.dicom import identity as dicom_identity
from inference.imaging.dicom import region
from inference.imaging.dicom.dataset import read_elements
from inference.imaging.dicom.display import values_of_dicom
from inference.imaging.dicom.grey import to_grey
from inference.imaging.dicom.meta import read_file_meta
from inference.imaging.dicom.pixels import PIXEL_KEYWORDS, Description, describe, find_source, read_frame
from inference.imaging.dicom.presentation import apply_table, check_grey_scale, shutter, wanted_keywords
from inference.imaging.dicom.tables import LUT_KEYWORDS
from inference.imaging.display import Values, kept
from inference.imaging.limits import Limits, refusal

# pydicom quotes values in its log and warnings; those may be a patient's.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # noqa: TID251 (not a log of ours)
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_READ = (*dicom_identity.KEYWORDS, *region.KEYWORDS, *PIXEL_KEYWORDS, *LUT_KEYWORDS)
_TAGS = [Tag(keyword) for keyword in {*_READ, *wanted_keywords()}]
_MAX_PIXEL_RATIO = 8.0


def decode_dicom(data: bytes, limits: Limits) -> tuple[np.ndarray, dict[str, Any], Values]:
    """Return (grey uint8 (H, W) with square pixels, meta, values); raises DecodeError or what the codecs raise."""
    found: list[str] = []
    file_meta = read_file_meta(data)
    if not file_meta.has_preamble:
        found.append("preamble_missing")
    elements = read_elements(data, file_meta, _TAGS)
    ds = elements.ds
    apply_table(ds, elements.present, found)
    if _whole(ds, "NumberOfFrames") > 1:
        raise refusal("multi_frame")
    source = find_source(data, elements.pixels, file_meta, found)
    image = describe(ds, source, found)
    _check_size(image, limits)
    check_grey_scale(ds, image.photometric, found)
    shape = (image.rows, image.columns)
    identity = dicom_identity.read_identity(ds, found)
    spacing, spacing_source = dicom_identity.read_spacing(ds, shape, found)
    burned_in = dicom_identity.burned_in_annotation(ds)
    if burned_in == "YES":
        found.append("burned_in_annotation")
    frame = read_frame(data, source, image, file_meta, limits, found)
    grey = to_grey(frame, ds, found)
    outside = shutter(ds, shape, found)
    if outside is not None:
        grey = np.where(outside, np.uint8(0), grey)
    values = kept(lambda: values_of_dicom(frame, ds, found, outside))
    square = _square(grey, dicom_identity.pixel_ratio(ds), found)
    meta = {
        "format": "dicom",
        "width_px": image.columns,
        "height_px": image.rows,
        "bits": frame.bits,
        "photometric": image.photometric,
        "modality": identity["modality"],
        "transfer_syntax_uid": file_meta.transfer_syntax,
        "pixel_spacing_mm": None if spacing is None else list(spacing),
        "canonical_pixel_spacing_mm": None if spacing is None else _canonical_spacing(spacing, shape, square),
        "spacing_source": spacing_source,
        "identity": identity,
        "use": region.read_use(ds),
        "burned_in_annotation": burned_in,
        "warnings": list(dict.fromkeys(found)),
    }
    return square, meta, values


def _check_size(image: Description, limits: Limits) -> None:
    if not image.rows or not image.columns:
        raise refusal("no_pixels")
    if image.rows * image.columns > limits.max_pixels:
        raise refusal("too_many_pixels")


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
