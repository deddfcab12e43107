"""The same film seen slightly differently: for averaging, and to find answers that hang on nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.errors import WeightsError
from inference.prediction import ORIENTATION, UNSTABLE

VARIANTS = ("original", "mirrored", "turned")
QUARTER_TURNS = (0, 1, 2, 3)
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


def quarter_turns_of(square: Tensor) -> Tensor:
    """Return float32 (4, 1, H, H): one square image (1, 1, H, H) turned by 0, 90, 180 and 270 degrees to the left."""
    return torch.cat([square.rot90(turn, (-2, -1)) for turn in QUARTER_TURNS])


def _upright_cells(cells: np.ndarray) -> np.ndarray:
    """Mean of the maps (3, h, w) of VARIANTS; the turned one is left out: its outline lies elsewhere."""
    return (cells[0] + cells[1][:, ::-1]) / 2


def _turned_back_cells(cells: np.ndarray) -> np.ndarray:
    return np.mean([np.rot90(cells[turn], -turn) for turn in QUARTER_TURNS], axis=0)


@dataclass(frozen=True)
class Views:
    """How one film is seen V times.

    `of` makes the views of an image (1, 1, H, W), `cells` joins their maps (V, h, w) to the film's, `features` those of
    the head (V, D) to one (D,). The answer is withheld for `reason` where more than `dissenters` of the views would
    alone be called otherwise.
    """

    of: Callable[[Tensor], Tensor]
    cells: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], np.ndarray]
    reason: str
    dissenters: int


SMALL_CHANGES, TURNS = "small_changes", "quarter_turns"
_VIEWS = {
    SMALL_CHANGES: Views(variants_of, _upright_cells, lambda found: found[0], UNSTABLE, 0),
    # Averaged over all four, the answer does not depend on how the film lies.
    TURNS: Views(quarter_turns_of, _turned_back_cells, lambda found: found.mean(axis=0), ORIENTATION, 1),
}


def views_of_card(name: str) -> Views:
    """Return the views that a card names; WeightsError where there are none of that name."""
    if name not in _VIEWS:
        raise WeightsError("bad_card", f"The card asks for views named {name!r}; there are {', '.join(_VIEWS)}.")
    return _VIEWS[name]
