"""Markdown from figures: numbers, intervals, tables. A figure is {estimate, low, high, n}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inference.lab.reports.tables import flattened, is_figure, label, number

Figures = dict[str, Any]
LEAKING = "LEAKING"
NONE = "–"
LAST_STAGE = "last stage"


def at(node: Any, path: Sequence[str]) -> Any:
    """Return what stands at the end of a path of keys, None where the path breaks off."""
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def figure_at(node: Any, *path: str) -> Figures | None:
    """Return the figure at the end of a path of keys; None where there is none, or where it is not defined."""
    found = at(node, path)
    return found if is_figure(found) and found["estimate"] is not None else None


def interval(figure: Figures) -> str:
    """Return "low to high", a dash where the interval is not defined."""
    if figure["low"] is None or figure["high"] is None:
        return NONE
    return f"{number(figure['low'])} to {number(figure['high'])}"


def cell(figure: Figures | None, *, n: bool = False, leaking: bool = False) -> str:
    """Return "estimate (low to high)", with n where asked for; a leaking figure bears the word."""
    if figure is None or figure["estimate"] is None:
        return NONE
    count = f"; n {figure['n']}" if n else ""
    return f"{number(figure['estimate'])} ({interval(figure)}{count})" + (f" {LEAKING}" if leaking else "")


def minutes_told(minutes: float | None, below: float | None, starts_from: str) -> str:
    """Return minutes of training with those of the run below; where these were not stored, a word that they lack."""
    if minutes is None:
        return NONE
    if below is not None:
        return f"{round(minutes + below, 1):g}"
    return f"{minutes:g}" + (f" ({LAST_STAGE})" if starts_from else "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; empty without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)


def figure_table(node: Figures, *, leaking: bool = False) -> str:
    """Return a row for every figure below `node`, in its order; empty without figures."""
    stamp = f" {LEAKING}" if leaking else ""
    rows = [
        [name, number(figure["estimate"]) + stamp, interval(figure), str(figure["n"])]
        for name, figure in flattened(node)
    ]
    return table(("figure", "estimate", "95 % interval", "n"), rows)


def grid(first: str, entries: dict[str, Figures], *, leaking: bool = False) -> str:
    """Return a row per entry and a column per figure; entries with other figures stand in a table of their own."""
    by_names: dict[tuple[str, ...], list[str]] = {}
    for name, entry in entries.items():
        by_names.setdefault(tuple(key for key, value in entry.items() if is_figure(value)), []).append(name)
    tables = []
    for names, members in by_names.items():
        head = [first, "films", "groups", *map(label, names)]
        rows = []
        for member in members:
            entry = entries[member]
            counts = [str(entry.get("films", NONE)), str(entry.get("groups", NONE))]
            rows.append([member, *counts, *(cell(entry[name], leaking=leaking) for name in names)])
        tables.append(table(head, rows))
    return "\n\n".join(tables)


def subgroup_tables(subgroups: Any, level: str, *, leaking: bool = False) -> str:
    """Return a heading and a grid for each column (centre, subtype, site, size)."""
    parts = [
        f"{level} By {label(column)}\n\n{grid(label(column), values, leaking=leaking)}"
        for column, values in (subgroups or {}).items()
        if values
    ]
    return "\n\n".join(parts)


def bullets(lines: Sequence[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def joined(*parts: str) -> str:
    """Return the parts that hold something, with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part and part.strip())


def section(title: str, *parts: str) -> str:
    """Return a heading with what belongs below it; nothing where all of that is empty."""
    body = joined(*parts)
    return f"{title}\n\n{body}" if body else ""
