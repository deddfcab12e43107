"""Geometry of the model page's drawings: positions become attributes of SVG elements, never styles."""

from typing import Any

from django.utils.formats import number_format

from analyses.stored_words import card_word

# The square in which the calibration plot is drawn, in units of its viewBox.
LEFT, TOP, SIDE = 44, 10, 240
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
QUANTILES = ("0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99")


def calibration_plot(curve: Any) -> dict[str, Any] | None:
    """Points of a calibration curve, a list of {stated, observed, n, low?, high?}; None where there is none."""
    points = [_point(entry) for entry in curve if _is_point(entry)] if isinstance(curve, list) else []
    if not points:
        return None
    return {
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "ticks": [{"label": number_format(f"{tick:g}"), "x": _x(tick), "y": _y(tick)} for tick in TICKS],
        "frame": {"left": LEFT, "top": TOP, "side": SIDE, "right": LEFT + SIDE, "bottom": TOP + SIDE},
        "width": LEFT + SIDE + 12,
        "height": TOP + SIDE + 40,
        "middle": LEFT + SIDE / 2,
        "label_y": TOP + SIDE + 34,
    }


def _is_point(entry: Any) -> bool:
    return isinstance(entry, dict) and all(_is_number(entry.get(key)) for key in ("stated", "observed"))


def _point(entry: dict[str, Any]) -> dict[str, Any]:
    low: Any = entry.get("low")
    high: Any = entry.get("high")
    bounds = {"low": _y(low), "high": _y(high)} if _is_number(low) and _is_number(high) else {}
    return {
        "stated": entry["stated"],
        "observed": entry["observed"],
        "stated_low": low,
        "stated_high": high,
        "n": entry.get("n"),
        "x": _x(entry["stated"]),
        "y": _y(entry["observed"]),
        **bounds,
    }


def _x(share: float) -> float:
    return round(LEFT + SIDE * min(1.0, max(0.0, share)), 1)


def _y(share: float) -> float:
    return round(TOP + SIDE * (1 - min(1.0, max(0.0, share))), 1)


def distributions(reference: Any) -> list[dict[str, Any]]:
    """One row per reference distribution, {name: {unit, quantiles, n}}: its quantiles and a box drawn from them."""
    if not isinstance(reference, dict):
        return []
    return [_distribution(name, entry) for name, entry in reference.items() if _has_quantiles(entry)]


def _has_quantiles(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("quantiles"), dict) and bool(entry["quantiles"])


def _distribution(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    # Keys may be written "0.5" or "0.50".
    given = {f"{float(key):g}": value for key, value in entry["quantiles"].items() if _is_number(value)}
    values = [given.get(key) for key in QUANTILES]
    return {
        "name": card_word(str(name).replace("_", " ")),
        "unit": card_word(str(entry.get("unit", ""))),
        "n": entry.get("n"),
        "values": values,
        "box": _box(values),
    }


def _box(values: list[Any]) -> dict[str, str] | None:
    """A box from the 25th to the 75th percentile on a line from the 1st to the 99th, as percentages of the width."""
    if any(value is None for value in values):
        return None
    low, q5, q25, middle, q75, q95, high = values
    span = high - low
    if span <= 0:
        return None

    def place(value: float) -> float:
        return 100 * (value - low) / span

    return {
        "whisker_from": f"{place(q5):.1f}%",
        "whisker_to": f"{place(q95):.1f}%",
        "from": f"{place(q25):.1f}%",
        "width": f"{max(1.0, place(q75) - place(q25)):.1f}%",
        "median": f"{place(middle):.1f}%",
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
