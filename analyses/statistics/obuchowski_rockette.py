"""The Obuchowski-Rockette analysis of a factorial reader study: every reader reads every case in every modality.

Sources:
    Obuchowski NA, Rockette HE. Commun Stat Simul Comput 1995;24:285-308: the model and its F statistic.
    Hillis SL. Stat Med 2007;26:596-619: the denominator degrees of freedom and the bound at Cov2 = Cov3.
    Hillis SL, Berbaum KS, Metz CE. Acad Radiol 2008;15:647-661: intervals, single modalities, fixed readers.

A figure theta_ij of modality i and reader j (an area under the curve, a sensitivity) is the sum of a mean, the effects
of modality, reader and both, and an error whose covariance over the cases is estimated beside it (DeLong for areas).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from django.utils.translation import gettext as _

from analyses.statistics.auc import NotEstimable

LEVEL = 0.95


@dataclass(frozen=True)
class Components:
    """Mean squares and the averaged covariances of the errors; ``None`` where a single reader gives none.

    ``cov1``: same reader, other modality; ``cov2``: other reader, same modality; ``cov3``: both other.
    """

    ms_treatment: float
    ms_reader: float | None
    ms_treatment_reader: float | None
    error_variance: float
    cov1: float
    cov2: float | None
    cov3: float | None


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error and interval; ``df`` is infinite where the normal distribution is used."""

    estimate: float
    standard_error: float
    df: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Modality ``first`` less modality ``second`` (indices), with the p value of no difference."""

    first: int
    second: int
    result: Estimate
    p: float


@dataclass(frozen=True)
class Analysis:
    """The whole of it; ``statistic`` is F(df1, df2) with random readers, chi square with fixed (df2 infinite)."""

    readers: str
    figures: np.ndarray  # (modalities, readers)
    components: Components
    statistic: float
    df1: int
    df2: float
    p: float
    modalities: list[Estimate]
    differences: list[Difference]


def analyse(figures: np.ndarray, covariance: np.ndarray, *, readers: str = "random", level: float = LEVEL) -> Analysis:
    """Compare any figure of T modalities and R readers.

    Args:
        figures: (T, R).
        covariance: (T R, T R) of the errors, rows in the order of ``figures.ravel()``.
        readers: ``random``: the conclusion is about readers and cases like these; ``fixed``: about cases like these,
            read by these readers.

    Raises:
        NotEstimable: ``few_readers`` with one random reader, ``no_variation``.
    """
    figures = np.asarray(figures, dtype=float)
    modalities, count = figures.shape
    if modalities < 2:
        raise ValueError("an analysis compares at least two modalities")
    if readers not in ("random", "fixed"):
        raise ValueError(f"readers are random or fixed, not {readers}")
    if readers == "random" and count < 2:
        raise NotEstimable("few_readers", _("A single reader does not allow conclusions about readers in general."))
    cov = np.asarray(covariance, dtype=float).reshape(modalities, count, modalities, count)
    components = _components(figures, cov)
    test = _random_readers if readers == "random" else _fixed_readers
    return test(figures, cov, components, level)


def _components(figures: np.ndarray, cov: np.ndarray) -> Components:
    modalities, count = figures.shape
    by_modality, by_reader, overall = figures.mean(axis=1), figures.mean(axis=0), figures.mean()
    interaction = figures - by_modality[:, None] - by_reader[None, :] + overall
    several = count > 1
    same_modality = np.eye(modalities, dtype=bool)[:, None, :, None]
    same_reader = np.eye(count, dtype=bool)[None, :, None, :]

    def mean(where: np.ndarray) -> float:
        return float(cov[np.broadcast_to(where, cov.shape)].mean())

    return Components(
        ms_treatment=float(count * ((by_modality - overall) ** 2).sum() / (modalities - 1)),
        ms_reader=float(modalities * ((by_reader - overall) ** 2).sum() / (count - 1)) if several else None,
        ms_treatment_reader=float((interaction**2).sum() / ((modalities - 1) * (count - 1))) if several else None,
        error_variance=mean(same_modality & same_reader),
        cov1=mean(~same_modality & same_reader),
        cov2=mean(same_modality & ~same_reader) if several else None,
        cov3=mean(~same_modality & ~same_reader) if several else None,
    )


def _random_readers(figures: np.ndarray, cov: np.ndarray, parts: Components, level: float) -> Analysis:
    from scipy.stats import f as f_distribution

    modalities, count = figures.shape
    ms_tr = parts.ms_treatment_reader or 0.0
    denominator = ms_tr + count * _surplus(parts)
    _require_positive(denominator)
    df1 = modalities - 1
    df2 = _hillis_df(denominator, ms_tr, df1 * (count - 1))
    statistic = parts.ms_treatment / denominator
    return Analysis(
        readers="random",
        figures=figures,
        components=parts,
        statistic=statistic,
        df1=df1,
        df2=df2,
        p=float(f_distribution.sf(statistic, df1, df2)) if np.isfinite(df2) else _chi_square_p(statistic * df1, df1),
        modalities=[_random_modality(figures[i], cov[i, :, i, :], level) for i in range(modalities)],
        differences=_differences(figures, np.sqrt(2 * denominator / count), df2, level),
    )


def _random_modality(figures: np.ndarray, cov: np.ndarray, level: float) -> Estimate:
    """One modality by its own readers' spread and its own Cov2 (Hillis, Berbaum and Metz 2008)."""
    count = len(figures)
    ms_reader = float(figures.var(ddof=1))
    spread = ms_reader + count * max(0.0, _mean_off_diagonal(cov))
    df = _hillis_df(spread, ms_reader, count - 1)
    return _estimate(float(figures.mean()), float(np.sqrt(spread / count)), df, level)


