"""Copies of one film turned by any angle or mirrored, as training sets for sale hold them: one film, not many."""

from __future__ import annotations

import numpy as np
from PIL import Image

_SIDE, _THUMB = 96, 40
# Of the thumbnail's side: what stays inside the film whatever the angle.
_RADIUS = 0.36
_STEP_DEGREES = 6
# Of 247 files of one source: at .90 films of different people are joined (59 groups), from .93 to .97 next to nothing
# changes (84 to 90 groups), and the groups looked at hold copies of one film.
ALIKE = 0.95


def groups_of_turned_copies(films: list[Image.Image], alike: float = ALIKE) -> np.ndarray:
    """Return the group (N,) of each film: films are joined where the grey values of their middles, one of them turned
    or mirrored, correlate at `alike` or more, directly or over others."""
    if not films:
        return np.zeros(0, dtype=int)
    small = [film.convert("L").resize((_SIDE, _SIDE)) for film in films]
    upright = np.stack([_middle(film) for film in small])
    best = np.zeros((len(small), len(small)))
    for film, row in zip(small, best, strict=True):
        turned = [
            _middle(way.rotate(angle)) for way in (film, _mirrored(film)) for angle in range(0, 360, _STEP_DEGREES)
        ]
        row[:] = (np.stack(turned) @ upright.T).max(axis=0)
    return _joined(np.maximum(best, best.T) >= alike)


def _mirrored(film: Image.Image) -> Image.Image:
    return film.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _middle(film: Image.Image) -> np.ndarray:
    """The grey values of the middle of a film, less their mean, of length 1; zeros where they are all alike."""
    rows, columns = np.mgrid[:_THUMB, :_THUMB] - (_THUMB - 1) / 2
    inside = np.hypot(rows, columns) < _THUMB * _RADIUS
    grey = np.asarray(film.resize((_THUMB, _THUMB), Image.Resampling.BOX), dtype=float)[inside]
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    return grey / length if length > 1e-6 else grey * 0


def _joined(pairs: np.ndarray) -> np.ndarray:
    """Number the connected parts of a symmetric relation bool (N, N), in the order of their first members."""
    groups = np.full(len(pairs), -1)
    for first in range(len(pairs)):
        if groups[first] >= 0:
            continue
        number, waiting = groups.max() + 1, [first]
        while waiting:
            place = waiting.pop()
            if groups[place] < 0:
                groups[place] = number
                waiting += np.flatnonzero(pairs[place] & (groups < 0)).tolist()
    return groups
