"""The facts by which an administrator tells one installed model from another, read from its card."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from analyses.answers import wording
from analyses.formatting import written
from analyses.models import Task
from inference import card as cards

Facts = dict[str, Any]
PROTOCOLS = ("grouped", "centre", "paper")
# Figures of the list by their key in the card, with their heads, for each task.
LISTED: dict[str, dict[str, Any]] = {
    Task.TUMOUR: {
        "macro_auroc": _("Macro AUROC"),
        "malignant_auroc": _("AUROC, malignant"),
        "malignant_sensitivity": _("Malignant sensitivity"),
        "malignant_specificity": _("Malignant specificity"),
    },
    Task.FRACTURE: {"auroc": _("AUROC"), "sensitivity": _("Sensitivity"), "specificity": _("Specificity")},
}


def listed(task: str) -> dict[str, Any]:
    """The figures that the list of models shows for a task, and their heads."""
    return LISTED.get(task, LISTED[Task.TUMOUR])


def own_figures(card: dict[str, Any]) -> Facts:
    """The figures that belong to the weights themselves: under "grouped", or the whole block of the first cards."""
    block = card.get("figures")
    if not isinstance(block, dict):
        return {}
    if not any(name in block for name in PROTOCOLS):
        return block
    nested = block.get("grouped")
    return nested if isinstance(nested, dict) else {}


def recipe_figures(card: dict[str, Any], protocol: str) -> Facts:
    """The figures of the same recipe trained anew on another split; empty where the card has none."""
    block = card.get("figures")
    found = block.get(protocol) if isinstance(block, dict) else None
    return found if isinstance(found, dict) and "estimate" not in found else {}


def facts_of(card: dict[str, Any]) -> Facts:
    """Name, version, family, size, operating points and the main figures of a card."""
    figures = own_figures(card)
    return {
        "name": card["name"],
        "version": card["version"],
        "family": cards.family_of(card),
        "sha256": card["weights"]["sha256"],
        "megabytes": _megabytes(card["weights"].get("bytes")),
        "modalities": ", ".join(cards.modalities_of(card)),
        "points": [
            {
                "name": str(wording.POINTS.get(name, name.replace("_", "-"))),
                "cut_off": point.get("malignant", point.get("finding")),
            }
            for name, point in cards.operating_points(card).items()
        ],
        "figures": [figures[name] if is_figure(figures.get(name)) else None for name in listed(cards.task_of(card))],
    }


def is_figure(node: Any) -> bool:
    """Whether this is a measured value with its interval."""
    return isinstance(node, dict) and "estimate" in node


def _megabytes(size: Any) -> str:
    return written(size / 1e6, 1) + " MB" if isinstance(size, int) else ""
