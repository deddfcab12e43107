"""Features before deep learning: gradient histograms (HOG), grey-level co-occurrence (GLCM), binary patterns (LBP)."""

from __future__ import annotations

import numpy as np
from PIL import Image

_SIDE = 128
_CELL = 16
_ANGLES = 9
_LEVELS = 32
_OFFSETS = tuple((d * y, d * x) for d in (1, 3) for y, x in ((0, 1), (1, 0), (1, 1), (1, -1)))
_RING = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
_PARTS = 4


def hog(image: np.ndarray) -> np.ndarray:
    """Dalal and Triggs 2005: nine unsigned directions in cells of 16 pixels, blocks of 2x2 cells, L2-Hys; (1764,).

    `image` is float (128, 128) in [0, 1].
    """
    down, right = np.gradient(np.sqrt(image))
    strength = np.hypot(down, right)
    place = (np.arctan2(down, right) % np.pi) / np.pi * _ANGLES
    lower = np.floor(place).astype(int)
    share = place - lower
    cells = _SIDE // _CELL
    rows, columns = np.indices(image.shape) // _CELL
    start = (rows * cells + columns) * _ANGLES
    counts = np.zeros(cells * cells * _ANGLES)
    for angle, weight in ((lower % _ANGLES, 1 - share), ((lower + 1) % _ANGLES, share)):
        counts += np.bincount((start + angle).ravel(), (weight * strength).ravel(), minlength=len(counts))
    grid = counts.reshape(cells, cells, _ANGLES)
    blocks = np.concatenate([grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]], axis=2)
    blocks = blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-4)
    blocks = np.minimum(blocks, 0.2)
    return (blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-4)).ravel()


def glcm(image: np.ndarray) -> np.ndarray:
    """Haralick et al. 1973: contrast, homogeneity, energy, correlation, entropy at two distances in four directions.

    `image` is float (H, W) in [0, 1]; 40 figures.
    """
    levels = np.minimum((image * _LEVELS).astype(int), _LEVELS - 1)
    i, j = np.indices((_LEVELS, _LEVELS))
    found = []
    for down, right in _OFFSETS:
        height, width = levels.shape
        first = levels[: height - down, max(0, -right) : width - max(0, right)]
        second = levels[down:, max(0, right) : width - max(0, -right)]
        pairs = np.bincount((first * _LEVELS + second).ravel(), minlength=_LEVELS**2).reshape(_LEVELS, _LEVELS)
        share = (pairs + pairs.T) / (2 * pairs.sum())
        mean = (i * share).sum()
        variance = ((i - mean) ** 2 * share).sum()
        found += [
            ((i - j) ** 2 * share).sum(),
            (share / (1 + (i - j) ** 2)).sum(),
            np.sqrt((share**2).sum()),
            ((i - mean) * (j - mean) * share).sum() / variance if variance > 1e-9 else 1.0,
            -(share * np.log2(share + 1e-12)).sum(),
        ]
    return np.array(found)


def _uniform_patterns() -> np.ndarray:
    """Return for each of 256 ring patterns its number: 58 with at most two changes, and one for all others."""
    numbers, used = np.full(256, 58), 0
    for pattern in range(256):
        bits = [(pattern >> place) & 1 for place in range(8)]
        if sum(bits[place] != bits[place - 1] for place in range(8)) <= 2:
            numbers[pattern], used = used, used + 1
    return numbers


_PATTERN = _uniform_patterns()


def lbp(image: np.ndarray, radius: int) -> np.ndarray:
    """Ojala et al. 2002: shares of the 59 uniform patterns of eight neighbours in each of 4x4 parts; (944,).

    Neighbours lie on the square of `radius`, without interpolation.
    """
    height, width = image.shape
    middle = image[radius : height - radius, radius : width - radius]
    pattern = np.zeros(middle.shape, dtype=int)
    for place, (down, right) in enumerate(_RING):
        top, left = radius * (1 + down), radius * (1 + right)
        pattern |= (image[top : top + middle.shape[0], left : left + middle.shape[1]] >= middle).astype(int) << place
    rows = np.arange(middle.shape[0]) * _PARTS // middle.shape[0]
    columns = np.arange(middle.shape[1]) * _PARTS // middle.shape[1]
    part = rows[:, None] * _PARTS + columns[None]
    counts = np.bincount((part * 59 + _PATTERN[pattern]).ravel(), minlength=_PARTS**2 * 59).reshape(_PARTS**2, 59)
    return np.sqrt(counts / counts.sum(axis=1, keepdims=True)).ravel()


def texture_features(squares: np.ndarray) -> np.ndarray:
    """Return float32 (N, 3692) of uint8 squares (N, H, W): HOG, GLCM, and LBP at radius 1 and 2, at 128 pixels."""
    found = []
    for square in squares:
        small = Image.fromarray(square).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        image = np.asarray(small).astype(np.float64) / 255
        parts = [hog(image), glcm(image), lbp(image, 1), lbp(image, 2)]
        found.append(np.concatenate(parts).astype(np.float32))
    return np.stack(found)
