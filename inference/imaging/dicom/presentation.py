"""What the table of elements asks for before and after decoding: refusals, remarks, the display shutter."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from inference.imaging.codecs.stored import remark
from inference.imaging.dicom.elements import TABLE, UNKNOWN, Use, element_of, is_repeating, is_unknown
from inference.imaging.dicom.grey import is_inverted, number_of, numbers_of, parts_of
from inference.imaging.dicom.identity import clean_text, value_of
from inference.imaging.dicom.tables import read_lut
from inference.imaging.limits import refusal

# PS3.4, B.5: the storage classes of raw detector data.
_FOR_PROCESSING = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("1.1.1", "1.2.1", "1.3.1", "12.77", "13.1.4", "13.1.5")
)
_KEYWORDS_OF_RELATION = ("PixelIntensityRelationship", "PixelIntensityRelationshipSign")
_SHAPES = ("RECTANGULAR", "CIRCULAR", "POLYGONAL")
# A shutter that leaves less than this share of the image cannot be meant.
_LEAST_OPEN = 0.02


def wanted_keywords() -> tuple[str, ...]:
    """What has to be read for this module: every element of the table whose value matters."""
    read = tuple(row.keyword for row in TABLE if row.use is not Use.HARMLESS and not is_repeating(row.tag >> 16))
    return (*(keyword for keyword in read if not keyword.endswith("PixelData")), "SOPClassUID")


def apply_table(ds: Dataset, present: frozenset[int], found: list[str]) -> None:
    """Refuse or remark on each element that is present, as its row says; raises DecodeError."""
    if clean_text(ds.get("SOPClassUID", "")) in _FOR_PROCESSING:
        raise refusal("raw_detector_data")
    for tag in sorted(present):
        row = element_of(tag)
        if row is None:
            if is_unknown(tag):
                remark(found, UNKNOWN)
        elif row.use is Use.REFUSED and _says_something(ds, tag, row.quiet):
            raise refusal(row.code)
        elif row.use is Use.REMARKED and _says_something(ds, tag, row.quiet):
            remark(found, row.code)


def _says_something(ds: Dataset, tag: int, quiet: tuple[str, ...]) -> bool:
    """Whether the element has a value, and one that asks for something; of repeating groups the values are not read."""
    if is_repeating(tag >> 16):
        return True
    try:
        value = ds[tag].value
    except Exception:
        return True
    if value is None or (hasattr(value, "__len__") and len(value) == 0):
        return False
    return clean_text(value).upper() not in quiet


def check_grey_scale(ds: Dataset, photometric: str, found: list[str]) -> None:
    """Compare what the file says of low and high values; raises DecodeError raw_detector_data.

    PS3.3, C.8.11.3.1.2: shape INVERSE goes with MONOCHROME1, IDENTITY with MONOCHROME2, and a sign of +1 says that low
    values are little beam intensity: bone. Of an image for presentation the sign may tell of the detector alone.
    """
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return
    shape = clean_text(ds.get("PresentationLUTShape", "")).upper()
    if shape and (shape == "INVERSE") != (photometric == "MONOCHROME1"):
        remark(found, "inversion_contradicts")
    sign = number_of(ds, "PixelIntensityRelationshipSign")
    bone_is_bright = is_inverted(photometric, ds) != _falls(ds)
    if sign is None or sign == 0 or (sign > 0) == bone_is_bright:
        return
    presented = clean_text(ds.get("PresentationIntentType", "")).upper() == "FOR PRESENTATION"
    linear = clean_text(ds.get("PixelIntensityRelationship", "")).upper() in ("LIN", "")
    if sign > 0 and linear and not presented:
        raise refusal("raw_detector_data")
    remark(found, "intensity_sign_contradicts")


def _falls(ds: Dataset) -> bool:
    """Whether the VOI LUT, or a negative slope, shows high values dark."""
    table = read_lut(ds, "VOILUTSequence", signed_input=False) if "VOILUTSequence" in ds else None
    falling = table is not None and table[0][0] > table[0][-1]
    return falling != ((number_of(ds, "RescaleSlope") or 1.0) < 0)


def shutter(ds: Dataset, shape: tuple[int, int], found: list[str]) -> np.ndarray | None:
    """Return bool (H, W), true where the display shutter covers the image, None where there is none (C.7.6.11)."""
    kinds = [clean_text(part).upper() for part in parts_of(ds, "ShutterShape")]
    if not any(kinds):
        return None
    covers = [_cover(ds, kind, shape) for kind in kinds]
    if any(cover is None for cover in covers):
        remark(found, "shutter_ignored")
    covered = [cover for cover in covers if cover is not None]
    if not covered:
        return None
    outside = np.logical_or.reduce(covered)
    if outside.mean() > 1 - _LEAST_OPEN:
        remark(found, "shutter_ignored")
        return None
    remark(found, "shutter_applied")
    return np.asarray(outside)


def _cover(ds: Dataset, kind: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Return what one shutter covers; rows and columns count from 1, edges themselves are open."""
    picture = Image.new("1", (shape[1], shape[0]), 1)
    draw = ImageDraw.Draw(picture)
    try:
        if kind == "RECTANGULAR":
            left, right, top, bottom = (
                _edge(ds, f"Shutter{name}Edge")
                for name in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
            )
            draw.rectangle((left, top, right - 2, bottom - 2), fill=0)
        elif kind == "CIRCULAR":
            row, column = (int(part) - 1 for part in numbers_of(ds, "CenterOfCircularShutter"))
            radius = _edge(ds, "RadiusOfCircularShutter")
            draw.ellipse((column - radius, row - radius, column + radius, row + radius), fill=0)
        elif kind == "POLYGONAL":
            numbers = [int(part) - 1 for part in numbers_of(ds, "VerticesOfThePolygonalShutter")]
            corners = list(zip(numbers[1::2], numbers[::2], strict=True))
            draw.polygon(corners, fill=0)
        else:
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    return np.asarray(picture)


def _edge(ds: Dataset, keyword: str) -> int:
    number = number_of(ds, keyword)
    if number is None or value_of(ds, keyword) is None:
        raise ValueError(keyword)
    return int(number)
