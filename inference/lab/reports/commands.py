"""The commands beside a row of the table: all that must be called, in this order, and whose program knew them."""

from __future__ import annotations

import re
from typing import Any

from inference.card import FIRST_FAMILY, family_of
from inference.errors import DataError
from inference.lab.recipes.experiment import EXPERIMENTS, load_experiment
from inference.lab.training.runs import run_key, training_steps

OLD_PROGRAM = "trained by the program of that version, whose commands this one no longer has"


def started_from(experiment: str) -> str:
    """Return the experiment whose run lent `experiment` its weights, "" where there is none, or no such recipe."""
    try:
        return load_experiment(EXPERIMENTS / f"{experiment}.toml").start_from
    except DataError:
        return ""


def row_command(measured: dict[str, Any], stem: str) -> str:
    """Return how a row's run is trained, that of the run it starts from first, and measured."""
    experiment, trained = str(measured["row"]), str(measured.get("command", ""))
    protocol = str(measured.get("protocol", ""))
    held_out = re.search(r"--held-out (\S+)", trained)
    key = run_key(experiment, protocol, held_out[1]) if held_out else "RUN"
    leaking = " --allow-leaking" if measured.get("leaking") else ""
    evaluate = f"python -m inference evaluate --run runs/{key} --data DIR --json docs/results/runs/{stem}.json{leaking}"
    steps = training_steps(trained, experiment, started_from(experiment)) if trained else []
    return f"`{' && '.join([*steps, evaluate])}`"


def model_command(measured: dict[str, Any], card: dict[str, Any] | None) -> str:
    """Return how an installed model is made, where this program can make it, and measured."""
    trained, evaluate = str((card or {}).get("command", "")), str(measured.get("command", ""))
    if measured.get("leaking"):
        evaluate += " --allow-leaking"
    if trained and is_of_old_program(card):
        return f"`{evaluate}`; {OLD_PROGRAM}"
    return f"`{' && '.join(part for part in (trained, evaluate) if part)}`"


def is_of_old_program(card: dict[str, Any] | None) -> bool:
    """Whether a card's own command belongs to the first program: its train and build took other arguments."""
    return card is not None and family_of(card) == FIRST_FAMILY


def made_with(card: dict[str, Any]) -> str:
    """Return a card's command in backticks, with a word where this program does not know it; "" without one."""
    if not card.get("command"):
        return ""
    return f"`{card['command']}`" + (f" ({OLD_PROGRAM})" if is_of_old_program(card) else "")
