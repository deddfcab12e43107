"""Images that hold no anatomy at all (plain, gradient, noise, stripes, writing): the gate must have seen them too."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("plain", "gradient", "noise", "stripes", "writing", "shapes")


def _gradient(rng: np.random.Generator, side: int) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] / (side - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    radial = np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5))
    ramp = radial if rng.random() < 0.4 else x * np.cos(angle) + y * np.sin(angle)
    ramp = (ramp - ramp.min()) / (ramp.max() - ramp.min())
    low, high = np.sort(rng.uniform(0, 255, 2))
    ramp = ramp if rng.random() < 0.5 else 1 - ramp
    return low + ramp * (high - low)


def _noise(rng: np.random.Generator, side: int) -> np.ndarray:
    cell = int(rng.choice([1, 2, 4, 8, 16, 32]))
    small = rng.uniform(0, 255, (side // cell, side // cell)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BILINEAR)).astype(float)


def _stripes(rng: np.random.Generator, side: int) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side]
    period, angle = rng.uniform(4, 80), rng.uniform(0, np.pi)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave)
    return 127.5 + wave * rng.uniform(20, 127)


def _writing(rng: np.random.Generator, side: int) -> np.ndarray:
    dark = rng.random() < 0.5
    image = Image.new("L", (side, side), 20 if dark else 235)
    draw = ImageDraw.Draw(image)
    size = int(rng.integers(9, 40))
    for row in range(int(rng.integers(0, side // 3)), side, size + 3):
        text = "".join(chr(int(code)) for code in rng.integers(33, 126, int(rng.integers(3, 60))))
        draw.text((int(rng.integers(2, side // 2)), row), text, fill=235 if dark else 20, font_size=size)
    return np.asarray(image).astype(float)


def _shapes(rng: np.random.Generator, side: int) -> np.ndarray:
    image = Image.new("L", (side, side), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 8))):
        left, top = rng.integers(-20, side - 10, 2).tolist()
        width, height = rng.integers(10, side, 2).tolist()
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((left, top, left + width, top + height), fill=int(rng.integers(0, 256)))
    return np.asarray(image).astype(float)


_MAKERS = {"gradient": _gradient, "noise": _noise, "stripes": _stripes, "writing": _writing, "shapes": _shapes}


def synthetic_image(kind: str, rng: np.random.Generator, side: int = 256) -> np.ndarray:
    """Return one uint8 (side, side) image of a kind in KINDS; the same generator state gives the same image."""
    made = np.full((side, side), rng.uniform(0, 255)) if kind == "plain" else _MAKERS[kind](rng, side)
    grain = rng.normal(0, rng.choice([0.0, 2.0, 6.0]), made.shape)
    return np.clip(made + grain, 0, 255).astype(np.uint8)


def synthetic_squares(count: int, seed: int) -> np.ndarray:
    """Return uint8 (count, 256, 256), the kinds in turn."""
    rng = np.random.default_rng(seed)
    return np.stack([synthetic_image(KINDS[index % len(KINDS)], rng) for index in range(count)])
