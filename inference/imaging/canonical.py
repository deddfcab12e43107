"""The canonical image: one grey uint8 array per film, from which everything is shown, computed and hashed."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

PREPROCESSING_VERSION = "1"
MAX_SIDE_PX = 4096
_PNG_COMPRESS_LEVEL = 1


def canonicalise(grey: np.ndarray) -> np.ndarray:
    """Return `grey` as contiguous uint8 (H, W) whose long side is at most MAX_SIDE_PX, shrunk by area if it was larger.

    `grey` is uint8 (H, W), bone bright, with square pixels; anything else raises ValueError.
    """
    if grey.ndim != 2 or grey.dtype != np.uint8 or 0 in grey.shape:
        raise ValueError("a canonical image is a non-empty uint8 array of shape (height, width)")
    height, width = grey.shape
    longest = max(height, width)
    if longest > MAX_SIDE_PX:
        size = (max(1, round(width * MAX_SIDE_PX / longest)), max(1, round(height * MAX_SIDE_PX / longest)))
        grey = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    return np.ascontiguousarray(grey)


def canonical_sha256(array: np.ndarray) -> str:
    """Return the sha256 over shape and pixels, so that two images that differ only in shape do not collide."""
    digest = hashlib.sha256(f"{array.shape[0]}x{array.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode_png(array: np.ndarray) -> bytes:
    """Return the image as a grey PNG, compressed lightly because it is written once and read over a local network."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG", compress_level=_PNG_COMPRESS_LEVEL)
    return buffer.getvalue()
