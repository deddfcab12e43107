"""True outlines as 64 x 64 cells, connected regions of many films at once, and how regions and lesions overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from inference.lab.data.folder import LabelledFilm, read_grey

CELLS = 64
HIT_IOU = 0.1
SIZES = (
    ("under 0.1 %", 0.0, 0.001),
    ("0.1 to 1 %", 0.001, 0.01),
    ("1 to 5 %", 0.01, 0.05),
    ("over 5 %", 0.05, 1.01),
)


@dataclass(frozen=True)
class Truth:
    """The drawn outlines: cells bool (N, 64, 64), area float (N,) as a share of the film (nan without an outline).

    A cell is lesion where the outline covers at least half of it; an outline too small for that keeps the cell (or
    cells) that it covers most. The area is measured on the mask as drawn, not on the cells.
    """

    cells: np.ndarray
    area: np.ndarray

    @property
    def drawn(self) -> np.ndarray:
        """bool (N,): films with an outline."""
        return np.isfinite(self.area)

    def sizes(self) -> dict[str, np.ndarray]:
        """Return bool (N,) per lesion size, by share of the film's area."""
        return {name: self.drawn & (self.area >= low) & (self.area < high) for name, low, high in SIZES}


def _read(path: Path) -> tuple[np.ndarray, float]:
    lesion = read_grey(path) > 0
    small = Image.fromarray(lesion.astype(np.float32)).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(small), float(lesion.mean())


def read_truth(films: list[LabelledFilm]) -> Truth:
    """Read the outlines of `films`; films without one, or with an empty one, have no cells and the area nan."""
    cells = np.zeros((len(films), CELLS, CELLS), dtype=bool)
    area = np.full(len(films), np.nan)
    for index, film in enumerate(films):
        if film.mask_path is None:
            continue
        covered, share = _read(film.mask_path)
        if share > 0:
            area[index] = share
            cells[index] = covered >= min(0.5, float(covered.max()))
    return Truth(cells, area)


def connected(cells: np.ndarray) -> np.ndarray:
    """Label the 8-connected regions of bool (N, h, w): int32 of the same shape, 0 outside, one number per region.

    Numbers are unique over all films. Every cell takes the largest number among its neighbours until nothing changes.
    """
    numbers = np.where(cells, np.arange(1, cells.size + 1, dtype=np.int32).reshape(cells.shape), np.int32(0))
    active = np.flatnonzero(cells.any(axis=(1, 2)))
    while len(active):
        before = numbers[active]
        padded = np.pad(before, ((0, 0), (1, 1), (1, 1)))
        rows = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
        spread = np.maximum(np.maximum(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
        after = np.where(cells[active], spread, 0)
        numbers[active] = after
        active = active[(after != before).any(axis=(1, 2))]
    return numbers


@dataclass(frozen=True)
class Regions:
    """Predicted regions of all films in flat lists: film int (M,), score float (M,) = highest cell, hit bool (M,)."""

    film: np.ndarray
    score: np.ndarray
    hit: np.ndarray


def _numbered(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the region 1 to M of every cell, int (N * h * w,) with 0 outside, and the cells of each, int (1 + M,)."""
    _, number = np.unique(np.append(connected(cells).ravel(), 0), return_inverse=True)
    number = number[:-1]
    return number, np.bincount(number)


def _best_overlaps(
    region: np.ndarray, region_area: np.ndarray, lesion: np.ndarray, lesion_area: np.ndarray
) -> np.ndarray:
    """Return the highest IoU of each region with any lesion, float (1 + M,); numbers per cell, areas per number."""
    both = (region > 0) & (lesion > 0)
    pairs, shared = np.unique(region[both].astype(np.int64) * len(lesion_area) + lesion[both], return_counts=True)
    first, second = pairs // len(lesion_area), pairs % len(lesion_area)
    best = np.zeros(len(region_area))
    np.maximum.at(best, first, shared / (region_area[first] + lesion_area[second] - shared))
    return best


def find_regions(masks: np.ndarray, threshold: float, truth: Truth) -> Regions:
    """Return the connected regions of cells at or above `threshold`, masks (N, 64, 64).

    A region hits when its IoU with one connected lesion, or with all lesions of the film together, is at least 0.1.
    """
    region, area = _numbered(masks >= threshold)
    film_of_cell = np.repeat(np.arange(len(masks)), masks[0].size if len(masks) else 0)
    film, score = np.zeros(len(area), dtype=int), np.zeros(len(area))
    film[region] = film_of_cell
    np.maximum.at(score, region, masks.ravel())
    whole = np.where(truth.cells.ravel(), film_of_cell + 1, 0)
    single = _best_overlaps(region, area, *_numbered(truth.cells))
    together = _best_overlaps(region, area, whole, np.bincount(whole, minlength=len(masks) + 1))
    hit = np.maximum(single, together) >= HIT_IOU
    return Regions(film[1:], score[1:], hit[1:])


def by_size(truth: Truth, figure: Callable[[np.ndarray], dict]) -> dict[str, dict]:
    """Return figure(bool (N,)) per lesion size."""
    return {name: figure(inside) for name, inside in truth.sizes().items()}
