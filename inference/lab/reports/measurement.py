"""One HTML page of a measurement: every figure with interval and n, and plots; it needs no network and no script."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from inference.lab.reports import plots
from inference.lab.reports.tables import (
    class_table,
    comparison_table,
    facts_table,
    figure_table,
    is_figure,
    subgroup_table,
    titled,
)

STYLE = Path(__file__).with_name("measurement.css")
RESEARCH_DEVICE = (
    "Research device. Not a medical device, not for diagnosis. A film called normal or benign is not an all-clear: "
    "where a bone tumour is suspected, refer to a bone tumour centre before biopsy."
)
LEAKING = (
    "Test films, or views of the same groups, were seen in training. No figure on this page measures how the model "
    "does on new films."
)
HEADLINE = (
    *("macro_auroc", "malignant_auroc", "tumour_auroc", "accuracy", "balanced_accuracy", "malignant_sensitivity"),
    *(
        "malignant_specificity",
        "cancers_called_normal",
        "normals_called_normal",
        "tumours_called_normal",
        "ece",
        "brier",
    ),
)
SECTIONS = (
    ("per_patient", "Patients as cases", ""),
    ("withheld", "Withheld answers", "Answered films only unless said; beside each gain stands its cost."),
    ("conformal", "Conformal sets", "Share of films whose set holds the true class. No guarantee under shift."),
    ("outline", "Outlines and lesion hits", ""),
    ("saliency", "Saliency against the drawn lesion", ""),
    ("flips", "Answers that flip under small perturbations", "Share of films whose outcome changes."),
    ("gate", "Gate", "All of these films are bone radiographs: each one refused is a fault."),
    ("subtypes", "Subtype ranking", "Tumour films of a known subtype."),
)


class Page:
    """Collects the parts of the page; every heading says LEAKING where the measurement leaks."""

    def __init__(self, leaking: bool) -> None:
        self.parts: list[str] = []
        self.mark = '<strong class="leaking">LEAKING</strong>' if leaking else ""

    def heading(self, level: int, words: str) -> str:
        return f"<h{level}>{self.mark}{escape(words)}</h{level}>"

    def section(self, title: str, body: str, lead: str = "") -> None:
        """Add a section; one without content is left out."""
        if body:
            words = f'<p class="soft">{escape(lead)}</p>' if lead else ""
            self.parts.append(f"<section>{self.heading(2, title)}{words}{body}</section>")

    def plot(self, title: str, svg: str) -> str:
        return f"<div>{self.heading(3, title)}{svg}</div>" if svg else ""


def _population(figures: dict[str, Any]) -> str:
    def counted(by_class: dict[str, int]) -> str:
        return ", ".join(f"{name} {count}" for name, count in by_class.items())

    films, groups = figures.get("films"), figures.get("groups")
    if films is None or groups is None:
        return ""
    return (
        f"{films} films ({counted(figures.get('films_by_class', {}))}) in {groups} groups "
        f"({counted(figures.get('groups_by_class', {}))}); a group may hold several classes. "
    )


def _curve_plots(page: Page, figures: dict[str, Any]) -> str:
    sensitivity, specificity = figures.get("malignant_sensitivity"), figures.get("malignant_specificity")
    marks = None
    if sensitivity and specificity and None not in (sensitivity["estimate"], specificity["estimate"]):
        marks = [(1 - specificity["estimate"], sensitivity["estimate"])]
    withheld = figures.get("withheld", {})
    actual = None
    if withheld and None not in (withheld["share"]["estimate"], withheld["risk_answered"]["estimate"]):
        actual = (1 - withheld["share"]["estimate"], withheld["risk_answered"]["estimate"])
    drawn = [
        page.plot("ROC", plots.roc_plot(figures.get("roc_curve", {}), marks)),
        page.plot("Precision and recall", plots.precision_recall_plot(figures.get("precision_recall_curve", {}))),
        page.plot("Calibration of the likeliest class", plots.calibration_plot(figures.get("calibration_curve", []))),
        page.plot("Calibration of malignant", plots.calibration_plot(figures.get("malignant_calibration_curve", []))),
        page.plot("Decision curve for malignant", plots.decision_plot(figures.get("decision_curve", []))),
        page.plot("Risk against coverage", plots.risk_coverage_plot(figures.get("risk_coverage_curve", []), actual)),
        page.plot("Lesion hits against false regions", plots.froc_plot(figures.get("outline", {}).get("froc", []))),
    ]
    return f'<div class="plots">{"".join(drawn)}</div>' if any(drawn) else ""


def _per_class(page: Page, figures: dict[str, Any]) -> str:
    body = class_table(figures.get("per_class", {}))
    matrix = figures.get("confusion_matrix")
    if matrix:
        body += f'<div class="plots">{page.plot("Confusion matrix", _confusion(matrix))}</div>'
    return body


def _confusion(matrix: dict[str, Any]) -> str:
    return plots.confusion_plot(matrix["counts"], matrix["classes"])


def _specificity_table(figures: dict[str, Any]) -> str:
    rows = {
        f"{name}, malignant at {row['threshold']:.3f} of validation aiming at specificity {key}": row[name]
        for key, row in figures.get("sensitivity_at_specificity", {}).items()
        for name in ("sensitivity", "specificity")
    }
    rows |= {
        f"precision of malignant at prevalence {100 * float(share):.0f} %": figure
        for share, figure in figures.get("precision_at_prevalence", {}).items()
    }
    return figure_table(rows)


def _measured(page: Page, figures: dict[str, Any]) -> None:
    page.section("Ranking and outcome rule", figure_table({n: figures[n] for n in HEADLINE if n in figures}))
    page.section("At the specificity aimed at, and at other prevalences", _specificity_table(figures))
    page.section("Per class", _per_class(page, figures), "One class against the rest; recall is sensitivity.")
    page.section("Curves", _curve_plots(page, figures), "Shaded: 95 % interval over groups.")
    for key, title, lead in SECTIONS:
        section = figures.get(key)
        if section:
            page.section(title, _section_body(page, section), lead or str(section.get("statement", "")))
    compared = figures.get("comparison", {})
    page.section("Two models on these films", comparison_table(compared.get("figures", {})), _compared(compared))
    for column, rows in figures.get("subgroups", {}).items():
        page.section(
            f"Subgroups by {column.replace('_', ' ')}",
            subgroup_table(rows),
            "Shown where at least 20 films stand behind it.",
        )


def _compared(compared: dict[str, Any]) -> str:
    names = f"a: {compared['a']}; b: {compared['b']}. " if {"a", "b"} <= compared.keys() else ""
    return names + str(compared.get("intervals", ""))


def _section_body(page: Page, section: dict[str, Any]) -> str:
    """Return one table of the section's own figures, then one titled table for each of its parts."""
    own = figure_table({name: part for name, part in section.items() if is_figure(part)})
    parts = []
    for name, part in section.items():
        table = figure_table(part) if isinstance(part, dict) and not is_figure(part) else ""
        if table:
            parts.append(f"<div>{page.heading(3, titled(name))}{table}</div>")
    return own + (f'<div class="columns">{"".join(parts)}</div>' if parts else "")


