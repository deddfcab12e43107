"""The figures of a measurement, from its geometry and the image alone: lengths, angles, and what a region holds.

Points are fractions of the image's width and height. Lengths are counted along rows and columns apart (PS3.3,
10.7.1.3), in canonical pixels, and in mm only where the image is calibrated; in the detector plane they are called so.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from PIL import Image as Picture

from analyses.answers.lesions import calibrated_spacing
from analyses.formatting import written
from analyses.models import Annotation, AnnotationKind, Image
from inference.imaging.display import parts, unpack
from inference.imaging.size import DETECTOR_PLANE

Point = Sequence[float]
REGIONS = (AnnotationKind.RECTANGLE, AnnotationKind.ELLIPSE, AnnotationKind.FREEHAND)
# Units of what a region holds, as they are kept and as they are said; any other is the file's own.
EIGHT_BITS, STORED = "8-bit grey", "stored value"
UNITS = {EIGHT_BITS: gettext_lazy("8-bit grey"), STORED: gettext_lazy("stored value")}


def length(points: Sequence[Point], width: float, height: float) -> float:
    """The distance of two points; ``width`` and ``height`` are the image's sides in the unit asked for."""
    (x0, y0), (x1, y1) = points
    return math.hypot((x1 - x0) * width, (y1 - y0) * height)


def angle_deg(points: Sequence[Point], width: float, height: float) -> float:
    """The angle at the second of three points, 0 to 180 degrees."""
    one, apex, two = ((x * width, y * height) for x, y in points)
    turn = math.atan2(one[1] - apex[1], one[0] - apex[0]) - math.atan2(two[1] - apex[1], two[0] - apex[0])
    turn = abs(math.degrees(turn)) % 360
    return min(turn, 360 - turn)


def area(kind: str, points: Sequence[Point]) -> float:
    """The share of the image's area that a region covers (a polygon by the shoelace formula)."""
    if kind == AnnotationKind.FREEHAND:
        pairs = zip(points, [*points[1:], points[0]], strict=True)
        return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2
    (x0, y0), (x1, y1) = points
    box = abs(x1 - x0) * abs(y1 - y0)
    return box * math.pi / 4 if kind == AnnotationKind.ELLIPSE else box


def mask(kind: str, points: Sequence[Point], rows: int, columns: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Which pixels lie in a region, by their centres: bool over its bounding box, and where that box lies."""
    corners = np.asarray(points, float) * (columns, rows)
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    box = (slice(max(0, top), min(rows, bottom)), slice(max(0, left), min(columns, right)))
    y = np.arange(box[0].start, box[0].stop)[:, None] + 0.5
    x = np.arange(box[1].start, box[1].stop)[None, :] + 0.5
    if kind == AnnotationKind.FREEHAND:
        return _inside_polygon(corners, x[0], y[:, 0]), box
    low, high = corners.min(axis=0), corners.max(axis=0)
    if kind == AnnotationKind.RECTANGLE:
        return (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]), box
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    return ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1, box


def _inside_polygon(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Even-odd rule, one row of pixel centres at a time."""
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    found = np.zeros((y.size, x.size), bool)
    for row, level in enumerate(y):
        cut = (y0 <= level) != (y1 <= level)
        edges = np.sort(x0[cut] + (level - y0[cut]) / (y1[cut] - y0[cut]) * (x1[cut] - x0[cut]))
        found[row] = np.searchsorted(edges, x, side="right") % 2 == 1
    return found


def image_values(image: Image, stored: bytes) -> tuple[np.ndarray, float, float, str]:
    """(numbers (rows, columns), scale, offset, unit): a value is number * scale + offset.

    Args:
        stored: the image's display file, or its canonical image where there is none.
    """
    if image.display_file:
        facts = image.display or {}
        array = unpack(parts(stored, facts)[1], facts["rows"], facts["columns"])
        return array, facts["scale"], facts["offset"], facts.get("unit") or STORED
    with Picture.open(io.BytesIO(stored)) as picture:
        return np.asarray(picture.convert("L")), 1.0, 0.0, EIGHT_BITS


def measure_line(kind: str, points: Sequence[Point], image: Image) -> dict[str, float]:
    """Length or angle with its units."""
    width, height = float(image.canonical_width_px or 0), float(image.canonical_height_px or 0)
    spacing = calibrated_spacing(image)
    row, column = spacing or (1.0, 1.0)
    if kind == AnnotationKind.ANGLE:
        return {"angle_deg": angle_deg(points, width * column, height * row)}
    values = {"length_px": length(points, width, height)}
    if spacing:
        values["length_mm"] = length(points, width * column, height * row)
    elif image.pixel_spacing_mm and image.spacing_source == DETECTOR_PLANE:
        row, column = image.pixel_spacing_mm
        values["length_detector_mm"] = length(points, width * column, height * row)
    return values


def measure_region(kind: str, points: Sequence[Point], image: Image, stored: bytes) -> tuple[dict[str, float], str]:
    """Area, mean, standard deviation and range of a region, and the unit of its values; no pixel in it: empty."""
    numbers, scale, offset, unit = image_values(image, stored)
    inside, box = mask(kind, points, *numbers.shape)
    held = numbers[box][inside].astype(float) * scale + offset
    if not held.size:
        return {}, unit
    share = area(kind, points)
    area_px2 = share * float(image.canonical_width_px or 0) * float(image.canonical_height_px or 0)
    values = {"area_px2": area_px2}
    spacing = calibrated_spacing(image)
    if spacing:
        values["area_mm2"] = area_px2 * spacing[0] * spacing[1]
    return values | {
        "mean": float(held.mean()),
        "sd": float(held.std()),
        "lowest": float(held.min()),
        "highest": float(held.max()),
        "pixels": float(held.size),
    }, unit


def words(annotation: Annotation) -> str:
    """The figures of a measurement with their units, as viewer and report say them."""
    values: dict[str, Any] = annotation.values
    if annotation.kind not in REGIONS:
        short = short_words(annotation)
        if "length_mm" in values or "length_detector_mm" not in values:
            return short
        said = {"px": short, "mm": written(values["length_detector_mm"], 1)}
        return _("%(px)s (%(mm)s mm in the detector plane, uncalibrated)") % said
    return _("%(area)s, mean %(mean)s, SD %(sd)s (%(unit)s)") % {
        "area": short_words(annotation),
        "mean": written(values["mean"], 1),
        "sd": written(values["sd"], 1),
        "unit": UNITS.get(annotation.value_unit, annotation.value_unit),
    }


def short_words(annotation: Annotation) -> str:
    """The first figure alone, for the line on the image."""
    values: dict[str, Any] = annotation.values
    if annotation.kind == AnnotationKind.ANGLE:
        return f"{written(values['angle_deg'], 1)}°"
    if annotation.kind == AnnotationKind.LENGTH:
        unit = "mm" if "length_mm" in values else "px"
        return f"{written(values[f'length_{unit}'], 1)} {unit}"
    if "area_mm2" in values:
        return _("area %(size)s") % {"size": f"{written(values['area_mm2'], 1, grouped=True)} mm²"}
    return _("area %(size)s") % {"size": f"{written(values['area_px2'], 0, grouped=True)} px²"}
