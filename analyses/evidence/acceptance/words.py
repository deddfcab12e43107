"""What pages call the figures, verdicts and warnings of an acceptance, and its numbers as rows of a table."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.formatting import written
from inference.acceptance.rule import FIGURES, MET, NOT_MET, UNDECIDED

WORDS: dict[str, Any] = {
    "false_alarms": (_("False alarms"), _("tumour-free films called a tumour")),
    "false_alarms_malignant": (_("False alarms, malignant"), _("tumour-free films called malignant")),
    "tumour_sensitivity": (_("Sensitivity, tumour"), _("films with a tumour called a tumour")),
    "malignant_sensitivity": (_("Sensitivity, malignant"), _("malignant films called malignant")),
    "cancers_called_normal": (_("Cancers called normal"), _("malignant films called tumour-free")),
    "coverage": (_("Coverage"), _("films whose conformal set holds the true class")),
    "withheld": (_("Withheld"), _("films whose answer is withheld")),
    "gate_refusals": (_("Refused by the input check"), _("all films of the set")),
    "tumour_auroc": (_("AUROC, tumour"), ""),
    "malignant_auroc": (_("AUROC, malignant"), ""),
}
VERDICTS: dict[str, tuple[str, Any]] = {
    MET: ("valid", _("rule met")),
    UNDECIDED: ("neutral", _("not decided")),
    NOT_MET: ("void", _("rule not met")),
}
SENTENCES: dict[str, Any] = {
    MET: _("The rule is met: the model can be accepted at these cut-offs."),
    UNDECIDED: _("Not decided: the figures keep the rule, but there are too few films to be sure. Add films."),
    NOT_MET: _("The rule is not met: the model must not be accepted at these cut-offs."),
}
WARNINGS: dict[str, Any] = {
    "few_normal": _("Fewer than 20 patients without a tumour: the intervals are wide and may be too narrow."),
    "few_benign": _("Fewer than 20 patients with a benign tumour: the intervals are wide and may be too narrow."),
    "few_malignant": _("Fewer than 20 patients with a malignant tumour: the intervals are wide and may be too narrow."),
    "training_known_exact": _(
        "The model's card recognises its training films only by identical pixels: re-encoded copies remain undetected."
    ),
    "training_known_nothing": _(
        "The model's card does not list its training films: it could not be checked whether the set contains any."
    ),
    "unreadable_films": _("Unreadable films were left out."),
}
SHIFTS: dict[str, Any] = {
    "grey mean": _("grey mean"),
    "grey spread": _("grey spread"),
    "distance from the training films": _("distance from the training films"),
    "features of the film": _("features of the film"),
}


def figure_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each figure: its words, limit, what the set shows at both cut-offs, and what the card states."""
    parts = [part for part in (result["at_card"], result["at_local"]) if part]
    bounds = result["rule"]["bounds"]
    return [
        {
            "name": WORDS[name][0],
            "of": WORDS[name][1],
            "limit": _limit(name, bounds.get(name)),
            "cells": [_cell(part, name) for part in parts],
            "card": result["card"].get(name),
        }
        for name in WORDS
        if any(part["figures"].get(name) for part in parts) or name in bounds
    ]


def _cell(part: dict[str, Any], name: str) -> dict[str, Any]:
    verdict = part["by_figure"].get(name)
    css, word = VERDICTS.get(verdict or "", ("", ""))
    return {"figure": part["figures"].get(name), "css": css, "verdict": word}


def _limit(name: str, bound: dict[str, float] | None) -> str:
    if not bound:
        return ""
    word = FIGURES[name]
    surely = bound.get(f"surely_{word}")
    values = {"limit": written(bound[word], 2), "surely": "" if surely is None else written(surely, 2)}
    if word == "at_most":
        text = (
            gettext("at most %(limit)s, interval to %(surely)s") if surely is not None else gettext("at most %(limit)s")
        )
    else:
        text = (
            gettext("at least %(limit)s, interval from %(surely)s")
            if surely is not None
            else gettext("at least %(limit)s")
        )
    return text % values


def verdict_of(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """Cut-offs and verdict of one part of a result; None where the part is missing."""
    if not part:
        return None
    css, word = VERDICTS[part["verdict"]]
    cuts = {name: written(part["cut_offs"][name], 3) for name in ("tumour", "malignant")}
    return {"css": css, "word": word, "sentence": SENTENCES[part["verdict"]], "verdict": part["verdict"], **cuts}


def warning_words(result: dict[str, Any]) -> list[str]:
    """The warnings of a result, a sentence each."""
    return [str(WARNINGS.get(code, code)) for code in result["warnings"]]


def shift_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The comparisons with the card's reference."""
    return [line | {"word": SHIFTS.get(line["name"], line["name"])} for line in result["shift"]]
