"""From the canonical image to what a network reads. Training and portal call this same function."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Frame:
    """Where a film lies on the square that it was fitted into, as shares of the square's side."""

    left: float
    top: float
    width: float
    height: float

    def on_film(self, x: float, y: float) -> tuple[float, float]:
        """Return a place on the square (shares of its side) as shares of the film's width and height."""
        return (x - self.left) / self.width, (y - self.top) / self.height

    def on_square(self, x: float, y: float) -> tuple[float, float]:
        """Return a place on the film (shares of its width and height) as shares of the square's side."""
        return self.left + x * self.width, self.top + y * self.height


def fitted_square(canonical: np.ndarray, side: int) -> tuple[np.ndarray, Frame]:
    """Return uint8 (side, side) with the whole film in its own proportions, black around it, and where it lies."""
    height, width = canonical.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
    shrunk = Image.fromarray(np.ascontiguousarray(canonical)).resize(size, how)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.zeros((side, side), dtype=np.uint8)
    square[top : top + size[1], left : left + size[0]] = np.asarray(shrunk)
    return square, Frame(left / side, top / side, size[0] / side, size[1] / side)
