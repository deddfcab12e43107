"""The goals that were set before any measurement, and whether the stored measurements reach them."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.lab.reports.runs import StoredRun
from inference.lab.reports.text import LEAKING, NONE, Figures, cell, figure_at, table

Path = tuple[str, ...]
SHIPPED, CENTRE, GATE = "shipped", "centre", "gate"
# The experiment whose weights are shipped, and the one before it, which stands in where only that was measured.
RECIPES = ("joint_fine", "joint")
_CLASSES = ("normal", "benign", "malignant")


@dataclass(frozen=True)
class Beside:
    """What must hold, or is stated, beside a goal: at least (or at most) `bound`."""

    words: str
    path: Path
    bound: float
    at_least: bool = True
    required: bool = True


@dataclass(frozen=True)
class Goal:
    """One line of the goal table; `best` is the best known figure on other splits of the same data."""

    words: str
    best: str
    subject: str
    path: Path
    aim: float
    at_least: bool = True
    beside: tuple[Beside, ...] = field(default=())


def _specificity(aimed: str) -> tuple[Beside, ...]:
    path = ("sensitivity_at_specificity", aimed, "specificity")
    return (Beside("specificity reached", path, float(aimed), required=False),)


_NORMALS = (Beside("normals called normal", ("normals_called_normal",), 0.80),)
_HELD = tuple(
    Beside(f"{name} withheld", ("withheld", "share_by_class", name), 0.40, at_least=False) for name in _CLASSES
)
_AT_95, _AT_90 = (("sensitivity_at_specificity", aimed, "sensitivity") for aimed in ("0.95", "0.90"))
GOALS = (
    Goal("macro AUROC", ".893; first joint network .907", SHIPPED, ("macro_auroc",), 0.94),
    Goal("malignant sensitivity at specificity .95", ".63 at .979; .77", SHIPPED, _AT_95, 0.85,
         beside=_specificity("0.95")),
    Goal("cancers called normal, with at least .80 of normals called normal", "12.2 %; 17 % at argmax", SHIPPED,
         ("cancers_called_normal",), 0.05, at_least=False, beside=_NORMALS),
    Goal("ECE", ".017", SHIPPED, ("ece",), 0.03, at_least=False),
    Goal("answered cases, at most 40 % of each class withheld: malignant precision", NONE, SHIPPED,
         ("withheld", "malignant_precision_answered"), 0.93, beside=_HELD),
    Goal("answered cases, at most 40 % of each class withheld: malignant recall", NONE, SHIPPED,
         ("withheld", "malignant_recall_answered"), 0.93, beside=_HELD),
    Goal("*centre*: macro AUROC", ".822", CENTRE, ("macro_auroc",), 0.88),
    Goal("*centre*: malignant AUROC", ".894", CENTRE, ("malignant_auroc",), 0.93),
    Goal("*centre*: malignant sensitivity at specificity .90", ".70 at .94", CENTRE, _AT_90, 0.80,
         beside=_specificity("0.90")),
    Goal("*centre*: cancers called normal", "16 %", CENTRE, ("cancers_called_normal",), 0.07, at_least=False),
    Goal("Dice over tumour films", ".53 to .60; .35", SHIPPED, ("outline", "dice"), 0.62),
    Goal("lesion hits at 0.2 false regions per normal film", NONE, SHIPPED, ("outline", "lesion_hits_at_0.2"), 0.80),
    Goal("pointing game", NONE, SHIPPED, ("saliency", "pointing_game"), 0.75),
    Goal("saliency IoU", ".07", SHIPPED, ("saliency", "iou"), 0.25),
    Goal("gate: images of kinds left out of its training, refused", NONE, GATE, ("left_out", "whole"), 0.99),
    Goal("gate: bone films of another source, refused", NONE, GATE, ("bone_of_another_source_refused",), 0.01,
         at_least=False),
)  # fmt: skip


def _short(value: float, bound: float, at_least: bool) -> float:
    """How much is missing; nought or less where the bound is reached."""
    return bound - value if at_least else value - bound


def _amount(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else "less than 0.001"


def _bound(bound: float, at_least: bool) -> str:
    return f"{'at least' if at_least else 'at most'} {bound:.2f}"


def verdict(goal: Goal, measured: Figures) -> str:
    """Return met, or missed and by how much; a condition beside the goal can miss it too."""
    figure = figure_at(measured, *goal.path)
    if figure is None:
        return "not measured"
    if measured.get("leaking"):
        return f"{LEAKING}: does not count"
    short = _short(figure["estimate"], goal.aim, goal.at_least)
    words = [f"**missed** by {_amount(short)}"] if short > 0 else []
    remarks = []
    for beside in goal.beside:
        other = figure_at(measured, *beside.path)
        if other is None:
            words += [f"{beside.words} not measured"] if beside.required else []
            continue
        missing = _short(other["estimate"], beside.bound, beside.at_least)
        if missing > 0 and beside.required:
            wanted = _bound(beside.bound, beside.at_least)
            words.append(f"**missed** with {beside.words} {other['estimate']:.3f} instead of {wanted}")
        elif missing > 0:
            remarks.append(f"{beside.words} is {_amount(missing)} short of {beside.bound:.2f}")
    if not words:
        words = ["met only in part" if remarks else "met"]
        worse = figure["low"] if goal.at_least else figure["high"]
        if worse is not None and _short(worse, goal.aim, goal.at_least) > 0:
            remarks.append("the interval reaches past the goal")
    return "; ".join(words + remarks)


def _measured(goal: Goal, measured: Figures) -> str:
    figure = figure_at(measured, *goal.path)
    if figure is None:
        return NONE
    others = [(b.words, figure_at(measured, *b.path)) for b in goal.beside]
    told = "; ".join(f"{words} {cell(other)}" for words, other in others if other is not None)
    return cell(figure, n=True, leaking=bool(measured.get("leaking"))) + (f"; {told}" if told else "")


def shipped_run(runs: dict[str, StoredRun]) -> StoredRun | None:
    """Return the measurement of the shipped model on *grouped*: runs/shipped-grouped.json."""
    return runs.get("shipped-grouped")


def centre_run(runs: dict[str, StoredRun]) -> StoredRun | None:
    """Return the measurement of the shipped recipe on *centre*, whichever fold it chose on."""
    measured = {run.measured.get("row"): run for run in runs.values() if run.protocol == "centre"}
    return next((measured[recipe] for recipe in RECIPES if recipe in measured), None)


def goal_table(runs: dict[str, StoredRun], gate: Figures) -> str:
    """Return the goal table; `gate` holds the figures of the gate, empty where they were not stored."""
    found = {SHIPPED: shipped_run(runs), CENTRE: centre_run(runs)}
    subjects = {name: run.measured if run else {} for name, run in found.items()} | {GATE: gate}
    rows = []
    for goal in GOALS:
        measured = subjects[goal.subject]
        aim = _bound(goal.aim, goal.at_least)
        rows.append([goal.words, goal.best, aim, _measured(goal, measured), verdict(goal, measured)])
    sources = ", ".join(f"{name}: `{run.stem}.json`" for name, run in found.items() if run)
    head = ("figure", "known best (other splits of the same data)", "goal", "measured", "verdict")
    return table(head, rows) + (f"\n\nFrom {sources}." if sources else "")
