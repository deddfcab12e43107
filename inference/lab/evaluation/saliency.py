"""Saliency graded against the drawn lesion, and against itself with randomised weights (Adebayo et al. 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from inference.lab.evaluation.lesions import CELLS, Truth
from inference.lab.metrics.resampling import Resampling
from inference.lab.training.outputs import Outputs

Figures = dict[str, Any]
TOLERANCE_CELLS = 2
WINDOW = 7
STATEMENT = (
    "Maps resampled to 64 x 64 cells; tumour films with an outline; pointing game (Zhang et al. 2018): the highest "
    "cell lies in the lesion or within 2 cells of it (1/32 of the side: 8 of 256 px), equal peaks count by their share "
    "inside; iou: lesion against the cells of at least half the peak; iou_same_area: against as many of the highest "
    "cells as the lesion has."
)
RANDOMISATION = (
    " Randomisation: rank correlation and structural similarity (7 x 7 windows) of the map with that of the same "
    "network with random weights (drawn as in He et al. 2015), low where the map depends on what was learnt."
)


def to_cells(maps: np.ndarray) -> np.ndarray:
    """Resample uint8 (N, h, w) to float32 (N, 64, 64), bilinear."""
    if maps.shape[1:] == (CELLS, CELLS):
        return maps.astype(np.float32)
    resized = [Image.fromarray(m.astype(np.float32)).resize((CELLS, CELLS), Image.Resampling.BILINEAR) for m in maps]
    return np.stack([np.asarray(image) for image in resized]) if resized else np.zeros((0, CELLS, CELLS), np.float32)


def widened(cells: np.ndarray, reach: int) -> np.ndarray:
    """Return bool (N, h, w) with every cell that lies at most `reach` cells (Euclidean) from a marked one."""
    height, width = cells.shape[1:]
    padded = np.pad(cells, ((0, 0), (reach, reach), (reach, reach)))
    wide = np.zeros_like(cells)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down * down + right * right <= reach * reach:
                wide |= padded[:, reach + down : reach + down + height, reach + right : reach + right + width]
    return wide


def pointing(maps: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """Return per film the share of the highest cells that lie in the lesion widened by the tolerance."""
    peak = maps == maps.max(axis=(1, 2), keepdims=True)
    return (peak & widened(lesions, TOLERANCE_CELLS)).sum(axis=(1, 2)) / peak.sum(axis=(1, 2))


def overlap(marked: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """Return the IoU per film of two bool (N, h, w); nan where both are empty."""
    either = (marked | lesions).sum(axis=(1, 2)).astype(float)
    both = (marked & lesions).sum(axis=(1, 2)).astype(float)
    return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)


def at_least_half(maps: np.ndarray) -> np.ndarray:
    """Return the cells of at least half the map's peak; nothing for a map that is nought everywhere."""
    peak = maps.max(axis=(1, 2), keepdims=True)
    return (maps >= peak / 2) & (peak > 0)


def highest(maps: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """Return as many of the highest cells as the lesion has, per film."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None, :], axis=1)
    return place.reshape(maps.shape) < lesions.sum(axis=(1, 2))[:, None, None]


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return (upper - (counts - 1) / 2)[inverse.ravel()]


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation per film of two (N, h, w); nan where a map is constant."""
    found = np.full(len(a), np.nan)
    for index in range(len(a)):
        x, y = _ranks(a[index].ravel()), _ranks(b[index].ravel())
        x, y = x - x.mean(), y - y.mean()
        norm = np.sqrt((x @ x) * (y @ y))
        if norm > 0:
            found[index] = x @ y / norm
    return found


def _window_means(maps: np.ndarray) -> np.ndarray:
    sums = np.pad(maps.astype(np.float64), ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    w = WINDOW
    return (sums[:, w:, w:] - sums[:, :-w, w:] - sums[:, w:, :-w] + sums[:, :-w, :-w]) / (w * w)


def structural_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean SSIM per film (Wang et al. 2004, uniform windows, range 0 to 255) of two (N, h, w)."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = _window_means(a), _window_means(b)
    var_a, var_b = _window_means(a * a) - mean_a**2, _window_means(b * b) - mean_b**2
    both = _window_means(a * b) - mean_a * mean_b
    score = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return score.mean(axis=(1, 2))


def saliency_figures(drawn: Resampling, labels: np.ndarray, outputs: Outputs, truth: Truth) -> Figures | None:
    """Return pointing game, IoU and the randomisation test; None without maps or without a drawn outline."""
    films = np.flatnonzero(truth.drawn & (labels > 0))
    if outputs.saliency is None or not len(films):
        return None
    here, lesions = drawn.take(films), truth.cells[films]
    maps = to_cells(outputs.saliency[films])
    sizes = {name: inside[films] for name, inside in truth.sizes().items()}
    scores = {
        "pointing_game": pointing(maps, lesions),
        "iou": overlap(at_least_half(maps), lesions),
        "iou_same_area": overlap(highest(maps, lesions), lesions),
    }
    centre = np.zeros_like(maps)
    centre[:, CELLS // 2 - 1 : CELLS // 2 + 1, CELLS // 2 - 1 : CELLS // 2 + 1] = 1
    found: Figures = {"statement": STATEMENT, "tolerance_cells": TOLERANCE_CELLS, "cells": CELLS}
    for name, values in scores.items():
        found[name] = here.mean(values)
        found[f"{name}_by_size"] = {size: here.mean(values, inside) for size, inside in sizes.items()}
    found["pointing_game_of_the_centre"] = here.mean(pointing(centre, lesions))
    if outputs.saliency_random is not None:
        found["statement"] += RANDOMISATION
        chance = to_cells(outputs.saliency_random[films])
        found["randomisation"] = {
            "rank_correlation": here.mean(rank_correlation(maps, chance)),
            "structural_similarity": here.mean(structural_similarity(maps, chance)),
            "pointing_game_random": here.mean(pointing(chance, lesions)),
            "iou_random": here.mean(overlap(at_least_half(chance), lesions)),
        }
    return found
