"""Lesions moved from film to film, healthy bone moved with the same seams: neither scanner nor seam tells the class.

Both go through the same steps: cut with a margin, size, place on bone that fits, turn along the bone, match the grey of
the ring, blend. A lesion brings its outline and class; healthy bone changes nothing that is taught.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from inference.lab.recipes.blending import grown, multi_band, poisson
from inference.lab.recipes.bone import CELL_PX, GRID, direction, mean_within

SIDE = GRID * CELL_PX
_SMALLEST_PX = 12
_LARGEST = 0.62
_SIZES = (-0.55, 0.35)
_CHOICE = 24
_WORST_FIT = 0.55
_LEAST_BONE = 0.1
_PLAIN = 0.12
_JITTER = np.pi / 18
# A lesion that changes its place by less than this (of 255) would be a label without a finding.
_SEEN = 4.0
_BURNT = 0.015


@dataclass(frozen=True)
class Piece:
    """A region (H, W) of a film (256, 256) that may be cut out; `bone` is the film's bone map."""

    film: np.ndarray
    region: np.ndarray
    bone: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right of the region."""
        rows, columns = np.flatnonzero(self.region.any(axis=1)), np.flatnonzero(self.region.any(axis=0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def can_be_cut(mask: np.ndarray) -> bool:
    """Whether a lesion (256, 256) is large enough to be seen elsewhere and leaves bone around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows) or mask.sum() < _SMALLEST_PX:
        return False
    return bool(max(np.ptp(rows), np.ptp(columns)) < _LARGEST * SIDE)


def _radii(piece: Piece, scale: float) -> tuple[float, float]:
    """Radius in pixels of the region as a disc, and of the disc with the margin around it."""
    inner = scale * float(np.sqrt(piece.region.sum() / np.pi))
    return inner, inner + 6 + 0.35 * inner


