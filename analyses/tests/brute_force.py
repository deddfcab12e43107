"""Areas, DeLong covariances and the Obuchowski-Rockette analysis by loops, sharing no line with the code."""

from itertools import product

import numpy as np
from scipy import stats


def wins(x: float, y: float) -> float:
    return 1.0 if x > y else 0.5 if x == y else 0.0


def brute_covariance(a: np.ndarray, b: np.ndarray, positive: np.ndarray) -> float:
    """DeLong's covariance of two areas, formula by formula."""
    sick, well = np.flatnonzero(positive), np.flatnonzero(~positive)

    def components(scores):
        v10 = [sum(wins(scores[i], scores[j]) for j in well) / len(well) for i in sick]
        v01 = [sum(wins(scores[i], scores[j]) for i in sick) / len(sick) for j in well]
        return v10, v01, sum(v10) / len(v10)

    (a10, a01, area_a), (b10, b01, area_b) = components(a), components(b)
    s10 = sum((x - area_a) * (y - area_b) for x, y in zip(a10, b10, strict=True)) / (len(sick) - 1)
    s01 = sum((x - area_a) * (y - area_b) for x, y in zip(a01, b01, strict=True)) / (len(well) - 1)
    return s10 / len(sick) + s01 / len(well)


def brute_area(scores: np.ndarray, positive: np.ndarray) -> float:
    pairs = [wins(x, y) for x in scores[positive] for y in scores[~positive]]
    return sum(pairs) / len(pairs)


def brute_analysis(scores: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """F, ddf, p, difference (first less second) and its half-width for two or more modalities, all by loops."""
    t, r, _ = scores.shape
    cells = list(product(range(t), range(r)))
    area = {cell: brute_area(scores[cell], positive) for cell in cells}
    kinds: dict[tuple[bool, bool], list[float]] = {}
    for one, other in product(cells, cells):
        kind = (one[0] == other[0], one[1] == other[1])
        kinds.setdefault(kind, []).append(brute_covariance(scores[one], scores[other], positive))
    mean = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    grand = sum(area.values()) / (t * r)
    row = [sum(area[i, j] for j in range(r)) / r for i in range(t)]
    column = [sum(area[i, j] for i in range(t)) / t for j in range(r)]
    ms_t = r * sum((x - grand) ** 2 for x in row) / (t - 1)
    ms_tr = sum((area[i, j] - row[i] - column[j] + grand) ** 2 for i, j in cells) / ((t - 1) * (r - 1))
    excess = max(mean[True, False] - mean[False, False], 0)
    denominator = ms_tr + r * excess
    df2 = denominator**2 / (ms_tr**2 / ((t - 1) * (r - 1)))
    fixed = mean[True, True] - mean[False, True] + (r - 1) * excess
    return {
        "F": ms_t / denominator,
        "df2": df2,
        "p": float(stats.f.sf(ms_t / denominator, t - 1, df2)),
        "difference": row[0] - row[1],
        "half": float(stats.t.ppf(0.975, df2)) * (2 / r * denominator) ** 0.5,
        "chi2": (t - 1) * ms_t / fixed,
        "fixed_half": float(stats.norm.ppf(0.975)) * (2 / r * fixed) ** 0.5,
        "excess": mean[True, False] - mean[False, False],
    }
