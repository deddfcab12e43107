"""From cell probabilities to outlines: upsample, cut at the card's threshold, trace, keep the few that matter."""

from __future__ import annotations

import contourpy
import numpy as np
from PIL import Image, ImageDraw

from inference.imaging.prepare import Frame
from inference.prediction import Region

# Outlines are traced on this grid, four times finer than the network's cells.
FINE_SIDE = 256
MAX_REGIONS = 5
_SIMPLE = 0.6


def finer(cells: np.ndarray, side: int = FINE_SIDE) -> np.ndarray:
    """Return probabilities (side, side) float32 of cells (h, w) float in [0, 1], interpolated bilinearly."""
    image = Image.fromarray(np.ascontiguousarray(cells, dtype=np.float32), mode="F")
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def regions_of(cells: np.ndarray, threshold: float, smallest: float) -> tuple[Region, ...]:
    """Return the outlined regions of cell probabilities (h, w), the most probable first.

    Args:
        threshold: cell probability from which a place belongs to a region.
        smallest: share of the film below which a region is dropped.
    """
    fine = finer(cells)
    side = fine.shape[0]
    framed = np.pad(fine, 1, constant_values=0.0)
    # Outer boundaries only: a hole inside a lesion is still the lesion to whoever looks for it.
    lines = contourpy.contour_generator(z=framed, fill_type="OuterOffset").filled(threshold, np.inf)
    found = []
    for points, offsets in zip(*lines, strict=True):
        outer = np.clip((points[offsets[0] : offsets[1]] - 0.5) / side, 0.0, 1.0)[:-1]
        area = _area(outer)
        if len(outer) >= 3 and area >= smallest:
            found.append(_region(fine, outer, area))
    return tuple(sorted(found, key=lambda region: -region.probability)[:MAX_REGIONS])


def on_film(regions: tuple[Region, ...], frame: Frame) -> tuple[Region, ...]:
    """Return regions of a square that a film was fitted into as regions of the film; what lies beside it is cut off."""
    found = []
    for region in regions:
        places = np.clip([frame.on_film(x, y) for x, y in region.polygon], 0.0, 1.0)
        (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
        if area := _area(places):
            polygon = tuple((round(float(x), 4), round(float(y), 4)) for x, y in places)
            box = (round(float(x0), 4), round(float(y0), 4), round(float(x1), 4), round(float(y1), 4))
            found.append(Region(polygon, box, round(area, 6), region.probability))
    return tuple(found)


def _area(points: np.ndarray) -> float:
    """Area of a polygon (n, 2) by the shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _region(fine: np.ndarray, outer: np.ndarray, area: float) -> Region:
    (x0, y0), (x1, y1) = outer.min(axis=0), outer.max(axis=0)
    side = fine.shape[0]
    polygon = tuple((round(float(x), 4), round(float(y), 4)) for x, y in simplified(outer, _SIMPLE / side))
    box = tuple(round(float(v), 4) for v in (x0, y0, x1, y1))
    return Region(polygon, box, round(area, 6), round(_peak(fine, outer), 4))  # type: ignore[arg-type]


def _peak(fine: np.ndarray, outer: np.ndarray) -> float:
    """Return the highest probability inside an outline (n, 2); its box may hold parts of other regions."""
    # A point of the outline lies between a place of the region and one below the threshold: rounding meets no other.
    places = np.clip(np.rint(outer * fine.shape[0] - 0.5).astype(int), 0, fine.shape[0] - 1)
    (left, top), (right, bottom) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    drawn = Image.new("L", (right - left + 1, bottom - top + 1))
    ImageDraw.Draw(drawn).polygon((places - (left, top)).ravel().tolist(), fill=1, outline=1)
    return float(fine[top : bottom + 1, left : right + 1][np.asarray(drawn) > 0].max())


def simplified(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Drop points of a closed outline (n, 2) that lie within `tolerance` of the line (Douglas & Peucker 1973)."""
    if len(points) < 4:
        return points
    far = int(np.argmax(np.hypot(*(points - points[0]).T)))
    first = _reduced(points[: far + 1], tolerance)
    second = _reduced(np.concatenate([points[far:], points[:1]]), tolerance)
    return np.concatenate([first[:-1], second[:-1]])


def _reduced(points: np.ndarray, tolerance: float) -> np.ndarray:
    if len(points) < 3:
        return points
    start, end = points[0], points[-1]
    along = end - start
    length = float(np.hypot(*along)) or 1e-12
    offset = np.abs(along[0] * (points[:, 1] - start[1]) - along[1] * (points[:, 0] - start[0])) / length
    place = int(offset.argmax())
    if offset[place] <= tolerance:
        return points[[0, -1]]
    return np.concatenate([_reduced(points[: place + 1], tolerance)[:-1], _reduced(points[place:], tolerance)])
