"""The model's card as rows for a page: nothing is typed here but the headings."""

from typing import Any

HEADINGS = {
    "macro_auroc": "Macro AUROC",
    "malignant_auroc": "AUROC, malignant",
    "tumour_auroc": "AUROC, tumour",
    "ece": "Calibration error (ECE)",
    "brier": "Brier score",
}


def page_of(card: dict[str, Any]) -> dict[str, Any]:
    """Identity, statements, networks and every figure with its interval, in the card's order."""
    return {
        "name": card["name"],
        "version": card["version"],
        "sha256": card["weights"]["sha256"],
        "intended_use": card.get("intended_use", ""),
        "not_intended_for": card.get("not_intended_for", []),
        "limits": card.get("limits", []),
        "outcome_rule": card.get("outcome_rule", ""),
        "operating_point": _pairs(card["operating_point"]),
        "gate": _pairs(card["gate"]),
        "saliency": _pairs(card.get("saliency", {})),
        "training_data": _pairs(card.get("training_data", {})),
        "protocol": _pairs(card.get("protocol", {})),
        "networks": [_network(name, entry) for name, entry in card["networks"].items()],
        "figures": figures_of(card.get("figures", {})),
        "evaluation": _pairs(card.get("evaluation", {})),
        "licence": card.get("licence", ""),
        "command": card.get("command", ""),
    }


def figures_of(node: Any, words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Every ``{estimate, low, high, n}`` below the node, named by the keys that lead to it."""
    if not isinstance(node, dict):
        return []
    if "estimate" in node:
        name = HEADINGS.get(words[-1]) if len(words) == 1 else None
        interval = {key: node.get(key) for key in ("estimate", "low", "high", "n")}
        return [interval | {"name": name or ", ".join(word.replace("_", " ") for word in words)}]
    return [figure for key, value in node.items() for figure in figures_of(value, (*words, key))]


def _network(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    training = entry.get("training", {})
    rows = _pairs(entry.get("architecture", {})) + _pairs(training.get("recipe", {})) + _pairs(training)
    seen: dict[str, str] = {"parameters": f"{entry['parameters']:,}"} if "parameters" in entry else {}
    for key, value in rows:
        seen.setdefault(key, value)
    return {"name": name, "rows": list(seen.items())}


def _pairs(node: dict[str, Any]) -> list[tuple[str, str]]:
    """Plain values of a mapping, as texts."""
    return [(key.replace("_", " "), _text(value)) for key, value in node.items() if not isinstance(value, dict)]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