def _fixed_readers(figures: np.ndarray, cov: np.ndarray, parts: Components, level: float) -> Analysis:
    modalities, count = figures.shape
    denominator = parts.error_variance - parts.cov1 + (count - 1) * _surplus(parts)
    _require_positive(denominator)
    df1 = modalities - 1
    statistic = df1 * parts.ms_treatment / denominator
    singles = []
    for i in range(modalities):
        own = cov[i, :, i, :]
        variance = (float(np.diag(own).mean()) + (count - 1) * max(0.0, _mean_off_diagonal(own))) / count
        singles.append(_estimate(float(figures[i].mean()), float(np.sqrt(variance)), np.inf, level))
    return Analysis(
        readers="fixed",
        figures=figures,
        components=parts,
        statistic=statistic,
        df1=df1,
        df2=np.inf,
        p=_chi_square_p(statistic, df1),
        modalities=singles,
        differences=_differences(figures, np.sqrt(2 * denominator / count), np.inf, level),
    )


def _surplus(parts: Components) -> float:
    """Cov2 - Cov3, which the model holds to be positive; a negative estimate counts as nought (Hillis 2007)."""
    return max(0.0, (parts.cov2 or 0.0) - (parts.cov3 or 0.0))


def _hillis_df(denominator: float, mean_square: float, df: int) -> float:
    """Denominator degrees of freedom of Hillis 2007, formula 13; infinite where the readers do not differ at all."""
    return float(denominator**2 / (mean_square**2 / df)) if mean_square > 0 else np.inf


def _require_positive(denominator: float) -> None:
    # Sums of equal figures leave dust of the order of the machine's precision.
    if denominator < 1e-15:
        raise NotEstimable("no_variation", _("No test: the readings have no error variance for comparison."))


def _differences(figures: np.ndarray, standard_error: float, df: float, level: float) -> list[Difference]:
    means = figures.mean(axis=1)
    found = []
    for first, second in combinations(range(len(means)), 2):
        value = float(means[first] - means[second])
        result = _estimate(value, float(standard_error), df, level)
        found.append(Difference(first, second, result, _two_sided_p(value / standard_error, df)))
    return found


def _estimate(value: float, standard_error: float, df: float, level: float) -> Estimate:
    half = _t_quantile(0.5 + level / 2, df) * standard_error
    return Estimate(value, standard_error, df, value - half, value + half)


def _mean_off_diagonal(cov: np.ndarray) -> float:
    count = len(cov)
    return float(cov[~np.eye(count, dtype=bool)].mean()) if count > 1 else 0.0


# scipy is imported where a distribution is asked for: the web process starts without it.
def _t_quantile(probability: float, df: float) -> float:
    from scipy.stats import norm, t

    return float(t.ppf(probability, df) if np.isfinite(df) else norm.ppf(probability))


def _two_sided_p(value: float, df: float) -> float:
    from scipy.stats import norm, t

    return float(2 * (t.sf(abs(value), df) if np.isfinite(df) else norm.sf(abs(value))))


def _chi_square_p(value: float, df: int) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(value, df))


def bounded(estimate: Estimate) -> tuple[float, float]:
    """The interval of a share, kept within 0..1 for people; the analysis itself does not cut it."""
    return max(0.0, estimate.low), min(1.0, estimate.high)
