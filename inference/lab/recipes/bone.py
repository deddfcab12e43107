"""Where on a film bone probably lies, and which way it runs: a rough estimate for choosing places, never for judging.

Bone is brighter than what surrounds it and has structure; unexposed film is dark, markers and collimators are flat.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.fft import irfft2, rfft2

GRID = 64
# Pixels of a 256-px film per cell of the grid.
CELL_PX = 4
_NEAR, _WIDE = 1, 6
# A cell is flat, like letters and unexposed film, where grey varies by less than this (of 255).
_FLAT = 3.0
_DARK = 18.0
_FRAME = 2
# A part smaller than this share of all that is bright is no bone.
_SMALLEST_PART = 0.06
_DOUBLE = 2 * GRID


def box_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean of values (H, W) over squares of 2 * radius + 1 cells; edges are repeated."""
    side = 2 * radius + 1
    padded = np.pad(values, radius + 1, mode="edge")
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    corners = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return corners[: values.shape[0], : values.shape[1]] / side**2


def coarse(square: np.ndarray) -> np.ndarray:
    """Return float64 (64, 64): means of the cells of a uint8 film (256, 256)."""
    return square.reshape(GRID, CELL_PX, GRID, CELL_PX).mean(axis=(1, 3))


def bone_map(square: np.ndarray) -> np.ndarray:
    """Return float32 (64, 64) in [0, 1]: how much a cell of a uint8 film (256, 256) looks like bone."""
    low, high = np.percentile(square[::4, ::4], [1.0, 99.5])
    film = np.clip((square.astype(np.float32) - low) * (255 / max(40.0, high - low)), 0, 255)
    cells = film.reshape(GRID, CELL_PX, GRID, CELL_PX)
    grey = cells.mean(axis=(1, 3), dtype=float)
    smooth = box_mean(grey, _NEAR)
    exposed = smooth > _DARK
    if exposed.sum() < GRID:
        return np.zeros((GRID, GRID), dtype=np.float32)
    texture = box_mean(cells.std(axis=(1, 3)), _NEAR)
    # The mean of what is exposed: beside a black frame, soft tissue would look bright otherwise.
    around = box_mean(grey * exposed, _WIDE) / np.maximum(1e-3, box_mean(exposed.astype(float), _WIDE))
    # Brighter than its surroundings, and among the brighter half of what is exposed.
    middle, spread = np.median(smooth[exposed]), smooth[exposed].std() + 1.0
    score = 1.5 * (smooth - around) / spread + (smooth - middle) / spread
    likely = exposed * (texture > _FLAT) / (1 + np.exp(-3 * score))
    likely[:_FRAME] = likely[-_FRAME:] = 0
    likely[:, :_FRAME] = likely[:, -_FRAME:] = 0
    return (likely * ~_markers(likely > 0.3)).astype(np.float32)


def _markers(marked: np.ndarray) -> np.ndarray:
    """Return the connected parts that are too small for a bone: letters, numbers, lead markers."""
    from scipy.ndimage import label  # training only: the portal does without it

    parts, count = label(marked)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    small = sizes < _SMALLEST_PART * max(1, int(marked.sum()))
    small[0] = False
    return small[parts]


@lru_cache(maxsize=256)
def _disc_spectrum(radius: float) -> tuple[np.ndarray, float]:
    y, x = np.mgrid[:GRID, :GRID] - GRID // 2
    disc = (np.hypot(y, x) * CELL_PX <= max(radius, 0.75 * CELL_PX)).astype(float)
    return np.conj(rfft2(disc, s=(_DOUBLE, _DOUBLE))), float(disc.sum())


def mean_within(values: np.ndarray, *radii_px: float) -> list[np.ndarray]:
    """Return for each radius the means of values (64, 64) over discs around each cell; outside the film is nought."""
    spectrum = rfft2(values, s=(_DOUBLE, _DOUBLE))
    means = []
    for radius in radii_px:
        disc, count = _disc_spectrum(2.0 * round(radius / 2))
        found = irfft2(spectrum * disc, s=(_DOUBLE, _DOUBLE))
        half = GRID // 2
        means.append(np.roll(found, (half, half), axis=(0, 1))[:GRID, :GRID] / count)
    return means


def direction(patch: np.ndarray) -> tuple[float, float]:
    """Return the angle (radians, -pi/2 to pi/2) along which a grey patch runs, and how plainly (0 to 1).

    The least eigenvector of the structure tensor (Foerstner and Guelch 1987): edges of a shaft run along it.
    """
    down, across = np.gradient(patch.astype(float))
    xx, yy, xy = (across**2).mean(), (down**2).mean(), (across * down).mean()
    plainness = float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-6))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return float((angle + np.pi / 2) % np.pi - np.pi / 2), plainness