def _place(piece: Piece, bone: np.ndarray, taken: np.ndarray, scale: float, rng: np.random.Generator) -> tuple | None:
    """Choose (row, column) in pixels where bone fits that around the piece, None where nothing does.

    Inside, the whole ring's bone is expected: a hole in a bone belongs where there is bone.
    """
    top, left, bottom, right = piece.box
    row, column = (top + bottom) // 2 // CELL_PX, (left + right) // 2 // CELL_PX
    inner, outer = _radii(piece, 1.0)
    within, around = (float(found[row, column]) for found in mean_within(piece.bone, inner, outer))
    inner, outer = _radii(piece, scale)
    found_within, found_around = mean_within(bone, inner, outer)
    misfit = np.abs(found_within - max(within, around, 0.3)) + np.abs(found_around - around)
    misfit = misfit + 9.0 * (found_around < _LEAST_BONE)
    if taken.any():
        misfit = misfit + 9.0 * (mean_within(taken, outer)[0] > 0.01)
    edge = min(GRID // 2 - 2, int(0.7 * inner / CELL_PX) + 1)
    open_places = np.full((GRID, GRID), np.inf)
    open_places[edge:-edge, edge:-edge] = misfit[edge:-edge, edge:-edge]
    best = np.argsort(open_places, axis=None)[:_CHOICE]
    best = best[open_places.ravel()[best] < _WORST_FIT]
    if not len(best):
        return None
    chosen = divmod(int(rng.choice(best)), GRID)
    return chosen[0] * CELL_PX + CELL_PX // 2, chosen[1] * CELL_PX + CELL_PX // 2


def _window(film: np.ndarray, row: int, column: int, radius: int) -> np.ndarray:
    return film[max(0, row - radius) : row + radius, max(0, column - radius) : column + radius]


def _turn(piece: Piece, film: np.ndarray, place: tuple[int, int], scale: float, rng: np.random.Generator) -> float:
    """The angle (radians) that lays the piece along the bone at its new place; any where no bone runs plainly."""
    top, left, bottom, right = piece.box
    radius = int(_radii(piece, 1.0)[1]) + 6
    own, plain = direction(_window(piece.film, (top + bottom) // 2, (left + right) // 2, radius))
    there, plain_there = direction(_window(film, *place, int(_radii(piece, scale)[1]) + 6))
    if min(plain, plain_there) < _PLAIN:
        return float(rng.uniform(-np.pi, np.pi))
    return there - own + float(rng.normal(0, _JITTER)) + np.pi * int(rng.integers(2))


def _moved(piece: Piece, place: tuple[int, int], scale: float, turn: float, flip: bool) -> tuple[np.ndarray, ...]:
    """Return film, region and known area (256, 256) of the piece, its middle at `place`, sized and turned."""
    top, left, bottom, right = piece.box
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    # From new to old pixels: turned back, sized back; mirrored across the bone where asked.
    back = np.array([[cos, sin], [-sin, cos]])
    if flip:
        back = np.array([[1.0, 0.0], [0.0, -1.0]]) @ back
    offset = middle - back @ np.array([place[1], place[0]])
    data = (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1])

    def warped(values: np.ndarray) -> np.ndarray:
        image = Image.fromarray(values.astype(np.uint8))
        return np.asarray(image.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))

    known = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    return warped(piece.film), warped((piece.region > 0) * 255) > 127, warped(known) > 250


def _matched(piece: np.ndarray, film: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return the piece with grey mean and spread of the film in the ring around the region."""
    own, there = piece[ring].astype(float), film[ring].astype(float)
    gain = float(np.clip((there.std() + 1) / (own.std() + 1), 0.6, 1.35))
    return (piece - own.mean()) * gain + there.mean()


def transplant(
    film: np.ndarray, bone: np.ndarray, taken: np.ndarray, piece: Piece, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a uint8 film (256, 256) with the piece in it and the piece's region there, None where it fits nowhere.

    `bone` is the film's bone map, `taken` (64, 64) what must stay as it is, for instance its own lesion.
    """
    scale = float(np.exp(rng.uniform(*_SIZES)))
    place = _place(piece, bone, taken, scale, rng)
    if place is None:
        return None
    turn = _turn(piece, film, place, scale, rng)
    moved, region, known = _moved(piece, place, scale, turn, flip=bool(rng.integers(2)))
    if region.sum() < _SMALLEST_PX:
        return None
    margin = int(3 + 0.12 * np.sqrt(region.sum()) + rng.integers(4))
    inside = grown(region, margin) & known
    ring = inside & ~region
    if ring.sum() < _SMALLEST_PX:
        return None
    matched = _matched(moved, film, ring)
    rows, columns = _around(inside, margin)
    blend = poisson if rng.integers(2) else multi_band
    out = film.copy()
    blended = blend(film[rows, columns], matched[rows, columns], inside[rows, columns])
    out[rows, columns] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    burnt = np.mean(blended >= 255) - np.mean(film[rows, columns] >= 254)
    if burnt > _BURNT or np.abs(out[region].astype(float) - film[region]).mean() < _SEEN:
        return None
    return out, region


def _around(inside: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    width = margin + 10
    return (
        slice(max(0, int(rows[0]) - width), min(SIDE, int(rows[-1]) + width)),
        slice(max(0, int(columns[0]) - width), min(SIDE, int(columns[-1]) + width)),
    )


def healthy_piece(film: np.ndarray, bone: np.ndarray, shape: np.ndarray, rng: np.random.Generator) -> Piece | None:
    """Return healthy bone cut to the outline of a lesion `shape` (256, 256), None where there is no room."""
    likely = mean_within(bone, 10.0)[0]
    best = np.argsort(likely, axis=None)[-4 * _CHOICE :]
    best = best[likely.ravel()[best] > 0.4]
    if not len(best):
        return None
    row, column = divmod(int(rng.choice(best)), GRID)
    rows, columns = np.nonzero(shape)
    rows = rows - int(rows.mean()) + row * CELL_PX
    columns = columns - int(columns.mean()) + column * CELL_PX
    inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
    region = np.zeros((SIDE, SIDE), dtype=np.uint8)
    region[rows[inside], columns[inside]] = 1
    return Piece(film, region, bone) if can_be_cut(region) else None
