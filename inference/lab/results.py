"""Documents made from the card: the model card in words and the table of figures. Nothing in them is typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MADE = "<!-- Written by `python -m inference results` from inference/weights/card.json. Do not edit. -->\n"


def figure_rows(node: Any, words: tuple[str, ...] = ()) -> list[tuple[str, dict[str, Any]]]:
    """Return (name, figure) for every {estimate, low, high, n} below `node`, in its order."""
    if not isinstance(node, dict):
        return []
    if "estimate" in node:
        return [(", ".join(word.replace("_", " ") for word in words), node)]
    return [row for key, value in node.items() for row in figure_rows(value, (*words, key))]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def figures_table(card: dict[str, Any]) -> str:
    """Return the card's figures as a Markdown table."""
    lines = ["| figure | estimate | 95 % interval | n |", "|---|---|---|---|"]
    for name, figure in figure_rows(card.get("figures", {})):
        interval = f"{_number(figure['low'])} to {_number(figure['high'])}"
        lines.append(f"| {name} | {_number(figure['estimate'])} | {interval} | {figure['n']} |")
    return "\n".join(lines)


def _networks_table(card: dict[str, Any]) -> str:
    lines = [
        "| network | blocks | input | parameters | epochs (chosen) | minutes | start |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in card["networks"].items():
        training, shape = entry["training"], entry["architecture"]
        widths = "-".join(str(width) for width in shape["widths"])
        lines.append(
            f"| {name} | {widths}, dense {shape['dense']}, dropout {shape['dropout']} | {shape['size']} px "
            f"| {entry['parameters']:,} | {training['epochs_run']} ({training['epoch_chosen']}) "
            f"| {training['minutes']} | {training['recipe']['start_from'] or 'random'} |"
        )
    return "\n".join(lines)


def _measured(card: dict[str, Any]) -> str:
    run = card.get("evaluation", {})
    gap = run.get("original_against_copy", {})
    return (
        f"Part `{run.get('part', '-')}` of *{card['protocol']['name']}*: {run.get('films', '-')} films in "
        f"{run.get('groups', '-')} groups. Intervals: {run.get('intervals', '-')}.\n\n"
        f"{figures_table(card)}\n\n"
        f"P(malignant) of a full-size original against its 256 px copy: median difference "
        f"{gap.get('median_gap', '-')}, largest {gap.get('largest_gap', '-')} ({gap.get('n', '-')} films).\n"
    )


def results_fragment(card: dict[str, Any]) -> str:
    """Return docs/results/model.md."""
    return (
        f"{_MADE}## The model: {card['name']} {card['version']}\n\n{card['protocol']['text']}\n\n"
        f"{_networks_table(card)}\n\n"
        f"{_measured(card)}\nCommand: `{card['command']}`\n"
    )


def model_card_page(card: dict[str, Any]) -> str:
    """Return docs/model-card.md."""
    point = card["operating_point"]
    no = "\n".join(f"- {line}" for line in card["not_intended_for"])
    limits = "\n".join(f"- {line}" for line in card["limits"])
    data = card["training_data"]
    return (
        f"{_MADE}# Model card: {card['name']} {card['version']}\n\n"
        f"Weights `{card['weights']['file']}`, {card['weights']['bytes'] / 1e6:.1f} MB, "
        f"sha256 `{card['weights']['sha256']}`.\n\n"
        f"## Intended use\n\n{card['intended_use']}\n\nNot intended for:\n\n{no}\n\n## Limits\n\n{limits}\n\n"
        f"## How an answer is made\n\n{card['outcome_rule']}\n\nOperating point *{point['name']}*: P(malignant) "
        f"{point['malignant']}, P(tumour) {point['tumour']}; chosen on {point['chosen_on']}.\n\n"
        f"Gate: probability {card['gate']['threshold']}; chosen on {card['gate']['chosen_on']}. "
        f"Kinds that it never saw in training: {', '.join(card['gate']['held_out_kinds'])}. "
        f"Blank images: {card['gate']['blank_rule']}.\n\n"
        f"Saliency: {card['saliency']['method']}. **{card['saliency']['status'].capitalize()}.**\n\n"
        f"## Training\n\n{data['name']}. {data['citation']}. Licence: {data['licence']}. "
        f"Gate: {data['gate']}.\n\n"
        f"{card['protocol']['text']} sha256 of folds.csv: `{card['protocol']['folds_sha256']}`.\n\n"
        f"{_networks_table(card)}\n\n"
        f"{card['initialisation']['text']}\n\n## Figures\n\n{_measured(card)}\n## Made with\n\n`{card['command']}`\n\n"
        f"## Licence\n\n{card['licence']}\n"
    )


def write_documents(card: dict[str, Any], docs: Path) -> list[Path]:
    """Write both documents below `docs` and return their paths."""
    pages = {docs / "model-card.md": model_card_page(card), docs / "results" / "model.md": results_fragment(card)}
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(pages)
