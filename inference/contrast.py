"""Contrast of dull films: an underexposed or badly exported film holds its bone in a few grey values. Numpy only."""

from __future__ import annotations

import numpy as np

# What the middle 97.5 % of a film's grey values span at least after stretching, of 255.
_SPAN = 200.0
_LOW, _HIGH = 1.0, 98.5
# Darker than this is frame, not film; a film of which a tenth is no frame is measured inside.
_FRAME, _LEAST_FILM = 2, 0.1
_MOST_GAIN = 16.0


def stretched(square: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W): a film of little contrast spread over the grey values, any other as it is.

    The span is measured between the 1st and the 98.5th percentile inside the black frame, so that lead markers do not
    count. The gain grows from 1, and the black end goes to 0, without a step: films that differ little stay alike.
    """
    inside = square[square > _FRAME] if (square > _FRAME).mean() > _LEAST_FILM else square
    low, high = (float(value) for value in np.percentile(inside, (_LOW, _HIGH)))
    gain = min(_MOST_GAIN, _SPAN / max(1.0, high - low))
    if gain <= 1:
        return square
    floor = low * max(0.0, 1 - 2 * (gain - 1))
    spread: np.ndarray = np.clip(np.rint((square - low) * gain + floor), 0, 255).astype(np.uint8)
    return spread
