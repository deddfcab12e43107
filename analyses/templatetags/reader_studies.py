"""Template filters of the results of a reader study."""

from typing import Any

from django import template

from analyses.reader_studies.results import FEW_CASES, Area, Comparison, Share
from analyses.statistics.obuchowski_rockette import Analysis, Estimate, bounded

register = template.Library()


@register.simple_tag
def comparison_rows(row: Comparison) -> list[dict[str, Any]]:
    """One line for random readers and one for these readers, each where it could be analysed."""
    kinds = (("readers and cases like these", row.random), ("these readers, cases like these", row.fixed))
    return [_line(who, found) for who, found in kinds if found is not None]


def _line(who: str, found: Analysis) -> dict[str, Any]:
    difference = found.differences[0]
    return {
        "who": who,
        "with": found.modalities[0],
        "without": found.modalities[1],
        "difference": difference.result,
        "p": difference.p,
    }


@register.filter
def interval(found: Estimate | Area | None) -> str:
    """The interval of a share or an area, kept within 0 to 1; none where no error could be estimated."""
    if found is None:
        return ""
    if found.low is None or found.high is None or found.low == found.high:
        return "no interval"
    low, high = bounded(found) if isinstance(found, Estimate) else (found.low, found.high)
    return f"{low:.3f} to {high:.3f}"


@register.filter
def signed_interval(found: Estimate) -> str:
    """The interval of a difference."""
    return f"{signed(found.low)} to {signed(found.high)}"


@register.filter
def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3f}".replace("-", "−")


@register.filter
def p_value(value: float) -> str:
    """A p value with three decimals."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def share(found: Share | None) -> str:
    """Hits of n with the rate; without it where n is small."""
    if found is None or not found.n:
        return ""
    if found.n < FEW_CASES:
        return f"{found.hits} of {found.n}"
    return f"{found.rate:.3f} ({found.hits} of {found.n})"


@register.filter
def components(found: Analysis) -> list[tuple[str, str]]:
    """The rows of the analysis' table."""
    parts = found.components
    values = [
        ("MS(T), condition", parts.ms_treatment),
        ("MS(R), reader", parts.ms_reader),
        ("MS(T:R), condition by reader", parts.ms_treatment_reader),
        ("Error variance", parts.error_variance),
        ("Cov1, same reader, other condition", parts.cov1),
        ("Cov2, other reader, same condition", parts.cov2),
        ("Cov3, both other", parts.cov3),
        ("F", found.statistic),
        ("df", found.df2),
    ]
    rows = [(name, f"{value:.7g}") for name, value in values if value is not None]
    return [*rows, ("p", p_value(found.p))]
