"""What a film looks like in a few numbers, for drift monitoring. No torch, no identity."""

import numpy as np

from inference.imaging.prepare import common_square


def input_stats(canonical: np.ndarray) -> dict[str, float]:
    """Grey mean and spread (standard deviation, both of 255) of the square that the model reads, and the size.

    The same two figures of the training films stand in a card's ``reference``.

    Args:
        canonical: uint8 (H, W).
    """
    square = common_square(canonical)
    height, width = canonical.shape
    return {
        "grey_mean": round(float(square.mean()), 4),
        "grey_spread": round(float(square.std()), 4),
        "megapixels": round(height * width / 1e6, 4),
    }