def report_html(title: str, facts: dict[str, Any], figures: dict[str, Any]) -> str:
    """Return the whole page. `facts` name what was measured; where facts["leaking"] is true every heading says so.

    `figures` is what `inference.lab.evaluation.figures.figures` returns; sections that it lacks are left out. It may
    hold `comparison`, what `inference.lab.evaluation.compare.compare` returns, with both names as `a` and `b`.
    """
    leaking = bool(facts.get("leaking"))
    page = Page(leaking)
    if leaking:
        reasons = facts.get("leaking_reasons") or []
        said = "".join(f"<p>{escape(str(reason))}</p>" for reason in reasons)
        page.parts.append(f'<div class="banner" role="alert">{page.mark}<p>{LEAKING}</p>{said}</div>')
    page.parts.append(f'<p class="device">{RESEARCH_DEVICE}</p>')
    page.parts.append(f'<p class="soft">{escape(_population(figures) + str(figures.get("intervals", "")))}</p>')
    if "few_groups" in figures:
        page.parts.append(f"<p><strong>{escape(str(figures['few_groups']))}</strong></p>")
    shown = {name: value for name, value in facts.items() if name != "leaking_reasons"}
    page.parts.append(f'<div class="facts">{facts_table({**shown, **_settings(figures)})}</div>')
    _measured(page, figures)
    style = STYLE.read_text(encoding="utf-8")
    mark = "LEAKING: " if leaking else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{mark}{escape(title)}</title><style>{style}</style></head>"
        f"<body><h1>{page.mark}{escape(title)}</h1>{''.join(page.parts)}</body></html>\n"
    )


def _settings(figures: dict[str, Any]) -> dict[str, Any]:
    names = ("thresholds", "resamples", "ms_per_image", "films_without_probabilities")
    return {name: figures[name] for name in names if name in figures}
