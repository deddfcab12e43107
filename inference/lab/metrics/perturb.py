"""Small changes of a film that should not change an answer: turning, cropping, grey values, what files do."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

_NOISE_GREY = 8.0
_BLUR_PX = 1.0
_CONTRAST = 0.75
_SEED = 5


def _turned(square: np.ndarray, degrees: float) -> np.ndarray:
    fill = int(np.median(np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])))
    return np.asarray(Image.fromarray(square).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=fill))


def _cropped(square: np.ndarray) -> np.ndarray:
    """Cut one twentieth of the side off every edge: 10 % of height and width."""
    side = square.shape[0]
    edge = round(side * 0.05)
    inner = Image.fromarray(square[edge : side - edge, edge : side - edge])
    return np.asarray(inner.resize((side, side), Image.Resampling.BILINEAR))


def _flatter(square: np.ndarray) -> np.ndarray:
    middle = float(square.mean())
    return np.clip((square - middle) * _CONTRAST + middle, 0, 255).round().astype(np.uint8)


def _jpeg(square: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(square).save(buffer, format="JPEG", quality=50)
    return np.asarray(Image.open(buffer))


def _noisy(square: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(_SEED).normal(0, _NOISE_GREY, square.shape)
    return np.clip(square + noise, 0, 255).round().astype(np.uint8)


def _blurred(square: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(_BLUR_PX)))


PERTURBATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rotate_plus_10": lambda square: _turned(square, 10),
    "rotate_minus_10": lambda square: _turned(square, -10),
    "crop_10": _cropped,
    "contrast": _flatter,
    "inversion": lambda square: 255 - square,
    "blur": _blurred,
    "jpeg_50": _jpeg,
    "noise": _noisy,
}


def perturbed(squares: np.ndarray, name: str) -> np.ndarray:
    """Return uint8 squares (N, 256, 256), each changed by the perturbation `name`; the same every time."""
    return np.stack([PERTURBATIONS[name](square) for square in squares])
