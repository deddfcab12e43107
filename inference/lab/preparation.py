"""Grey-value preparation before training, compared as an approach of its own: none, CLAHE, denoising, both."""

from __future__ import annotations

import numpy as np


def prepare(squares: np.ndarray, kind: str) -> np.ndarray:
    """Return uint8 squares (N, H, W) prepared by `kind`: none, clahe, denoise or both."""
    if kind == "none":
        return squares
    raise NotImplementedError
