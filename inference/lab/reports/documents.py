"""Documents made from the card and the stored measurements: model card, table, results. No number in them is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.card import load_card
from inference.lab.reports.card_page import (
    is_flat,
    model_card_page,
    networks_table,
    original_line,
    protocols_of,
    sizes_line,
)
from inference.lab.reports.commands import made_with
from inference.lab.reports.describe import describe
from inference.lab.reports.goals import goal_table, shipped_run
from inference.lab.reports.runs import StoredRun, read_runs, runs_table
from inference.lab.reports.sections import (
    comparison_section,
    flips_section,
    gate_facts,
    gate_section,
    outline_section,
    saliency_section,
    subgroup_section,
    withheld_section,
)
from inference.lab.reports.text import Figures, at, figure_table, joined, section

MADE = "<!-- Written by `python -m inference results` from card.json and docs/results/runs. Do not edit. -->"
PAGE_HEAD = (
    "# Results\n\nEvery figure stands beside the command that made it. Timings come from a shared machine with two "
    "cores; read ratios."
)


def _about(card: dict[str, Any]) -> str:
    """What answers now, and, for a card of the first family, its figures: they are stored nowhere else."""
    text = str((card.get("protocol") or {}).get("text", ""))
    command = f"Command: {made_with(card)}" if card.get("command") else ""
    own = ""
    if is_flat(card):
        own = joined(sizes_line(card), figure_table(protocols_of(card)["grouped"]), original_line(card))
    heading = f"## The model: {card['name']} {card['version']}"
    return section(heading, text, networks_table(card), own, command)


def _same_weights(card: dict[str, Any], run: StoredRun | None) -> str:
    """A warning where the measurement stored as that of the shipped model is one of other weights."""
    told = at(run.measured, ("model", "sha256")) if run else None
    if run is None or told == card["weights"]["sha256"]:
        return ""
    return f"`{run.stem}.json` was measured on other weights ({run.title}) than those that answer now."


def model_fragment(card: dict[str, Any], results: Path) -> str:
    """Return docs/results/model.md: the table, the goals, and what the shipped model's measurement says."""
    folder = results / "runs"
    runs = read_runs(folder)
    shipped = shipped_run(runs)
    measured: Figures = shipped.measured if shipped else {}
    foreign = _same_weights(card, shipped)
    stored = {} if is_flat(card) else at(card, ("figures", "gate"))
    gate = gate_facts(folder) or stored or {}
    notes = results / "notes-model.md"
    return joined(
        _about(card),
        section("## The table", runs_table(runs)),
        section("## Goals", foreign, goal_table(runs, gate)),
        withheld_section(measured, "##"),
        gate_section(gate, "##"),
        subgroup_section(measured, "##"),
        flips_section(measured, "##"),
        saliency_section(measured, card if measured and not foreign else {}, "##"),
        outline_section(measured, "##"),
        comparison_section(folder, "##"),
        notes.read_text(encoding="utf-8") if notes.is_file() else "",
    )


def results_page(results: Path) -> str:
    """Return docs/results.md: the model's part and the portal's, as they lie in docs/results."""
    parts = [results / name for name in ("model.md", "portal.md")]
    return joined(PAGE_HEAD, *(part.read_text(encoding="utf-8") for part in parts if part.is_file()))


def write_documents(docs: Path, model: Path | None = None) -> list[Path]:
    """Write model card, the model's results and the results page below `docs`; returns their paths.

    `model` is the folder of an installed model (default: the one that answers until another is activated).
    """
    card, results = load_card(model), docs / "results"
    results.mkdir(parents=True, exist_ok=True)
    pages = [docs / "model-card.md", results / "model.md", docs / "results.md"]
    for path, text in zip(pages[:2], (model_card_page(card), model_fragment(card, results)), strict=True):
        path.write_text(f"{MADE}\n{text}\n", encoding="utf-8")
    pages[2].write_text(results_page(results) + "\n", encoding="utf-8")
    return pages


__all__ = ["describe", "write_documents"]
