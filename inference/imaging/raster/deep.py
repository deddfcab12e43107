"""Samples of more than 8 bits as they are stored. Pillow keeps the upper byte of deep colour and knows no 64 bits.

Its decoders undo compression and filters by bytes, whatever the bytes mean: told of another picture with as many bytes
a pixel, they hand over all of them, in one pass or in two (the even bytes of each sample, then the odd ones).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageFile

from inference.imaging.limits import Limits, refusal

_ROWS = 128
_TOP = 65535
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
# The picture of Pillow, luminance, and what is made of it.
_BYTES_PER_PIXEL = 12

Reopen = Callable[[], Image.Image]


def afford(image: Image.Image, limits: Limits) -> None:
    """Refuse a deep picture that would need more memory than there is, from its header; raises too_much_memory."""
    if image.size[0] * image.size[1] * _BYTES_PER_PIXEL > limits.memory_bytes:
        raise refusal("too_much_memory")


def four_bytes(image: Image.Image, dtype: str) -> np.ndarray:
    """Return (H, W, n) of a picture of four bytes a pixel, read as n numbers of `dtype`, e.g. ">u2" or "<f4"."""
    raw: np.ndarray = np.ascontiguousarray(_told(image, "RGBA", "RGBA"))
    return raw.reshape(-1, 4).view(dtype).reshape(image.size[1], image.size[0], -1)


def eight_bytes(reopen: Reopen, dtype: str) -> np.ndarray:
    """Return (H, W) of a picture of eight bytes a pixel, read as `dtype`."""
    both = [np.asarray(_told(reopen(), "RGBA", f"RGBA;16{order}")) for order in ("B", "L")]
    raw = np.ascontiguousarray(np.stack(both, axis=-1))
    return raw.reshape(-1, 8).view(dtype).reshape(raw.shape[:2])


def colour_luminance(reopen: Reopen, samples: int, *, big_endian: bool, weighs_alpha: bool) -> np.ndarray:
    """Return luminance as uint16 (H, W) of 16-bit RGB or, with four samples, RGBA.

    Args:
        weighs_alpha: whether the fourth sample is opacity that is still to be multiplied in, over black.
    """
    mode = "RGB" if samples == 3 else "RGBA"
    upper, lower = ("B", "L") if big_endian else ("L", "B")
    # Luminance is linear, so the lower bytes can be mixed first and kept in two bytes a pixel: 256 steps of each unit.
    low = _told(reopen(), mode, f"{mode};16{lower}")
    mixed = np.empty((low.size[1], low.size[0]), np.uint16)
    for first, rows in _strips(low):
        mixed[first : first + len(rows)] = _mixed(rows) * 256.0
    opacity = np.asarray(low.getchannel("A")) if weighs_alpha else None
    del low
    for first, rows in _strips(_told(reopen(), mode, f"{mode};16{upper}")):
        part = slice(first, first + len(rows))
        values = _mixed(rows) * 256.0 + mixed[part] / 256.0
        if opacity is not None:
            values *= (rows[..., 3] * 256.0 + opacity[part]) / _TOP
        mixed[part] = np.clip(np.rint(values), 0, _TOP)
    return mixed


def grey_with_alpha(pairs: np.ndarray, *, weighs_alpha: bool = True) -> np.ndarray:
    """Return uint16 (H, W) of grey and opacity (H, W, 2), over black."""
    out: np.ndarray = np.empty(pairs.shape[:2], np.uint16)
    for first in range(0, len(out), _ROWS):
        rows = pairs[first : first + _ROWS].astype(np.float64)
        out[first : first + _ROWS] = np.rint(rows[..., 0] * rows[..., 1] / _TOP if weighs_alpha else rows[..., 0])
    return out


def _mixed(rows: np.ndarray) -> np.ndarray:
    return rows[..., :3].astype(np.float32) @ np.array(_LUMINANCE, np.float32)


def _strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, rows), so that no second copy of the picture is held."""
    width, height = image.size
    for first in range(0, height, _ROWS):
        yield first, np.asarray(image.crop((0, first, width, min(height, first + _ROWS))))


def _told(image: Image.Image, mode: str, raw_mode: str) -> Image.Image:
    """Load a picture that was only opened as `mode`, its bytes in the order of `raw_mode`."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        raise refusal("unreadable")
    image._mode = mode
    tiles = []
    for tile in image.tile:
        args = tile.args
        if isinstance(args, tuple):
            tiles.append(tile._replace(args=(raw_mode, *args[1:])))
        else:
            tiles.append(tile._replace(args=raw_mode))
    image.tile = tiles
    image.load()
    return image
