"""Grey-value preparation before training, compared as an approach of its own: none, CLAHE, denoising, both, or the
stretching of dull films that the family does by itself where its card says so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from inference.contrast import stretched

_TILES = 8
_CLIP = 2.0
_MEDIAN = 3


def clahe(square: np.ndarray, tiles: int = _TILES, clip: float = _CLIP) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of uint8 (H, W).

    Each of tiles x tiles parts has its own curve; no grey value counts more than `clip` times the mean; between the
    middles of four parts their curves are mixed.
    """
    height, width = square.shape
    row = np.arange(height) * tiles // height
    column = np.arange(width) * tiles // width
    part = (row[:, None] * tiles + column[None]) * 256
    counts = np.bincount((part + square).ravel(), minlength=tiles * tiles * 256).reshape(-1, 256).astype(float)
    limit = clip * counts.sum(axis=1, keepdims=True) / 256
    excess = np.maximum(0, counts - limit).sum(axis=1, keepdims=True)
    curves = np.cumsum(np.minimum(counts, limit) + excess / 256, axis=1)
    curves = (255 * curves / curves[:, -1:]).reshape(tiles, tiles, 256)
    upper, lower, down = _neighbours(height, tiles)
    left, right, across = _neighbours(width, tiles)
    down, across = down[:, None], across[None]

    def seen(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return curves[rows[:, None], columns[None], square]

    top = seen(upper, left) * (1 - across) + seen(upper, right) * across
    bottom = seen(lower, left) * (1 - across) + seen(lower, right) * across
    return np.rint(top * (1 - down) + bottom * down).astype(np.uint8)


def _neighbours(length: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each pixel the parts whose middles lie before and behind it, and how far it is between them."""
    place = (np.arange(length) + 0.5) * tiles / length - 0.5
    before = np.floor(place)
    first = np.clip(before, 0, tiles - 1).astype(int)
    second = np.clip(before + 1, 0, tiles - 1).astype(int)
    return first, second, place - before


def denoise(square: np.ndarray) -> np.ndarray:
    """Median of 3x3 pixels of uint8 (H, W): removes grain and keeps the cortex's edge."""
    return np.asarray(Image.fromarray(square).filter(ImageFilter.MedianFilter(_MEDIAN)))


_STEPS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "none": (),
    "denoise": (denoise,),
    "clahe": (clahe,),
    "both": (denoise, clahe),
    "stretch": (stretched,),
}
PREPARATIONS = tuple(_STEPS)


def prepare(squares: np.ndarray, kind: str) -> np.ndarray:
    """Return uint8 squares (N, H, W) prepared by `kind`, one of PREPARATIONS; both: denoised first."""
    for step in _STEPS[kind]:
        squares = np.stack([step(square) for square in squares])
    return squares
