"""Writes measured figures into the card of an installed model, each with the word whose figures they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.card import key_of, load_card
from inference.errors import DataError
from inference.lab.cards.build import write_card
from inference.lab.reports.runs import read_json
from inference.lab.reports.tables import is_figure
from inference.lab.reports.text import Figures, cell, figure_at

OWNERS = {"grouped": "weights", "centre": "recipe", "paper": "recipe", "gate": "gate"}
# Long curves stay in the stored measurement: a card is read by people and by every web process.
_DROPPED = frozenset({"roc_curve", "precision_recall_curve", "decision_curve", "risk_coverage_curve", "froc"})
POINTING, IOU, SAME_AS_RANDOM = 0.75, 0.25, 0.5
SALIENCY_RULE = (
    f"Shown only where, on the tumour films of grouped, the pointing game reaches {POINTING}, the IoU with the drawn "
    f"lesion reaches {IOU}, and the rank correlation with the map of randomised weights stays below {SAME_AS_RANDOM}."
)


def compact(measured: Figures) -> Figures:
    """Return the measurement without long curves; of the leaks the sentence, of the open gate the main figures."""
    kept = {key: _without_curves(value) for key, value in measured.items() if key not in _DROPPED}
    if isinstance(kept.get("leakage"), dict):
        kept["leakage"] = kept["leakage"].get("sentence", "")
    if isinstance(kept.get("with_gate"), dict):
        kept["with_gate"] = {
            key: value for key, value in kept["with_gate"].items() if is_figure(value) or not isinstance(value, dict)
        }
    return kept


def _without_curves(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    return {key: _without_curves(value) for key, value in node.items() if key not in _DROPPED}


def _recipes(card: dict[str, Any]) -> set[str]:
    """The experiments that the card's networks were trained by."""
    entries = (card.get("networks") or {}).values()
    return {name for entry in entries if (name := entry.get("training", {}).get("recipe", {}).get("name"))}


def _check_weights(card: dict[str, Any], measured: Figures, path: Path) -> None:
    model = measured.get("model")
    sha256 = model.get("sha256") if isinstance(model, dict) else None
    if sha256 != card["weights"]["sha256"]:
        raise DataError(
            "other_weights",
            f"{path.name} was not measured on the weights of {key_of(card)}: its sha256 is "
            f"{sha256 or 'missing'}, the card's is {card['weights']['sha256']}.",
        )


def _check_recipe(card: dict[str, Any], name: str, measured: Figures, path: Path) -> None:
    row, recipes = measured.get("row"), _recipes(card)
    if not row or measured.get("protocol") != name:
        raise DataError("other_protocol", f"{path.name} is no measurement of a training run on {name}.")
    if recipes and row not in recipes:
        raise DataError(
            "other_recipe",
            f"{path.name} belongs to the experiment {row}; {key_of(card)} was trained by {', '.join(sorted(recipes))}.",
        )


def _entry(card: dict[str, Any], name: str, path: Path) -> Figures:
    """Return what the card shall hold under this name, after checking that the file may stand there."""
    measured = read_json(path)
    if name == "grouped":
        _check_weights(card, measured, path)
    elif name in ("centre", "paper"):
        _check_recipe(card, name, measured, path)
    else:
        # gate.json holds its figures beside settings of the training; the figures are what the card states.
        inner = measured.get("figures")
        measured = inner if isinstance(inner, dict) else measured
    if not any(_any_figure(value) for value in measured.values()):
        raise DataError("no_figures", f"{path.name} holds no figures.")
    protocol = {} if name == "gate" else {"protocol": name}
    return {**compact(measured), "of": OWNERS[name], **protocol}


def _any_figure(node: Any) -> bool:
    return is_figure(node) or (isinstance(node, dict) and any(_any_figure(value) for value in node.values()))


def saliency_verdict(grouped: Figures) -> tuple[str, str]:
    """Return status and reason by SALIENCY_RULE on the measured figures."""
    found = grouped.get("saliency")
    pointing, iou = figure_at(found, "pointing_game"), figure_at(found, "iou")
    alike = figure_at(found, "randomisation", "rank_correlation")
    if pointing is None or iou is None or alike is None:
        return "not shown", "Overlap with the lesion and the randomisation test were not both measured."
    told = (
        f"Pointing game {cell(pointing)}, IoU {cell(iou)}, rank correlation with the map of randomised weights "
        f"{cell(alike)}, n {pointing['n']}"
    )
    if grouped.get("leaking"):
        return "not shown", f"{told}; but these films were seen in training."
    failed = [
        words
        for words, fails in (
            (f"the pointing game stays below {POINTING}", pointing["estimate"] < POINTING),
            (f"the IoU stays below {IOU}", iou["estimate"] < IOU),
            (
                f"the map resembles that of random weights ({SAME_AS_RANDOM} or more)",
                alike["estimate"] >= SAME_AS_RANDOM,
            ),
        )
        if fails
    ]
    if failed:
        return "not shown", f"{told}: {' and '.join(failed)}."
    return "shown", f"{told}: all three conditions of the rule are met."


def describe(folder: Path, files: dict[str, Path]) -> dict[str, Any]:
    """Write measured figures into the card below `folder`; `files` maps grouped, centre, paper, gate to JSON files.

    grouped belongs to the weights and must have been measured on them; centre and paper belong to the recipe. Nothing
    is written unless every file may stand where it shall. Returns the card.

    Raises:
        DataError: an unknown name, a missing or foreign measurement, or a card of the first family.
    """
    card = load_card(folder)
    unknown = sorted(set(files) - set(OWNERS))
    if unknown or not files:
        raise DataError("unknown_figures", f"{', '.join(unknown) or 'Nothing'}: name {', '.join(OWNERS)}.")
    held = card.get("figures") or {}
    if any(is_figure(value) for value in held.values()):
        raise DataError("old_card", f"The card of {key_of(card)} holds the figures that it was published with.")
    found = {name: _entry(card, name, path) for name, path in files.items()}
    together = {**held, **found}
    card["figures"] = {name: together[name] for name in OWNERS if name in together}
    if "grouped" in found:
        status, reason = saliency_verdict(found["grouped"])
        card["saliency"] = {**card.get("saliency", {}), "status": status, "reason": reason, "rule": SALIENCY_RULE}
    write_card(card, folder)
    return card
