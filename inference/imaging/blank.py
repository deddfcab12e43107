"""Images that hold nothing to judge: next to no grey values, or only a smooth ramp."""

from __future__ import annotations

import numpy as np
from PIL import Image

_GREY_SPAN = 10
# Second differences on a 32 x 32 grid. Ramps with strong grain reach 8; the plainest film of the training parts has 10.
_DETAIL = 9


def is_blank(square: np.ndarray) -> bool:
    """True where a square (256, 256) uint8 holds next to no grey values or only a smooth ramp: nothing to judge."""
    reached = np.cumsum(np.bincount(square.ravel(), minlength=256)) / square.size
    low, high = np.searchsorted(reached, [0.01, 0.99])
    if high - low < _GREY_SPAN:
        return True
    coarse = np.asarray(Image.fromarray(square).reduce(8), dtype=np.int16)
    across = coarse[1:-1, :-2] + coarse[1:-1, 2:] + coarse[:-2, 1:-1] + coarse[2:, 1:-1]
    return bool(np.percentile(np.abs(4 * coarse[1:-1, 1:-1] - across), 95) < _DETAIL)
