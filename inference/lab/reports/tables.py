"""The tables of the report: figures with interval and n, per class, per subgroup, and the facts above them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from inference.lab.reports.plots import interval_bar

NAMES = {
    "macro_auroc": "macro AUROC",
    "malignant_auroc": "AUROC malignant",
    "tumour_auroc": "AUROC tumour",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "ece": "ECE",
    "brier": "Brier score (0 to 2)",
    "iou": "IoU",
    "iou_same_area": "IoU at the area of the lesion",
    "iou_random": "IoU, random weights",
    "iou_by_size": "IoU by size",
    "iou_same_area_by_size": "IoU at the area of the lesion, by size",
    "lesion_hits_at_0.2_by_size": "lesion hits at 0.2 false regions per normal film, by size",
    "lesion_hits_at_0.2": "lesion hits at no more than 0.2 false regions per normal film",
    "lesion_hits_at_0.2_false_regions": "false regions per normal film at that point",
}


def is_figure(value: Any) -> bool:
    """True for {estimate, low, high, n}."""
    return isinstance(value, dict) and {"estimate", "low", "high", "n"} <= value.keys()


def label(name: str) -> str:
    """Return the words for a key."""
    return NAMES.get(name, name.replace("_", " "))


def titled(name: str) -> str:
    """Return the words for a key with a capital first letter."""
    words = label(name)
    return words[:1].upper() + words[1:]


def number(value: float | int | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"


def flattened(mapping: dict[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figure) of a nest of figures, names joined by a comma; whatever is no figure is passed over."""
    for name, value in mapping.items():
        words = f"{before}, {label(name)}" if before else label(name)
        if is_figure(value):
            yield words, value
        elif isinstance(value, dict):
            yield from flattened(value, words)


def _interval(figure: dict[str, Any]) -> str:
    return "–" if figure["low"] is None else f"{number(figure['low'])} to {number(figure['high'])}"


def figure_table(mapping: dict[str, Any]) -> str:
    """Return one row per figure: estimate, interval, bar, n; plain counts as `count_table` does. Empty without rows."""
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td class="num">{number(figure["estimate"])}</td>'
        f'<td class="num interval">{_interval(figure)}</td><td>{interval_bar(figure)}</td>'
        f'<td class="num">{figure["n"]}</td></tr>'
        for name, figure in flattened(mapping)
    ]
    if not rows:
        return count_table(mapping)
    head = (
        '<tr><th scope="col">figure</th><th scope="col" class="num">estimate</th>'
        '<th scope="col" class="num">95 % interval</th><th scope="col">0 to 1</th>'
        '<th scope="col" class="num">n films</th></tr>'
    )
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def count_table(mapping: dict[str, Any]) -> str:
    """Return one row per plain number of films. Empty without rows."""
    rows = [
        f'<tr><th scope="row">{escape(label(name))}</th><td class="num">{value}</td></tr>'
        for name, value in mapping.items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]
    head = '<tr><th scope="col"></th><th scope="col" class="num">films</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["estimate"] is None:
        return '<td class="num">–</td>'
    said = f'{number(figure["estimate"])} <span class="interval">({_interval(figure)})</span>'
    return f'<td class="num">{said}</td>'


def _grid(first: str, columns: list[str], rows: list[tuple[str, list[str]]]) -> str:
    heads = "".join(f'<th scope="col" class="num">{escape(column)}</th>' for column in columns)
    body = "".join(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>' for name, cells in rows)
    return f'<table><thead><tr><th scope="col">{escape(first)}</th>{heads}</tr></thead><tbody>{body}</tbody></table>'


def class_table(per_class: dict[str, dict[str, Any]]) -> str:
    """Return figures by class: a row per figure, a column per class, n in brackets of the head."""
    if not per_class:
        return ""
    names = list(next(iter(per_class.values())))
    columns = [f"{name} (n {rows['recall']['n']})" if "recall" in rows else name for name, rows in per_class.items()]
    return _grid("figure", columns, [(label(n), [_cell(rows.get(n)) for rows in per_class.values()]) for n in names])


def subgroup_table(subgroups: dict[str, dict[str, Any]]) -> str:
    """Return a row per subgroup with its films and groups, and a column per figure that any of them has."""
    names: list[str] = []
    for row in subgroups.values():
        names += [name for name, value in row.items() if is_figure(value) and name not in names]
    rows = []
    for value, row in subgroups.items():
        counts = [f'<td class="num">{row.get("films", "–")}</td>', f'<td class="num">{row.get("groups", "–")}</td>']
        rows.append((f"{value} ({', '.join(row.get('classes', []))})", counts + [_cell(row.get(n)) for n in names]))
    return _grid("subgroup", ["films", "groups", *map(label, names)], rows) if rows else ""


def comparison_table(rows: dict[str, dict[str, Any]]) -> str:
    """Return a row per figure of two models: each one's own, the difference b - a, p and n."""
    shown = []
    for name, row in rows.items():
        p = "–" if row["p"] is None else f"{row['p']:.4f}"
        cells = [_cell(row["a"]), _cell(row["b"]), _cell(row["difference"])]
        cells += [f'<td class="num">{p}</td>', f'<td class="num">{row["difference"]["n"]}</td>']
        shown.append((label(name), cells))
    return _grid("figure", ["a", "b", "difference b - a", "p, two-sided", "n films"], shown) if shown else ""


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{label(str(name))} {_said(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_said(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def facts_table(facts: dict[str, Any]) -> str:
    """Return name and value of every fact that is known."""
    rows = "".join(
        f'<tr><th scope="row">{escape(label(name))}</th><td>{escape(_said(value))}</td></tr>'
        for name, value in facts.items()
        if value is not None and value != [] and value != {}
    )
    return f"<table><tbody>{rows}</tbody></table>"
