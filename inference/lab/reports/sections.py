"""What the results page says of the shipped model beyond the table, and of comparisons between models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.lab.reports.runs import read_json
from inference.lab.reports.tables import is_figure, label
from inference.lab.reports.text import (
    Figures,
    at,
    bullets,
    cell,
    figure_table,
    joined,
    section,
    subgroup_tables,
    table,
)
from inference.outline import MAX_REGIONS

NO_GUARANTEE = (
    "No guarantee under shift: on films of another source the sets may hold the true class less often than stated."
)

OUTLINE_OF_THE_PORTAL = (
    "These figures count the cells of every film, whatever was called. The portal outlines less: nothing where "
    f"*normal* is called, no region below the smallest area of the card, and at most {MAX_REGIONS} regions."
)


def gate_facts(folder: Path) -> Figures:
    """Return the gate's stored figures (runs/gate.json), empty where they are missing."""
    path = folder / "gate.json"
    if not path.is_file():
        return {}
    found = read_json(path)
    inner = found.get("figures")
    return inner if isinstance(inner, dict) else found


def withheld_section(measured: Figures, level: str) -> str:
    """Return what withholding buys and costs, and what the conformal sets cover."""
    leaking = bool(measured.get("leaking"))
    withheld, conformal = measured.get("withheld") or {}, measured.get("conformal") or {}
    reasons = [
        f"{code.replace('_', ' ')}: {count} films" for code, count in withheld.get("films_by_reason", {}).items()
    ]
    coverage = section(f"{level}# Conformal sets", NO_GUARANTEE, figure_table(conformal, leaking=leaking))
    return section(
        f"{level} Withheld answers",
        figure_table(withheld, leaking=leaking),
        f"Reasons (an answer may have several):\n\n{bullets(reasons)}" if reasons else "",
        coverage if conformal else "",
    )


def gate_section(gate: Figures, level: str) -> str:
    """Return the gate's figures by kind: each kind judged by a gate that was trained without it."""
    kinds = at(gate, ("left_out", "by_kind")) or {}
    rest = {key: value for key, value in gate.items() if key != "left_out"}
    whole = at(gate, ("left_out", "whole"))
    if is_figure(whole):
        rest = {"all images that are not bone, refused by gates that never saw their kind": whole, **rest}
    rows = [[label(kind), cell(figure), str(figure["n"])] for kind, figure in kinds.items() if is_figure(figure)]
    return section(
        f"{level} Gate",
        figure_table(rest),
        "Each kind by a gate trained without it:" if rows else "",
        table(("kind left out", "refused (95 % interval)", "n"), rows),
        *_sources_of_gate(gate),
    )


def _sources_of_gate(gate: Figures) -> tuple[str, ...]:
    """Return the bone films of each source by a gate that never saw the source; nothing where none was left out."""
    shares, areas = at(gate, ("left_out", "by_source")) or {}, at(gate, ("left_out", "auroc_by_source")) or {}
    if not shares:
        return ()
    rows = [[label(name), cell(one), cell(areas.get(name)), str(one["n"])] for name, one in shares.items()]
    head = ("source left out", "bone films refused (95 % interval)", "AUROC against all that is no bone", "n")
    return ("Each source of bone films by a gate trained without it:", table(head, rows))


def _size_table(found: Figures, names: dict[str, str], leaking: bool) -> str:
    """Return a row per lesion size and a column per figure; `names` maps keys {size: figure} to headings."""
    columns = {heading: found[key] for key, heading in names.items() if isinstance(found.get(key), dict)}
    sizes = list(dict.fromkeys(size for values in columns.values() for size in values))
    rows = [[size, *(cell(values.get(size), n=True, leaking=leaking) for values in columns.values())] for size in sizes]
    return table(("share of the film that the lesion covers", *columns), rows)


def outline_section(measured: Figures, level: str) -> str:
    """Return Dice and hits, over all and by lesion size."""
    found, leaking = measured.get("outline") or {}, bool(measured.get("leaking"))
    sizes = {
        "dice_by_size": "Dice",
        "lesion_hits_by_size": "lesion hits",
        "lesion_hits_at_0.2_by_size": "lesion hits at 0.2 false regions per normal film",
    }
    rest = {key: value for key, value in found.items() if not key.endswith("_by_size")}
    return section(
        f"{level} Outlines",
        OUTLINE_OF_THE_PORTAL if found else "",
        figure_table(rest, leaking=leaking),
        _size_table(found, sizes, leaking),
        str(found.get("statement", "")),
    )


def saliency_section(measured: Figures, card: dict[str, Any], level: str) -> str:
    """Return the measured overlap of the maps, and what follows from it where the card is that of these weights."""
    found, leaking = measured.get("saliency") or {}, bool(measured.get("leaking"))
    sizes = {"pointing_game_by_size": "pointing game", "iou_by_size": "IoU"}
    rest = {key: value for key, value in found.items() if not key.endswith("_by_size")}
    told = card.get("saliency") or {}
    return section(
        f"{level} Saliency",
        f"**{str(told['status']).capitalize()}.** {told.get('reason', '')} {told.get('rule', '')}" if told else "",
        figure_table(rest, leaking=leaking),
        _size_table(found, sizes, leaking),
        str(found.get("statement", "")),
    )


def flips_section(measured: Figures, level: str) -> str:
    """Return how often a small change of the film changes the answer."""
    found, leaking = measured.get("flips") or {}, bool(measured.get("leaking"))
    lost = found.get("found_cancers_lost") or {}
    rows = [
        [label(name), cell(figure, n=True, leaking=leaking), cell(lost.get(name), n=True, leaking=leaking)]
        for name, figure in (found.get("by_perturbation") or {}).items()
    ]
    rest = {key: found[key] for key in ("any", "any_by_class") if key in found}
    return section(
        f"{level} Flips under small changes",
        table(("change of the film", "answers that change", "found cancers that are lost"), rows),
        figure_table(rest, leaking=leaking),
    )


def subgroup_section(measured: Figures, level: str) -> str:
    """Return a table per column; only subgroups of at least 20 films are in the measurement."""
    found = subgroup_tables(measured.get("subgroups"), f"{level}#", leaking=bool(measured.get("leaking")))
    return section(f"{level} Subgroups", found)


def comparison_section(folder: Path, level: str) -> str:
    """Return every stored comparison (compare-*.json): both models, their difference and p."""
    parts = []
    for path in sorted(folder.glob("compare-*.json")):
        stored = read_json(path)
        found = stored.get("comparison") or stored
        a, b = str(found.get("a", "a")), str(found.get("b", "b"))
        rows = [
            [label(name), cell(row["a"]), cell(row["b"]), cell(row["difference"]), _p(row["p"])]
            for name, row in (found.get("figures") or {}).items()
        ]
        parts.append(
            section(
                f"{level}# {a} against {b}",
                f"{found.get('films', '?')} films in {found.get('groups', '?')} groups. {found.get('intervals', '')}",
                table(("figure", a, b, "difference", "p, two-sided"), rows),
            )
        )
    return section(f"{level} Comparisons", joined(*parts))


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
