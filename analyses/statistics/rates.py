"""Shares with their intervals."""

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054  # 97.5th percentile of the standard normal distribution


@dataclass(frozen=True)
class Figure:
    """A figure in 0..1 with its 95 % interval.

    Attributes:
        n: observations behind it; for an area under a curve those of the rarer truth.
        clusters: independent units (patients) behind it.
        hits: the numerator of a share; None for an area.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    hits: int | None = None


def wilson(share: float, n: float, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson, J Am Stat Assoc 1927;22:209); ``n`` may be an effective size.

    Raises:
        ValueError: ``n`` is not positive.
    """
    if n <= 0:
        raise ValueError("no observations")
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    bottom = 1 + z * z / n
    return max(0.0, (middle - half) / bottom), min(1.0, (middle + half) / bottom)
