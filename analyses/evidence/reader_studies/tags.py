"""Template filters of the results of a reader study."""

from datetime import date
from typing import Any

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analyses.evidence.reader_studies import case_draw
from analyses.evidence.reader_studies.results import FEW_CASES, Area, Comparison, Share
from analyses.formatting import written
from analyses.models import ReaderStudy
from analyses.statistics.obuchowski_rockette import Analysis, Estimate, bounded

register = template.Library()


@register.simple_tag
def comparison_rows(row: Comparison) -> list[dict[str, Any]]:
    """One line for random readers and one for these readers, each where it could be analysed."""
    kinds = ((_("readers and cases like these"), row.random), (_("these readers, cases like these"), row.fixed))
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
def decimal(value: float | None) -> str:
    """Three decimals, rounded, with the language's decimal sign; nothing where there is no number."""
    return "" if value is None else written(value, 3)


@register.simple_tag
def reader_study_draws(reader_study: ReaderStudy) -> list[dict[str, str]]:
    """Every draw of cases from recorded outcomes, the earliest first: {words, seed}."""
    counts = case_draw.taken_out(reader_study)
    return [
        {"words": draw_words(draw, out), "seed": draw["seed"]}
        for draw, out in zip(reader_study.draws, counts, strict=True)
    ]


def draw_words(draw: dict[str, Any], out: int) -> str:
    """What was asked for in a draw of cases from recorded outcomes, and how many of them were taken out since."""
    count = sum(draw["asked"].values())
    words = ngettext(
        "%(count)s case drawn: %(malignant)s malignant, %(benign)s benign, %(normal)s normal.",
        "%(count)s cases drawn: %(malignant)s malignant, %(benign)s benign, %(normal)s normal.",
        count,
    )
    said = [words % (draw["asked"] | {"count": count}), _dates(draw["since"], draw["until"])]
    if out:
        left_out = ngettext(
            "%(count)s drawn case was removed afterwards.", "%(count)s drawn cases were removed afterwards.", out
        )
        said.append(left_out % {"count": out})
    return " ".join(said)


def _dates(since: str, until: str) -> str:
    first, last = (date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT") if day else "" for day in (since, until))
    if first and last:
        return _("Outcomes from %(first)s to %(last)s.") % {"first": first, "last": last}
    if first:
        return _("Outcomes from %(first)s onwards.") % {"first": first}
    return _("Outcomes up to %(last)s.") % {"last": last} if last else _("Outcomes of any date.")


@register.filter
def interval(found: Estimate | Area | None) -> str:
    """The interval of a share or an area, kept within 0 to 1; none where no error could be estimated."""
    if found is None:
        return ""
    if found.low is None or found.high is None or found.low == found.high:
        return _("no interval")
    low, high = bounded(found) if isinstance(found, Estimate) else (found.low, found.high)
    return _("%(low)s to %(high)s") % {"low": decimal(low), "high": decimal(high)}


@register.filter
def difference_interval(found: Estimate) -> str:
    """The interval of a difference."""
    return _("%(low)s to %(high)s") % {"low": plus_or_minus(found.low), "high": plus_or_minus(found.high)}


@register.filter
def plus_or_minus(value: float) -> str:
    """A difference with its sign."""
    return ("−" if value < 0 else "+") + decimal(abs(value))


@register.filter
def p_value(value: float) -> str:
    """A p value with three decimals."""
    return f"< {decimal(0.001)}" if value < 0.001 else decimal(value)


@register.filter
def share(found: Share | None) -> str:
    """Hits of n with the rate; without it where n is small."""
    if found is None or not found.n:
        return ""
    counts = {"number": found.hits, "all": found.n}
    if found.n < FEW_CASES:
        return _("%(number)s of %(all)s") % counts
    return _("%(rate)s (%(number)s of %(all)s)") % (counts | {"rate": decimal(found.rate)})


@register.filter
def components(found: Analysis) -> list[tuple[str, str]]:
    """The rows of the analysis' table."""
    parts = found.components
    values = [
        (_("MS(T), condition"), parts.ms_treatment),
        (_("MS(R), reader"), parts.ms_reader),
        (_("MS(T:R), condition by reader"), parts.ms_treatment_reader),
        (_("Error variance"), parts.error_variance),
        (_("Cov1, same reader, other condition"), parts.cov1),
        (_("Cov2, other reader, same condition"), parts.cov2),
        (_("Cov3, other reader, other condition"), parts.cov3),
        ("F", found.statistic),
        ("df", found.df2),
    ]
    rows = [(name, number_format(f"{value:.7g}")) for name, value in values if value is not None]
    return [*rows, ("p", p_value(found.p))]
