"""A saliency map as a transparent picture that a page or a report lays over the film."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

# The map itself has a few dozen cells; whoever shows it enlarges it smoothly.
MAX_SIDE_PX = 256
_SILENT_BELOW = 64
_ALPHA_TOP = 190
# One amber ramp: lightness rises with the value, so that it reads in grey print and to colour-blind eyes too.
_RAMP = ((0, (84, 36, 0)), (96, (168, 84, 0)), (176, (235, 150, 20)), (255, (255, 226, 130)))


def colour_table() -> np.ndarray:
    """Return uint8 (256, 4): RGBA for each saliency value, wholly transparent where it is low."""
    places = [place for place, _ in _RAMP]
    values = np.arange(256)
    channels = [np.interp(values, places, [colour[index] for _, colour in _RAMP]) for index in range(3)]
    alpha = np.clip((values - _SILENT_BELOW) / (255 - _SILENT_BELOW), 0, 1) * _ALPHA_TOP
    return np.stack([*channels, alpha], axis=1).round().astype(np.uint8)


def saliency_png(saliency: np.ndarray, width_px: int, height_px: int) -> bytes:
    """Return a PNG (a palette with transparency) in the proportions of a film of `width_px` x `height_px`.

    Its long side is at most MAX_SIDE_PX. `saliency` is uint8 (h, w), 0 to 255, stretched over the whole film.
    """
    shrink = min(1.0, MAX_SIDE_PX / max(width_px, height_px))
    size = (max(1, round(width_px * shrink)), max(1, round(height_px * shrink)))
    smooth = Image.fromarray(saliency).resize(size, Image.Resampling.BICUBIC)
    # A palette of 256 colours with transparency is the same picture as RGBA, at a quarter of the work.
    table = colour_table()
    picture = Image.frombytes("P", size, smooth.tobytes())
    picture.putpalette(table[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=1, transparency=table[:, 3].tobytes())
    return buffer.getvalue()
