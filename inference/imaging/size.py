"""How large an outlined region is: from fractions of the film to canonical pixels, and to mm where it is calibrated.

Networks see the film stretched to a square; fractions of width and height undo that, because each axis is scaled back
by its own length. Row and column spacing are kept apart for the same reason: pixels need not be square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# What a film's spacing must be called for lengths in mm to hold.
CALIBRATED = "calibrated"
# Lengths in the plane of the detector: what a projection magnifies is shown larger than it is.
DETECTOR_PLANE = "detector plane, uncalibrated"


@dataclass(frozen=True)
class Size:
    """Longest diameter and area of one region; the mm values are None where the film is not calibrated."""

    longest_diameter_px: float
    area_px: float  # square pixels of the canonical image
    longest_diameter_mm: float | None = None
    area_mm2: float | None = None


def to_pixels(points: Sequence[Sequence[float]], width_px: int, height_px: int) -> np.ndarray:
    """Return float (N, 2): (x, y) in canonical pixels; `points` are fractions (0 to 1) of the film's sides."""
    return np.asarray(points, dtype=float).reshape(-1, 2) * (float(width_px), float(height_px))


def longest_diameter(points: np.ndarray) -> float:
    """Return the largest distance between any two of the points (N, 2), in their unit; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    apart = points[:, None, :] - points[None, :, :]
    return float(np.sqrt((apart**2).sum(axis=2)).max())


def measure(
    polygon: Sequence[Sequence[float]],
    area: float,
    width_px: int,
    height_px: int,
    spacing_mm: Sequence[float] | None = None,
) -> Size:
    """Return the size of one region.

    Args:
        polygon: (x, y) corners in fractions of the film's width and height.
        area: the region's share of the film's area, 0 to 1.
        width_px, height_px: size of the canonical image.
        spacing_mm: calibrated (row, column) spacing of the canonical image, mm per pixel; None where there is none.
            Row spacing is the distance between rows, so it scales y (PS3.3, 10.7.1.3).
    """
    corners = to_pixels(polygon, width_px, height_px)
    area_px = float(area) * width_px * height_px
    if spacing_mm is None:
        return Size(longest_diameter(corners), area_px)
    row_mm, column_mm = (float(value) for value in spacing_mm)
    diameter_mm = longest_diameter(corners * (column_mm, row_mm))
    return Size(longest_diameter(corners), area_px, diameter_mm, area_px * row_mm * column_mm)
