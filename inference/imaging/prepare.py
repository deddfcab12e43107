"""From the canonical image to what a network reads. Training and portal call this same function."""

from __future__ import annotations

import numpy as np
from PIL import Image

COMMON_SIDE_PX = 256


def common_square(canonical: np.ndarray) -> np.ndarray:
    """Return uint8 (256, 256): the film stretched to a square, shrunk by area or enlarged bilinearly.

    The training copies exist only in this form; passing every film through it makes an original and its copy alike.
    """
    if canonical.shape == (COMMON_SIDE_PX, COMMON_SIDE_PX):
        return canonical
    image = Image.fromarray(np.ascontiguousarray(canonical))
    side = COMMON_SIDE_PX
    shrinks = min(image.size) >= side
    # Averaging by area comes closest to how the training copies were made; on enlarging it would leave blocks.
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(image.resize((side, side), how))


def model_input(canonical: np.ndarray, size: int = 224) -> np.ndarray:
    """Return float32 (size, size) in [0, 1], antialiased, from a canonical uint8 image (H, W) of any size."""
    square = common_square(canonical)
    if size != COMMON_SIDE_PX:
        square = np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))
    return square.astype(np.float32) / 255.0
