"""The table: one row per approach and protocol, rebuilt from the stored measurements in docs/results/runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from inference.card import installed, key_of, load_card
from inference.errors import DataError, WeightsError
from inference.lab.data.protocols import PROTOCOLS
from inference.lab.reports.commands import model_command, row_command, started_from
from inference.lab.reports.text import (
    LAST_STAGE,
    LEAKING,
    NONE,
    at,
    bullets,
    cell,
    figure_at,
    joined,
    minutes_told,
    table,
)

# The approaches of the laboratory by their number; an experiment that is not named here stands last.
ROW_NUMBERS = {
    "paper_cnn": 1,
    "svm_classical": 2,
    "svm_hybrid": 3,
    "vgg16*": 4,
    "resnet50*": 4,
    "mobilenet_v2*": 4,
    "efficientnet_lite*": 4,
    "prep_*": 5,
    "unet*": 6,
    "mask_rcnn*": 7,
    "joint_plain": 8,
    "joint": 9,
    "joint_fine": 9,
    "ensemble*": 10,
    "bonescan-paper-cnn": 1,
    "bonescan-joint": 10,
}
_LAST = 99
LAST_STAGE_WORDS = (
    "the minutes of the run whose weights it started from were not stored with it; they come on top, and have a row of "
    "their own where that recipe was measured."
)
HEAD = (
    "no.",
    "approach",
    "protocol",
    "macro AUROC (95 % interval)",
    "malignant AUROC",
    "malignant sensitivity at the cut-off for specificity 0.95 (specificity reached)",
    "cancers called normal",
    "Dice",
    "parameters",
    "ms per image",
    "training minutes",
    "films / groups",
    "times measured",
)


@dataclass(frozen=True)
class StoredRun:
    """One measurement with what its file is called and, of an installed model, that model's card."""

    stem: str
    measured: dict[str, Any]
    card: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The experiment, or the name of the installed model."""
        return str(self.measured.get("row") or self.measured["model"]["name"])

    @property
    def protocol(self) -> str:
        """The protocol; a measurement of an installed model tells it by its file's name."""
        told = self.measured.get("protocol")
        # The last one: a model's own name may hold the word, as bonescan-paper-cnn does.
        parts = [part for part in self.stem.split("-") if part in PROTOCOLS]
        return str(told or (parts[-1] if parts else NONE))

    @property
    def leaking(self) -> bool:
        return bool(self.measured.get("leaking"))

    @property
    def number(self) -> int:
        return next((number for like, number in ROW_NUMBERS.items() if fnmatch(self.name, like)), _LAST)

    @property
    def title(self) -> str:
        if "row" in self.measured:
            return str(self.measured.get("title") or self.name)
        point = (self.measured.get("operating_point") or {}).get("name")
        return f"installed: {key_of(self.measured['model'])}" + (f", {str(point).replace('_', '-')}" if point else "")

    @property
    def order(self) -> tuple[int, str, int, str]:
        place = PROTOCOLS.index(self.protocol) if self.protocol in PROTOCOLS else len(PROTOCOLS)
        return self.number, self.name, place, self.stem

    @property
    def cost(self) -> tuple[int | None, str]:
        """Parameters and minutes of training: the run's own, or the sum over the networks of the card."""
        if "row" in self.measured:
            minutes, below = (self.measured.get(f"training_minutes{end}") for end in ("", "_below"))
            return self.measured.get("parameters"), minutes_told(minutes, below, started_from(self.name))
        networks = list(((self.card or {}).get("networks") or {}).values())
        if not networks:
            return None, NONE
        trained = [entry.get("training", {}) for entry in networks]
        unknown = [at(one, ("recipe", "start_from")) for one in trained if "minutes_below" not in one]
        minutes = sum(one.get("minutes", 0.0) + one.get("minutes_below", 0.0) for one in trained)
        parameters = sum(entry.get("parameters", 0) for entry in networks)
        return parameters, minutes_told(round(minutes, 1), None, next(filter(None, unknown), ""))

    @property
    def command(self) -> str:
        """All commands that make and measure this row, in backticks."""
        if "row" in self.measured:
            return row_command(self.measured, self.stem)
        return model_command(self.measured, self.card)

    @property
    def times(self) -> str:
        """How often this file was measured, and which section of it again."""
        again = self.measured.get("measured_again") or {}
        parts = [f"{section} again: {entry.get('times', 1)}" for section, entry in again.items()]
        return "; ".join([str(self.measured.get("times_measured", 1)), *parts])


