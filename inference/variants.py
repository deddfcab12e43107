"""The same film seen slightly differently: for averaging, and to find answers that hang on nothing."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

VARIANTS = ("original", "mirrored", "turned")
# The third variant: a few degrees, slightly nearer, slightly brighter; well inside what training saw.
_TURN_DEGREES, _NEARER, _GAMMA = 6.0, 0.95, 0.9


def variants_of(square: Tensor) -> Tensor:
    """Return float32 (3, 1, H, W) in the order of VARIANTS of one image (1, 1, H, W) in [0, 1]."""
    return torch.cat([square, square.flip(-1), turned(square)])


def turned(images: Tensor, degrees: float = _TURN_DEGREES, nearer: float = _NEARER, gamma: float = _GAMMA) -> Tensor:
    """Return images (N, 1, H, W) rotated by `degrees`, the side cropped to `nearer`, raised to the power `gamma`."""
    angle = math.radians(degrees)
    matrix = torch.tensor(
        [
            [math.cos(angle) * nearer, -math.sin(angle) * nearer, 0.0],
            [math.sin(angle) * nearer, math.cos(angle) * nearer, 0.0],
        ]
    ).expand(len(images), 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.clamp(0, 1) ** gamma
