"""The model card in words (docs/model-card.md), all of it from card.json."""

from __future__ import annotations

from typing import Any

from inference.acceptance.rule import FIGURES, has_rule, rule_of
from inference.card import key_of, modalities_of, operating_points
from inference.lab.data.protocols import PROTOCOLS
from inference.lab.reports.commands import made_with
from inference.lab.reports.sections import NO_GUARANTEE, OUTLINE_OF_THE_PORTAL
from inference.lab.reports.tables import is_figure, label, titled
from inference.lab.reports.text import (
    LEAKING,
    NONE,
    Figures,
    at,
    bullets,
    cell,
    figure_table,
    joined,
    minutes_told,
    section,
    subgroup_tables,
    table,
)

Card = dict[str, Any]
OWNER_WORDS = {
    "grouped": "grouped (these weights)",
    "centre": "centre (the recipe, trained on one hospital, measured on another)",
    "paper": "paper (the recipe, random split by image)",
}
# Blocks of the figures that stand elsewhere on the page or repeat others.
_ELSEWHERE = frozenset(
    {"subgroups", "with_gate", "thresholds", "groups_by_class", "films_by_class", "withheld", "conformal"}
)


def is_flat(card: Card) -> bool:
    """Whether the card holds the figures of its weights without a protocol's name, as the first cards do."""
    return any(is_figure(value) for value in (card.get("figures") or {}).values())


def protocols_of(card: Card) -> dict[str, Figures]:
    """Return the figures by protocol."""
    figures = card.get("figures") or {}
    return {"grouped": figures} if is_flat(card) else {name: figures[name] for name in PROTOCOLS if figures.get(name)}


def networks_table(card: Card) -> str:
    """Return one row per network: what it is, how large, how long it was trained and from what."""
    head = ("network", "architecture", "input", "parameters", "epochs (kept)", "minutes", "held out", "recipe", "start")
    rows = []
    for name, entry in (card.get("networks") or {}).items():
        shape, training = entry.get("architecture", {}), entry.get("training", {})
        recipe = training.get("recipe", {})
        blocks = "-".join(str(width) for width in shape.get("widths", ()))
        rows.append(
            [
                name,
                str(shape.get("network") or f"blocks {blocks}, dense {shape.get('dense', NONE)}"),
                f"{shape.get('size', NONE)} px",
                f"{entry.get('parameters', 0):,}",
                f"{training.get('epochs_run', NONE)} ({training.get('epoch_chosen', NONE)})",
                minutes_told(training.get("minutes"), training.get("minutes_below"), str(recipe.get("start_from", ""))),
                str(training.get("held_out", NONE)),
                str(recipe.get("name", NONE)),
                str(recipe.get("start_from") or recipe.get("start") or "random"),
            ]
        )
    return table(head, rows)


def _recipes(card: Card) -> str:
    """Return the settings of every recipe that a network was trained by, each once."""
    recipes: dict[str, Card] = {}
    for entry in (card.get("networks") or {}).values():
        recipe = entry.get("training", {}).get("recipe", {})
        recipes.setdefault(str(recipe.get("name", "")), recipe)
    lines = []
    for name, recipe in recipes.items():
        settings = ", ".join(f"{key} {_plain(value)}" for key, value in recipe.items() if key not in ("name", "title"))
        lines.append(f"*{name}*: {settings}")
    return f"Recipes:\n\n{bullets(lines)}" if lines else ""


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_plain(part)}" for key, part in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_plain(part) for part in value) + "]"
    return "none" if value in ("", None) else str(value)


