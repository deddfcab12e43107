"""Small plots as SVG strings: no library, no script, no outside file; series differ by dash and mark too.

Lines take their colour from the classes plot-1 to plot-4 of the page, else from the text around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

Point = tuple[float, float]
WIDTH, HEIGHT = 340, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40
LEGEND_ROW = 16
DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Axis:
    """One axis: its name, its range and its ticks."""

    name: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Series:
    """One line: points (x, y), perhaps a band (x, low, high); `dots` marks the points, without `line` nothing else."""

    name: str
    points: list[Point]
    band: list[tuple[float, float, float]] | None = None
    dots: bool = False
    line: bool = True
    faint: bool = False


def _place(axis: Axis, value: float, start: float, end: float) -> float:
    share = (min(max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low)
    return round(start + share * (end - start), 1)


def _across(axis: Axis, value: float) -> float:
    return _place(axis, value, LEFT, WIDTH - RIGHT)


def _up(axis: Axis, value: float) -> float:
    return _place(axis, value, HEIGHT - BOTTOM, TOP)


def _text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11" fill="currentColor"{more}>{escape(words)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick in x.ticks:
        place = _across(x, tick)
        parts.append(f'<path d="M{place} {TOP}V{bottom}" stroke="currentColor" stroke-opacity=".14"/>')
        parts.append(_text(place, bottom + 14, _number(tick)))
    for tick in y.ticks:
        place = _up(y, tick)
        parts.append(f'<path d="M{LEFT} {place}H{right}" stroke="currentColor" stroke-opacity=".14"/>')
        parts.append(_text(LEFT - 6, place + 4, _number(tick), "end"))
    middle = (TOP + bottom) / 2
    parts.append(_text((LEFT + right) / 2, bottom + 32, x.name))
    parts.append(_text(12, middle, y.name, more=f' transform="rotate(-90 12 {middle})"'))
    return parts


def _path(points: list[str]) -> str:
    return "M" + "L".join(points)


def _line(series: Series, place: int, x: Axis, y: Axis) -> list[str]:
    shade = ' stroke-opacity=".55"' if series.faint else ""
    kind = "plot-faint" if series.faint else f"plot-{place + 1}"
    dash = f' stroke-dasharray="{DASHES[place % 4]}"' if DASHES[place % 4] else ""
    parts = []
    if series.band:
        over = [f"{_across(x, at)} {_up(y, high)}" for at, _, high in series.band]
        under = [f"{_across(x, at)} {_up(y, low)}" for at, low, _ in reversed(series.band)]
        parts.append(f'<path class="{kind}" d="{_path(over + under)}Z" fill="currentColor" fill-opacity=".13"/>')
    spots = [(_across(x, at), _up(y, value)) for at, value in series.points]
    if series.line and len(spots) > 1:
        route = _path([f"{across} {up}" for across, up in spots])
        parts.append(
            f'<path class="{kind}" d="{route}" fill="none" stroke="currentColor" stroke-width="1.8"{dash}{shade}/>'
        )
    if series.dots:
        parts += [f'<circle class="{kind}" cx="{across}" cy="{up}" r="3" fill="currentColor"/>' for across, up in spots]
    return parts


def _legend(all_series: list[Series]) -> list[str]:
    parts = []
    for place, series in enumerate(all_series):
        height = HEIGHT + 6 + place * LEGEND_ROW
        kind = "plot-faint" if series.faint else f"plot-{place + 1}"
        dash = f' stroke-dasharray="{DASHES[place % 4]}"' if DASHES[place % 4] else ""
        if series.line:
            stroke = f'fill="none" stroke="currentColor" stroke-width="1.8"{dash}'
            parts.append(f'<path class="{kind}" d="M{LEFT} {height}h26" {stroke}/>')
        if series.dots:
            parts.append(f'<circle class="{kind}" cx="{LEFT + 13}" cy="{height}" r="3" fill="currentColor"/>')
        parts.append(_text(LEFT + 34, height + 4, series.name, "start"))
    return parts


def line_plot(title: str, all_series: list[Series], x: Axis, y: Axis) -> str:
    """Return one SVG; `title` is what a screen reader says. Empty where no series has a point."""
    shown = [series for series in all_series if series.points]
    if not shown:
        return ""
    height = HEIGHT + LEGEND_ROW * len(shown)
    parts = _grid(x, y)
    for place, series in enumerate(shown):
        parts += _line(series, place, x, y)
    parts += _legend(shown)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _pairs(points: list[dict[str, Any]], x: str, y: str) -> list[Point]:
    return [(p[x], p[y]) for p in points if p.get(x) is not None and p.get(y) is not None]


def _bands(points: list[dict[str, Any]], x: str) -> list[tuple[float, float, float]]:
    return [(p[x], p["low"], p["high"]) for p in points if None not in (p.get(x), p.get("low"), p.get("high"))]


def roc_plot(curves: dict[str, list[dict[str, Any]]], marks: list[Point] | None = None) -> str:
    """Return ROC curves by name; `marks` are (1 - specificity, sensitivity) of operating points."""
    series = [
        Series(name, [(1 - p["specificity"], p["sensitivity"]) for p in points]) for name, points in curves.items()
    ]
    if not any(one.points for one in series):
        return ""
    series.append(Series("no skill", [(0, 0), (1, 1)], faint=True))
    if marks:
        series.append(Series("outcome rule: malignant", marks, dots=True, line=False))
    return line_plot("ROC curve", series, Axis("1 - specificity"), Axis("sensitivity"))


def precision_recall_plot(curves: dict[str, list[dict[str, Any]]]) -> str:
    """Return precision against recall by name."""
    series = [Series(name, _pairs(points, "recall", "precision")) for name, points in curves.items()]
    return line_plot("Precision against recall", series, Axis("recall"), Axis("precision"))


def calibration_plot(points: list[dict[str, Any]], name: str = "observed, with 95 % interval") -> str:
    """Return observed against stated probability; points {stated, observed, n} and perhaps {low, high}."""
    series = [
        Series(name, _pairs(points, "stated", "observed"), _bands(points, "stated") or None, dots=True),
        Series("perfectly calibrated", [(0, 0), (1, 1)] if points else [], faint=True),
    ]
    return line_plot("Calibration curve", series, Axis("stated probability"), Axis("observed share"))


def decision_plot(points: list[dict[str, Any]]) -> str:
    """Return net benefit against the threshold probability, with treating all and treating none."""
    if not points:
        return ""
    highest = max([p[key] for p in points for key in ("net_benefit", "high") if p[key] is not None] + [0.01])
    top = next(edge for edge in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if highest <= edge)
    ticks = tuple(round(top * step / 4, 4) for step in range(5))
    shown = [p for p in points if p["treat_all"] is not None and p["treat_all"] > -0.25 * top]
    series = [
        Series("this model", _pairs(points, "threshold", "net_benefit"), _bands(points, "threshold") or None),
        Series("treat all", _pairs(shown, "threshold", "treat_all")),
        Series("treat none", [(p["threshold"], 0.0) for p in points], faint=True),
    ]
    return line_plot(
        "Decision curve: net benefit for malignant",
        series,
        Axis("threshold probability", 0, 0.7, (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
        Axis("net benefit", -0.25 * top, top, ticks),
    )


def risk_coverage_plot(points: list[dict[str, Any]], actual: Point | None = None) -> str:
    """Return the risk of the answers given, and cancers missed, against the share answered."""
    series = [
        Series("wrong among the answered", _pairs(points, "coverage", "risk"), _bands(points, "coverage") or None),
        Series("cancers missed, withheld counted", _pairs(points, "coverage", "missed")),
    ]
    if actual:
        series.append(Series("as withheld by the model", [actual], dots=True, line=False))
    return line_plot("Risk against coverage", series, Axis("share answered"), Axis("share"))


def froc_plot(points: list[dict[str, Any]]) -> str:
    """Return lesion hits against false regions per normal film."""
    series = [
        Series("hits", _pairs(points, "false_regions", "hit_rate"), _bands(points, "false_regions") or None, dots=True)
    ]
    return line_plot("Lesion hits", series, Axis("false regions per normal film"), Axis("tumour films hit"))


def confusion_plot(counts: list[list[int]], classes: list[str]) -> str:
    """Return the confusion matrix; a row is a true class, the shade is the share of that row."""
    cell, left, top = 76, 88, 34
    parts = [_text(left + cell * len(classes) / 2, 12, "called"), _text(left - 8, 28, "true", "end")]
    for column, name in enumerate(classes):
        parts.append(_text(left + cell * (column + 0.5), 28, name))
    for row, name in enumerate(classes):
        total = sum(counts[row])
        parts.append(_text(left - 8, top + cell * (row + 0.5) + 4, name, "end"))
        for column, count in enumerate(counts[row]):
            share = count / total if total else 0.0
            x, y = left + cell * column, top + cell * row
            parts.append(
                f'<rect class="plot-1" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" fill="currentColor" '
                f'fill-opacity="{0.04 + 0.4 * share:.2f}"/>'
            )
            middle = x + cell / 2 - 1
            parts.append(_text(middle, y + cell / 2, str(count), more=' font-weight="600"'))
            parts.append(_text(middle, y + cell / 2 + 15, f"{100 * share:.0f} %" if total else "-"))
    width, height = left + cell * len(classes), top + cell * len(classes)
    title = "<title>Confusion matrix: rows true, columns called</title>"
    return (
        f'<svg class="plot" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="Confusion matrix">{title}{"".join(parts)}</svg>'
    )


def interval_bar(figure: dict[str, Any], width: int = 96) -> str:
    """Return a small bar from 0 to 1 with the interval and the estimate; empty where they do not lie there."""
    low, value, high = figure["low"], figure["estimate"], figure["high"]
    if None in (low, value, high) or low < 0 or high > 1:
        return ""
    start, length = low * width, max((high - low) * width, 1)
    return (
        f'<svg class="bar" viewBox="0 0 {width} 12" width="{width}" height="12" aria-hidden="true">'
        f'<path d="M0 6H{width}" stroke="currentColor" stroke-opacity=".25"/>'
        f'<rect class="plot-1" x="{start:.1f}" y="4" width="{length:.1f}" height="4" fill="currentColor" '
        f'fill-opacity=".55"/><path class="plot-1" d="M{value * width:.1f} 1V11" stroke="currentColor" '
        'stroke-width="2"/></svg>'
    )
