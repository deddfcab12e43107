"""A model's card as rows for a page: nothing is typed here but headings; whatever a card lacks is left out."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from analyses.answers import wording
from analyses.model_pages.facts import PROTOCOLS, is_figure, own_figures, recipe_figures
from analyses.model_pages.plots import calibration_plot, distributions
from analyses.stored_words import card_word
from inference import card as cards

HEADINGS = {
    "macro_auroc": "Macro AUROC",
    "malignant_auroc": "AUROC, malignant",
    "tumour_auroc": "AUROC, tumour",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "ece": "Calibration error (ECE)",
    "brier": "Brier score",
    "iou": "IoU",
}
PROTOCOL_WORDS = {
    "grouped": (_("Shipped weights"), _("grouped: a group of films is never split between training and test")),
    "centre": (_("Same recipe"), _("centre: trained on one hospital, measured on another")),
    "paper": (_("Same recipe"), _("paper: random split by image, as in the founding paper")),
}
# Blocks of figures that have a place of their own on the page, or are no figures.
ELSEWHERE = frozenset({"subgroups", "thresholds", "groups_by_class", "films_by_class", "confusion_matrix"})
GATE_REASONS = ("not_a_bone_radiograph", "blank_image")
Card = dict[str, Any]
Rows = list[dict[str, Any]]


def page_of(card: Card) -> dict[str, Any]:
    """Everything that the model page shows of one card."""
    figures = own_figures(card)
    withheld, gate = _mapping(card.get("withheld")), _mapping(card.get("gate"))
    return {
        "key": cards.key_of(card),
        "name": card["name"],
        "version": card["version"],
        "sha256": card["weights"]["sha256"],
        "intended_use": card.get("intended_use", ""),
        "not_intended_for": _list(card.get("not_intended_for")),
        "limits": _list(card.get("limits")),
        "outcome_rule": card.get("outcome_rule", ""),
        "points": points_of(card),
        "protocols": _protocols(card),
        "figures": side_by_side(card),
        "details": sections_of(figures),
        "confusion": _confusion(figures.get("confusion_matrix")),
        "subgroups": subgroups_of(figures.get("subgroups")),
        "calibration": calibration_plot(figures.get("calibration_curve")),
        "malignant_calibration": calibration_plot(figures.get("malignant_calibration_curve")),
        "evaluation": pairs_of(_mapping(card.get("evaluation"))),
        "withheld": pairs_of({key: value for key, value in withheld.items() if key != "reasons"}),
        "withheld_reasons": list(_mapping(withheld.get("reasons")).items()),
        "gate": pairs_of(gate),
        "gate_reasons": [(code, wording.REASONS[code]) for code in GATE_REASONS],
        "saliency": pairs_of(_mapping(card.get("saliency"))),
        "subtypes": [wording.subtype_word(str(name)) for name in _list(card.get("subtypes"))],
        "reference": distributions(card.get("reference")),
        "training_data": pairs_of(_mapping(card.get("training_data"))),
        "protocol": pairs_of(_mapping(card.get("protocol"))),
        "networks": [_network(name, _mapping(entry)) for name, entry in _mapping(card.get("networks")).items()],
        "training": pairs_of(_mapping(card.get("training"))),
        "history": [entry for entry in _list(card.get("history")) if isinstance(entry, dict)],
        "licence": card.get("licence", ""),
        "command": card.get("command", ""),
    }


def figures_of(node: Any, words: tuple[str, ...] = ()) -> Rows:
    """Every ``{estimate, low, high, n}`` below the node, named by the keys that lead to it."""
    if not isinstance(node, dict):
        return []
    if is_figure(node):
        return [figure_of(node) | {"name": ", ".join(heading(word) for word in words)}]
    return [figure for key, value in node.items() for figure in figures_of(value, (*words, key))]


def figure_of(node: Card) -> dict[str, Any]:
    """A figure with its interval, complete."""
    return {key: node.get(key) for key in ("estimate", "low", "high", "n")}


def heading(key: str) -> str:
    """The words for a key of the card."""
    if key in wording.SUBTYPES:
        return wording.subtype_word(key)
    return card_word(HEADINGS.get(key) or key.replace("_", " "))


def _protocols(card: Card) -> list[dict[str, Any]]:
    """The protocols of which the card holds figures, and whose these are; the first cards have one, without a name."""
    found = []
    for name in PROTOCOLS:
        figures = own_figures(card) if name == "grouped" else recipe_figures(card, name)
        if figures:
            owner, text = PROTOCOL_WORDS[name]
            found.append({"name": name, "owner": owner, "text": text, "sizes": _sizes(figures)})
    return found


def _sizes(figures: Card) -> str:
    films, groups = figures.get("films"), figures.get("groups")
    words = []
    if isinstance(films, int):
        words.append(ngettext("%(number)s film", "%(number)s films", films) % {"number": films})
    if isinstance(groups, int):
        words.append(ngettext("%(number)s group", "%(number)s groups", groups) % {"number": groups})
    return ", ".join(words)


def side_by_side(card: Card) -> Rows:
    """The figures that stand at the top of each block, one row each with a cell per protocol."""
    blocks = [own_figures(card) if name == "grouped" else recipe_figures(card, name) for name in PROTOCOLS]
    blocks = [block for block in blocks if block]
    names = dict.fromkeys(key for block in blocks for key, value in block.items() if is_figure(value))
    return [
        {
            "name": heading(name),
            "cells": [figure_of(block[name]) if is_figure(block.get(name)) else None for block in blocks],
        }
        for name in names
    ]


def sections_of(figures: Card) -> Rows:
    """Every further block of figures of the shipped weights: per class, withheld, outline and so on."""
    blocks = {key: figures_of(value) for key, value in figures.items() if key not in ELSEWHERE and not is_figure(value)}
    return [{"title": heading(key), "rows": rows} for key, rows in blocks.items() if rows]


def subgroups_of(node: Any) -> Rows:
    """A table for each column (centre, subtype, size, site): a row for each value, a column for each figure."""
    tables = []
    for column, values in _mapping(node).items():
        entries = {value: _mapping(entry) for value, entry in _mapping(values).items()}
        names = list(dict.fromkeys(key for entry in entries.values() for key, item in entry.items() if is_figure(item)))
        rows = [
            {
                "name": wording.subtype_word(value) if column == "subtype" else card_word(value),
                "films": entry.get("films"),
                "groups": entry.get("groups"),
                "cells": [figure_of(entry[name]) if is_figure(entry.get(name)) else None for name in names],
            }
            for value, entry in entries.items()
        ]
        if rows:
            tables.append({"column": heading(column), "names": [heading(name) for name in names], "rows": rows})
    return tables


def points_of(card: Card) -> list[dict[str, Any]]:
    """The operating points with their cut-offs, what they were chosen on, and figures where the card states them."""
    found = []
    for name, point in cards.operating_points(card).items():
        point = _mapping(point)
        known = {"name", "malignant", "tumour", "finding", "chosen_on"}
        rest = {key: value for key, value in point.items() if key not in known}
        found.append(
            {
                "name": heading(point.get("name") or name),
                "malignant": point.get("malignant"),
                "tumour": point.get("tumour"),
                "finding": point.get("finding"),
                "chosen_on": point.get("chosen_on", ""),
                "figures": figures_of(rest),
                "pairs": pairs_of({key: value for key, value in rest.items() if not figures_of(value, (key,))}),
            }
        )
    return found


def _confusion(node: Any) -> dict[str, Any] | None:
    matrix = _mapping(node)
    classes, counts = _list(matrix.get("classes")), _list(matrix.get("counts"))
    if not classes or len(counts) != len(classes):
        return None
    rows = [
        {"name": card_word(str(name)), "cells": [{"count": n, "same": i == j} for j, n in enumerate(_list(cells))]}
        for i, (name, cells) in enumerate(zip(classes, counts, strict=True))
    ]
    return {"classes": [card_word(str(name)) for name in classes], "rows": rows}


def _network(name: str, entry: Card) -> dict[str, Any]:
    training = _mapping(entry.get("training"))
    rows = _plain(_mapping(entry.get("architecture"))) + _plain(_mapping(training.get("recipe"))) + _plain(training)
    seen: dict[str, str] = (
        {"parameters": f"{entry['parameters']:,}"} if isinstance(entry.get("parameters"), int) else {}
    )
    for key, value in rows:
        seen.setdefault(key, value)
    return {"name": name, "rows": list(seen.items())}


def pairs_of(node: Card, words: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Every value below a mapping as a text, named by the keys that lead to it; empty ones are left out."""
    found: list[tuple[str, str]] = []
    for key, value in node.items():
        path = (*words, str(key))
        if is_figure(value):
            found.append((" ".join(map(heading, path)), _interval(value)))
        elif isinstance(value, dict):
            found += pairs_of(value, path)
        elif value not in ("", []):
            found.append((" ".join(map(heading, path)), _text(value)))
    return found


def _plain(node: Card) -> list[tuple[str, str]]:
    """The values of a mapping that are neither mappings nor tables."""
    tables = {key for key, value in node.items() if isinstance(value, list) and value and isinstance(value[0], dict)}
    return pairs_of({k: value for k, value in node.items() if not isinstance(value, dict) and k not in tables})


def _interval(figure: Card) -> str:
    low, high = figure.get("low"), figure.get("high")
    span = "" if low is None or high is None else f" ({_text(low)} to {_text(high)})"
    return f"{_text(figure['estimate'])}{span}"


def _text(value: Any) -> str:
    if value is None:
        return "not defined"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _mapping(node: Any) -> Card:
    return node if isinstance(node, dict) else {}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []
