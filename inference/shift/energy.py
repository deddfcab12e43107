"""Whether two samples of films come from one population, all figures of a film together: an energy test.

The statistic is the energy distance (Szekely and Rizzo, J Stat Plan Inference 2013;143:1249), nought only where two
distributions are the same: 2 E|X - Y| - E|X - X'| - E|Y - Y'|. Its p-value comes from permutations with a fixed seed.
Films of one patient are alike, and permutations hold for independent rows only: one film of each patient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Enough that a p-value can stay below .01 after it was adjusted for a dozen figures.
PERMUTATIONS, SEED = 4999, 20_261_129
LEAST_FILMS = 20
_BLOCK = 500


@dataclass(frozen=True)
class Shift:
    """`statistic` is 0 for equal samples; `p` as if this were the only test."""

    statistic: float
    p: float


def standardised(reference: np.ndarray, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both samples (N, D), (M, D) about the middle and in units of the spread of each column over both together.

    A column that is constant but for rounding says nothing, and becomes nought.
    """
    pooled = np.concatenate([reference, batch])
    middle, spread = pooled.mean(axis=0), pooled.std(axis=0)
    constant = spread <= 1e-9 * np.maximum(1.0, np.abs(middle))
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread))
    return (reference - middle) * scale, (batch - middle) * scale


def energy_test(reference: np.ndarray, batch: np.ndarray, permutations: int = PERMUTATIONS) -> Shift:
    """Compare a batch (M, D) with a reference (N, D), one row for each patient.

    Raises:
        ValueError: fewer than LEAST_FILMS rows, or rows of different length.
    """
    if min(len(reference), len(batch)) < LEAST_FILMS or reference.shape[1:] != batch.shape[1:]:
        raise ValueError("two samples of at least 20 rows with the same columns are needed")
    first, second = standardised(np.asarray(reference, dtype=float), np.asarray(batch, dtype=float))
    pooled = np.concatenate([first, second])
    distances = _distances(pooled)
    members = np.zeros(len(pooled), dtype=bool)
    members[len(first) :] = True
    found = float(_statistics(distances, members[None])[0])
    draw = np.random.default_rng(SEED)
    above = 0
    for start in range(0, permutations, _BLOCK):
        drawn = np.stack([draw.permutation(members) for _ in range(min(_BLOCK, permutations - start))])
        above += int((_statistics(distances, drawn) >= found - 1e-12).sum())
    return Shift(found, (above + 1) / (permutations + 1))


def _distances(rows: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (N, N) of rows (N, D)."""
    squares = (rows**2).sum(axis=1)
    return np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * rows @ rows.T, 0.0))


def _statistics(distances: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the energy distances (R,) of R splits of the N rows, `members` bool (R, N): True for the batch."""
    batch = members.astype(float)
    n, total = distances.shape[0], float(distances.sum())
    m = float(members[0].sum())
    rows = batch @ distances
    within = (rows * batch).sum(axis=1)
    to_all = rows.sum(axis=1)
    between = to_all - within
    other = total - 2 * to_all + within
    k = n - m
    return 2 * between / (m * k) - within / m**2 - other / k**2