def read_json(path: Path) -> dict[str, Any]:
    """Read a stored measurement; DataError that names the file where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("no_figures", f"There is no file {path.name}: run the measurement first.") from error
    except (OSError, ValueError) as error:
        raise DataError("bad_figures", f"{path.name} is no readable JSON: measure again.") from error
    if not isinstance(found, dict):
        raise DataError("bad_figures", f"{path.name} holds no measurement.")
    return found


def read_runs(folder: Path) -> dict[str, StoredRun]:
    """Return the stored measurements by file name without ending, in the table's order; none without a folder."""
    cards = _installed_cards()
    found = []
    for path in sorted(folder.glob("*.json")):
        measured = read_json(path)
        model = measured.get("model")
        if "row" in measured:
            found.append(StoredRun(path.stem, measured))
        elif isinstance(model, dict) and "name" in model:
            found.append(StoredRun(path.stem, measured, cards.get(model.get("sha256", ""))))
    return {run.stem: run for run in sorted(found, key=lambda run: run.order)}


def _installed_cards() -> dict[str, dict[str, Any]]:
    """The cards of the installed models by the sha256 of their weights; a damaged one is passed over."""
    cards = {}
    for folder in installed().values():
        try:
            card = load_card(folder)
        except WeightsError:
            continue
        cards[card["weights"]["sha256"]] = card
    return cards


def _row(run: StoredRun) -> list[str]:
    measured, stamp = run.measured, {"leaking": run.leaking}
    parameters, minutes = run.cost
    sensitivity = cell(figure_at(measured, "sensitivity_at_specificity", "0.95", "sensitivity"), **stamp)
    reached = figure_at(measured, "sensitivity_at_specificity", "0.95", "specificity")
    speed = measured.get("ms_per_image")
    return [
        str(run.number) if run.number != _LAST else NONE,
        run.title,
        f"{run.protocol} **{LEAKING}**" if run.leaking else run.protocol,
        cell(figure_at(measured, "macro_auroc"), **stamp),
        cell(figure_at(measured, "malignant_auroc"), **stamp),
        sensitivity + (f" at {reached['estimate']:.3f}" if reached else ""),
        cell(figure_at(measured, "cancers_called_normal"), **stamp),
        cell(figure_at(measured, "outline", "dice"), **stamp),
        NONE if parameters is None else f"{parameters:,}",
        NONE if speed is None else f"{speed:g}",
        minutes,
        f"{measured.get('films', NONE)} / {measured.get('groups', NONE)}",
        run.times,
    ]


def runs_table(runs: dict[str, StoredRun]) -> str:
    """Return the table and, below it, the command of every row."""
    if not runs:
        return "No measurement is stored yet."
    commands = [f"{run.title}, {run.protocol} (`{run.stem}.json`): {run.command}" for run in runs.values()]
    unlisted = [run.title for run in runs.values() if run.measured.get("training_list") is False]
    intervals = next((text for run in runs.values() if (text := run.measured.get("intervals"))), "")
    return joined(
        table(HEAD, [_row(run) for run in runs.values()]),
        f"Numbers are those of the list of approaches. Intervals: {intervals}" if intervals else "",
        f"{LEAKING}: training and test list share films, twins or groups; such a figure says nothing of new films."
        if any(run.leaking for run in runs.values())
        else "",
        f"{LAST_STAGE}: {LAST_STAGE_WORDS}" if any(LAST_STAGE in run.cost[1] for run in runs.values()) else "",
        f"{', '.join(unlisted)}: the card lists no training images; whether it was trained on these films cannot be "
        "checked."
        if unlisted
        else "",
        f"The commands of each row:\n\n{bullets(commands)}",
    )
