"""Putting a piece of one film into another without a step in grey: gradient-domain and multi-band blending."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

_BANDS = (2.0, 5.0)


def softened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Return float64 (h, w) in [0, 1]: a mask with a Gaussian edge."""
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).astype(float) / 255


def grown(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return bool (h, w): a mask with `radius` pixels around it."""
    if radius < 1:
        return mask > 0
    image = Image.fromarray(((mask > 0) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius / 1.5))) > 16


def _blurred(values: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).astype(float)


def multi_band(below: np.ndarray, piece: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Blend `piece` into `below` where `inside`, coarse bands over a wide edge (Burt and Adelson 1983); all (h, w)."""
    out = np.zeros(below.shape)
    rest_below, rest_piece = below.astype(float), piece.astype(float)
    for radius in _BANDS:
        smooth_below, smooth_piece = _blurred(rest_below, radius), _blurred(rest_piece, radius)
        share = softened(inside, radius / 2)
        out += share * (rest_piece - smooth_piece) + (1 - share) * (rest_below - smooth_below)
        rest_below, rest_piece = smooth_below, smooth_piece
    share = softened(inside, _BANDS[-1])
    return out + share * rest_piece + (1 - share) * rest_below


def poisson(below: np.ndarray, piece: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Blend so that the gradients inside are those of `piece` (Perez et al. 2003); the border stays that of `below`.

    The equation is solved on the whole rectangle by the discrete sine transform, with gradients mixed over a soft edge.
    """
    from scipy.fft import dstn, idstn  # training only: the portal does without it

    share = softened(inside, 1.5)
    down = _mixed(below, piece, share, axis=0)
    across = _mixed(below, piece, share, axis=1)
    divergence = np.diff(down, axis=0)[:, 1:-1] + np.diff(across, axis=1)[1:-1, :]
    edge = below.astype(float).copy()
    edge[1:-1, 1:-1] = 0
    # What the known border contributes goes to the other side of the equation.
    divergence -= edge[:-2, 1:-1] + edge[2:, 1:-1] + edge[1:-1, :-2] + edge[1:-1, 2:]
    height, width = divergence.shape
    rows = 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1)) - 2
    columns = 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1)) - 2
    found = idstn(dstn(divergence, type=1) / (rows[:, None] + columns[None]), type=1)
    out = below.astype(float).copy()
    out[1:-1, 1:-1] = found
    return out


def _mixed(below: np.ndarray, piece: np.ndarray, share: np.ndarray, axis: int) -> np.ndarray:
    """Return the differences along an axis, of `piece` where `share` is high and of `below` elsewhere."""
    first = share[:-1] if axis == 0 else share[:, :-1]
    second = share[1:] if axis == 0 else share[:, 1:]
    weight = np.minimum(first, second)
    return weight * np.diff(piece.astype(float), axis=axis) + (1 - weight) * np.diff(below.astype(float), axis=axis)
