"""Whether a window of films still looks like a reference: shares in bins, compared exactly and once for all figures.

One comparison is a chi-square statistic of the window's counts against the reference's shares. Its p-value comes from
a simulation with a fixed seed, not from the chi-square distribution: bins may be thin, and the reference is itself a
sample of ``n`` films, so the true shares are drawn from a Dirichlet distribution around it (for bins between sample
quantiles that is their distribution: Wilks, Mathematical Statistics, 1962, 8.7). The p-values of one window are
adjusted after Holm (Scand J Stat 1979;6:65), which keeps the chance that any of them alarms falsely at the level,
however the figures hang together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

CUTS = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWS, SEED = 20_000, 20_260_711
LEAST_SHARE = 0.05  # a category below this share of the reference is counted with the others
OTHER = "other"


@dataclass(frozen=True)
class Reference:
    """Shares of bins in a reference sample of ``n`` films.

    Attributes:
        labels: what each bin is called.
        edges: upper limits (included) of all bins but the last, for quantities; empty for categories.
    """

    labels: tuple[str, ...]
    shares: tuple[float, ...]
    n: int
    edges: tuple[float, ...] = ()

    def counts(self, values: Sequence) -> np.ndarray:
        """How many of the values fall into each bin, (bins,) integers."""
        if self.edges:
            where = np.searchsorted(np.array(self.edges), np.array(values, dtype=float), side="left")
        else:
            places = {label: place for place, label in enumerate(self.labels)}
            other = places.get(OTHER, len(self.labels) - 1)
            where = np.array([places.get(str(value), other) for value in values], dtype=int)
        return np.bincount(where, minlength=len(self.labels))


@dataclass(frozen=True)
class Comparison:
    """A window against its reference. ``psi``: population stability index, 0 for no difference; ``p``: unadjusted."""

    observed: tuple[float, ...]
    psi: float
    p: float


def of_quantiles(quantiles: Sequence[float], n: int) -> Reference:
    """A reference from the quantiles at ``CUTS`` of ``n`` values, as a card states them."""
    shares = tuple(float(share) for share in np.diff((0.0, *CUTS, 1.0)))
    return Reference(_labels(quantiles), shares, n, tuple(float(edge) for edge in quantiles))


def of_shares(shares: dict[str, float], n: int) -> Reference:
    """A reference from the shares of categories, as a card states them."""
    total = sum(shares.values())
    return Reference(tuple(shares), tuple(max(share / total, 0.5 / n) for share in shares.values()), n)


def of_values(values: Sequence[float]) -> Reference:
    """A reference from local values; a value that many films share gets a bin of its own."""
    found = np.quantile(np.array(values, dtype=float), CUTS)
    edges = np.unique(found)
    if len(edges) < len(found):
        edges = np.unique(np.concatenate([edges, np.nextafter(edges, -np.inf)]))
    limits = tuple(float(edge) for edge in edges)
    counts = Reference(_labels(limits), (), len(values), limits).counts(values)
    return Reference(_labels(limits), _smoothed(counts), len(values), limits)


def of_categories(values: Sequence[str]) -> Reference:
    """A reference from local categories; rare ones, and those that come later, are counted together."""
    counts = Counter(str(value) for value in values)
    common = sorted(name for name, count in counts.items() if count >= LEAST_SHARE * len(values) and name != OTHER)
    labels = (*common, OTHER)
    made = np.array([counts[name] for name in common] + [len(values) - sum(counts[name] for name in common)])
    return Reference(labels, _smoothed(made), len(values))


def compare(values: Sequence, reference: Reference) -> Comparison:
    """Compare a window with its reference.

    Args:
        values: numbers or categories of the window's films, at least one.
    """
    counts = reference.counts(values)
    n = int(counts.sum())
    shares = np.array(reference.shares)
    observed = counts / n
    floored = np.maximum(observed, 0.5 / n)
    psi = float(((floored - shares) * np.log(floored / shares)).sum())
    null = _null(n, reference.shares, reference.n)
    above = len(null) - int(np.searchsorted(null, _distance(counts, shares) - 1e-9))
    return Comparison(tuple(float(share) for share in observed), psi, (above + 1) / (len(null) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: alarming at those up to a level keeps the family-wise rate at it."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _distance(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Chi-square statistics of (..., bins) counts."""
    expected = counts.sum(axis=-1, keepdims=True) * shares
    return ((counts - expected) ** 2 / expected).sum(axis=-1)


@lru_cache(maxsize=256)
def _null(n: int, shares: tuple[float, ...], reference_n: int) -> np.ndarray:
    """Statistics of windows of n films that do not differ from the reference, sorted."""
    draw = np.random.default_rng(SEED)
    truths = draw.dirichlet(np.array(shares) * reference_n, size=DRAWS)
    return np.sort(_distance(draw.multinomial(n, truths), np.array(shares)))


def _smoothed(counts: np.ndarray) -> tuple[float, ...]:
    return tuple(float(share) for share in (counts + 0.5) / (counts.sum() + 0.5 * len(counts)))


def _labels(edges: Sequence[float]) -> tuple[str, ...]:
    texts = [f"{edge:.4g}" for edge in edges]
    between = [low if low == high else f"{low} to {high}" for low, high in pairwise(texts)]
    return (f"up to {texts[0]}", *between, f"above {texts[-1]}")
