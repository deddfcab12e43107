"""Fingerprints by which copies of one image are known: its bytes, and a small map that survives re-encoding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from inference.errors import DataError, DecodeError
from inference.imaging.decode import decode_bytes

SIDE = 32
_SIGMA_CELLS = 1.5
_FLOOR = 2.0
_BLOCK = 64
# Copies score above .85 (98 of 100) after JPEG at quality 20 and a quarter of the side, gamma .6 to 1.6, or a loss of
# 1 % at each edge. Different films of one projection, knees above all, reach .77. Measured on BTXRD in eight positions.
TWIN_THRESHOLD = 0.82
# Position i is numpy.rot90(image, i % 4) of the image as it is (below 4) or mirrored left to right (from 4).
POSITIONS = (
    "as it is", "turned by 90", "turned by 180", "turned by 270",
    "mirrored", "mirrored, turned by 90", "mirrored, turned by 180", "mirrored, turned by 270",
)  # fmt: skip


@dataclass(frozen=True)
class Fingerprints:
    """Of N images: sha256 of the bytes, and maps float32 (N, SIDE, SIDE) of zero mean and unit length."""

    sha256: list[str]
    maps: np.ndarray


@dataclass(frozen=True)
class Match:
    """The most similar other image of one image: its index, the correlation in [0, 1], and how it must be turned."""

    index: int
    correlation: float
    position: str
    inverted: bool


def fingerprints(paths: Sequence[Path]) -> Fingerprints:
    """Read every image file once; an unreadable one is a DataError that names it."""
    digests: list[str] = []
    small = np.empty((len(paths), SIDE, SIDE), dtype=np.float32)
    for index, path in enumerate(paths):
        try:
            data = path.read_bytes()
            grey = decode_bytes(data).grey
        except (DecodeError, OSError) as error:
            raise DataError("unreadable_image", f"{path.name} cannot be read as an image.") from error
        digests.append(hashlib.sha256(data).hexdigest())
        small[index] = _shrink(grey)
    return Fingerprints(digests, local_contrast(small))


def _shrink(grey: np.ndarray) -> np.ndarray:
    how = Image.Resampling.BOX if min(grey.shape) >= SIDE else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).convert("F").resize((SIDE, SIDE), how))


def local_contrast(small: np.ndarray) -> np.ndarray:
    """Return maps (N, SIDE, SIDE): each cell against its surroundings, in units of the surroundings' spread.

    Plain grey values would make twins of all films of a limb: a bright shaft on dark ground. What is local differs
    between patients, and neither exposure nor contrast changes it.
    """
    blur = _blur_matrix()
    detail = small - blur @ small @ blur.T
    spread = np.sqrt(np.maximum(blur @ (detail * detail) @ blur.T, 0.0))
    maps = detail / (spread + _FLOOR)
    maps = maps - maps.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((maps * maps).sum(axis=(1, 2), keepdims=True))
    return (maps / np.maximum(length, 1e-6)).astype(np.float32)


def _blur_matrix() -> np.ndarray:
    """Return float32 (SIDE, SIDE): Gaussian weights, each row of sum 1, the same read from either end."""
    distance = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    weights = np.exp(-0.5 * (distance / _SIGMA_CELLS) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def nearest(maps: np.ndarray, others: np.ndarray) -> list[Match]:
    """Return for each map (N, SIDE, SIDE) its best match among `others`, in eight positions and both polarities."""
    table = others.reshape(len(others), -1).T
    matches: list[Match] = []
    for start in range(0, len(maps), _BLOCK):
        block = maps[start : start + _BLOCK]
        best = np.full(len(block), -1.0, dtype=np.float32)
        found = np.zeros((len(block), 3), dtype=np.int64)
        for position in range(len(POSITIONS)):
            turned = np.rot90(block if position < 4 else block[:, :, ::-1], position % 4, (1, 2))
            scores = turned.reshape(len(block), -1) @ table
            index = np.abs(scores).argmax(axis=1)
            score = scores[np.arange(len(block)), index]
            better = np.abs(score) > best
            best[better] = np.abs(score)[better]
            found[better] = np.stack([index, np.full(len(block), position), score < 0], axis=1)[better]
        matches += [
            Match(int(index), min(float(score), 1.0), POSITIONS[position], bool(inverted))
            for score, (index, position, inverted) in zip(best, found, strict=True)
        ]
    return matches