def _points(card: Card) -> str:
    rows = []
    known = {"name", "malignant", "tumour", "chosen_on"}
    for name, point in operating_points(card).items():
        rest = "; ".join(f"{label(key)} {_plain(value)}" for key, value in point.items() if key not in known)
        cuts = [f"{point.get(key, NONE)}" for key in ("malignant", "tumour")]
        rows.append([str(point.get("name") or name).replace("_", "-"), *cuts, str(point.get("chosen_on", "")), rest])
    head = ["operating point", "P(malignant)", "P(tumour)", "chosen on", "remarks"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return table(head, rows)


def _withheld(card: Card) -> str:
    held = card.get("withheld") or {}
    if not held:
        return section("## Withheld answers", "This model withholds nothing.")
    distance = held.get("distance") or {}
    conformal = at(card, ("figures", "grouped", "conformal")) or {}
    leaking = bool(at(card, ("figures", "grouped", "leaking")))
    reasons = [f"`{code}`: {words}" for code, words in (held.get("reasons") or {}).items()]
    share = at(card, ("figures", "grouped", "withheld")) or {}
    return section(
        "## Withheld answers",
        str(held.get("text", "")),
        f"Reasons:\n\n{bullets(reasons)}" if reasons else "",
        f"Level of the sets: {held.get('level', NONE)}; cut-offs {_plain(held.get('cut_offs', NONE))} (normal, benign, "
        f"malignant). Distance: withheld beyond {distance.get('threshold', NONE)}, chosen on "
        f"{distance.get('chosen_on', NONE)}.",
        section("### Coverage of the sets", NO_GUARANTEE, figure_table(conformal, leaking=leaking)),
        section("### What withholding buys and costs", figure_table(share, leaking=leaking)),
    )


def _gate(card: Card) -> str:
    gate = card.get("gate") or {}
    known = {"threshold", "chosen_on"}
    facts = [f"{label(key)}: {_plain(value)}" for key, value in gate.items() if key not in known]
    figures = {} if is_flat(card) else at(card, ("figures", "gate")) or {}
    return section(
        "## Gate",
        f"Passes from {_plain(gate.get('threshold'))}; chosen on {gate['chosen_on']}." if "chosen_on" in gate else "",
        bullets(facts),
        figure_table(figures),
    )


def _saliency(card: Card) -> str:
    told = card.get("saliency") or {}
    return section(
        "## Saliency",
        f"**{str(told.get('status', 'unknown')).capitalize()}.** {told.get('reason', '')}".strip(),
        f"Rule: {told['rule']}" if told.get("rule") else "",
        f"Method: {told['method']}." if told.get("method") else "",
    )


def _side_by_side(blocks: dict[str, Figures]) -> str:
    names = dict.fromkeys(key for block in blocks.values() for key, value in block.items() if is_figure(value))
    head = ["figure"]
    for protocol, block in blocks.items():
        head.append(OWNER_WORDS[protocol] + (f" **{LEAKING}**" if block.get("leaking") else ""))
    rows = []
    for name in names:
        cells = [cell(b.get(name), n=True, leaking=bool(b.get("leaking"))) for b in blocks.values()]
        rows.append([label(name), *cells])
    return table(head, rows)


def sizes_line(card: Card) -> str:
    """Return how many films and groups stand behind each protocol, and how the intervals were made."""
    run = card.get("evaluation") or {}
    lines = []
    for name, block in protocols_of(card).items():
        about = run if is_flat(card) else block
        lines.append(
            f"*{name}*: {about.get('films', NONE)} films in {about.get('groups', NONE)} groups; "
            f"intervals: {about.get('intervals', NONE)}"
        )
    return bullets(lines)


def original_line(card: Card) -> str:
    """Return how far an original and its small copy differ, where the card was measured on that."""
    gap = at(card, ("evaluation", "original_against_copy"))
    if not gap:
        return ""
    return (
        "P(malignant) of a full-size original against its 256 px copy: median difference "
        f"{gap.get('median_gap', NONE)}, largest {gap.get('largest_gap', NONE)} ({gap.get('n', NONE)} films)."
    )


def figures_section(card: Card) -> str:
    """Return all figures: side by side by protocol, then every block of those of the weights, then subgroups."""
    blocks = protocols_of(card)
    if not blocks:
        return section("## Figures", "Not measured yet.")
    own = blocks.get("grouped", {})
    leaking = bool(own.get("leaking"))
    details = [
        section(
            f"### {titled(key)} (these weights)",
            OUTLINE_OF_THE_PORTAL if key == "outline" else "",
            figure_table(value, leaking=leaking),
        )
        for key, value in own.items()
        if isinstance(value, dict) and not is_figure(value) and key not in _ELSEWHERE
    ]
    found = subgroup_tables(own.get("subgroups"), "####", leaking=leaking)
    return section(
        "## Figures",
        "*grouped* belongs to these weights; *centre* and *paper* to the recipe, trained anew on those lists.",
        sizes_line(card),
        _side_by_side(blocks),
        original_line(card),
        *details,
        section("### Subgroups (these weights)", found),
    )


def _reference(card: Card) -> str:
    rows, shares = [], []
    points: list[str] = []
    for name, entry in (card.get("reference") or {}).items():
        if "quantiles" in entry:
            points = points or list(entry["quantiles"])
            values = [_plain(entry["quantiles"].get(point, NONE)) for point in points]
            rows.append([name, entry.get("unit") or NONE, *values, str(entry.get("n", NONE))])
        elif "values" in entry:
            shares += [[key, _plain(value), str(entry.get("n", NONE))] for key, value in entry["values"].items()]
    return section(
        "## Reference distributions",
        "Inputs and outputs on held-out films: what is usual for this model." if rows or shares else "",
        table(("what", "unit", *(f"quantile {point}" for point in points), "n"), rows),
        table(("share of films", "value", "n"), shares),
    )


def _acceptance(card: Card) -> str:
    """Return the rule by which a site accepts the model; a card without one cannot be activated."""
    if not has_rule(card):
        return ""
    rule = rule_of(card)
    rows = [
        [label(bound.figure), FIGURES[bound.figure].replace("_", " "), _plain(bound.limit), _plain(bound.surely)]
        for bound in rule.bounds
    ]
    return section(
        "## Site acceptance",
        f"A department accepts the model on its own films, at least {rule.least_tumour_free} tumour-free ones and "
        f"{rule.least_tumours} with a tumour. Every figure must keep its limit, and the end of its 95 % interval that "
        "speaks against the model must keep the second one; otherwise more films are needed.",
        table(("figure of the site", "", "figure", "end of the interval"), rows),
        f"Local cut-offs aim at {_plain(rule.aim_false_alarms)} of tumour-free films called a tumour and at most "
        f"{_plain(rule.aim_malignant)} called malignant.",
    )


def _training(card: Card) -> str:
    data, protocol = card.get("training_data") or {}, card.get("protocol") or {}
    known = ("name", "citation", "licence")
    return section(
        "## Training",
        " ".join(f"{words}." for key in known if (words := _sentence(key, data))),
        bullets([f"{label(key)}: {value}" for key, value in data.items() if key not in known]),
        str(protocol.get("text", "")),
        f"sha256 of folds.csv: `{protocol['folds_sha256']}`." if "folds_sha256" in protocol else "",
        networks_table(card),
        str((card.get("initialisation") or {}).get("text", "")),
        _recipes(card),
    )


def _sentence(key: str, data: Card) -> str:
    if key not in data:
        return ""
    return f"Licence: {data[key]}" if key == "licence" else str(data[key])


def model_card_page(card: Card) -> str:
    """Return the model card as Markdown; whatever an older card lacks is left out."""
    weights = card["weights"]
    size = f" {weights['bytes'] / 1e6:.1f} MB," if "bytes" in weights else ""
    history = [f"{entry['version']} ({entry['date']}): {entry['text']}" for entry in card.get("history") or ()]
    return joined(
        f"# Model card: {card['name']} {card['version']}",
        f"Weights `{weights['file']}`,{size} sha256 `{weights['sha256']}`. Key: `{key_of(card)}`. "
        f"Modalities: {', '.join(modalities_of(card)) or NONE}.",
        section("## Intended use", card.get("intended_use", "")),
        section("## Not intended for", bullets(card.get("not_intended_for") or ())),
        section("## Limits", bullets(card.get("limits") or ())),
        section("## How an answer is made", card.get("outcome_rule", ""), _points(card)),
        _withheld(card),
        _gate(card),
        _saliency(card),
        _training(card),
        figures_section(card),
        _reference(card),
        _acceptance(card),
        section("## History", bullets(history)),
        section("## Made with", made_with(card)),
        section("## Licence", card.get("licence", "")),
    )
