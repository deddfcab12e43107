"""Geometry of the ROC drawings: positions become attributes of SVG elements, never styles."""

from typing import Any

from django.utils.formats import number_format

from analyses.evidence.reader_studies.results import ReaderResult
from analyses.models import Condition

# The square in which a curve is drawn, in units of its viewBox.
LEFT, TOP, SIDE = 34, 20, 160
TICKS = (0.0, 0.5, 1.0)
FRAME = {
    "left": LEFT,
    "top": TOP,
    "side": SIDE,
    "right": LEFT + SIDE,
    "bottom": TOP + SIDE,
    "width": LEFT + SIDE + 10,
    "height": TOP + SIDE + 34,
    "middle": LEFT + SIDE // 2,
    "label_y": TOP + SIDE + 30,
}


def roc_plots(readers: list[ReaderResult]) -> list[dict[str, Any]]:
    """One drawing for each reader with a curve in each condition; none where the cases are of one class."""
    return [_plot(row) for row in readers if all(entry.curve for entry in row.conditions)]


def _plot(row: ReaderResult) -> dict[str, Any]:
    lines = [
        {
            "points": " ".join(f"{_x(x)},{_y(y)}" for x, y in entry.curve),
            "dashed": entry.condition == Condition.WITHOUT,
            "label": str(Condition(entry.condition).label),
            "area": entry.area,
        }
        for entry in row.conditions
    ]
    ticks = [{"label": number_format(f"{tick:g}"), "x": _x(tick), "y": _y(tick)} for tick in TICKS]
    return {"number": row.reader.number, "lines": lines, "ticks": ticks, **FRAME}


def _x(share: float) -> str:
    return f"{LEFT + SIDE * share:.1f}"


def _y(share: float) -> str:
    return f"{TOP + SIDE * (1 - share):.1f}"
