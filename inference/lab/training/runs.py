"""Training runs on disk: which experiment on which protocol, what it cost, and how to read it again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from inference.errors import DataError
from inference.lab.data.protocols import Split
from inference.lab.data.sources import SourceSplit
from inference.lab.networks.catalogue import build_network
from inference.lab.recipes.experiment import Experiment, load_experiment


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and what `run.json` says."""

    folder: Path
    facts: dict[str, Any]

    @property
    def key(self) -> str:
        return self.folder.name


def run_key(name: str, protocol: str, held_out: str, left_out: tuple[str, ...] = ()) -> str:
    """The name of a run's folder; `left_out` are the sources that it never saw though its recipe mixes sources."""
    key = f"{name}-{protocol}" if protocol == "paper" else f"{name}-{protocol}-{held_out}"
    return f"{key}-without-{'-'.join(left_out)}" if left_out else key


def command_of(experiment: Experiment, protocol: str, held_out: str, left_out: tuple[str, ...] = ()) -> str:
    """The one command that makes this run again."""
    command = f"python -m inference train {experiment.name} --protocol {protocol} --held-out {held_out} --data DIR"
    return f"{command} --leave-out {' '.join(left_out)}" if left_out else command


def training_steps(command: str, experiment: str, below: str) -> list[str]:
    """Return the commands that make the run of `command`: that of the run whose weights it started from comes first."""
    first = re.sub(rf"\btrain {re.escape(experiment)}(?=\s|$)", f"train {below}", command)
    return [first, command] if below else [command]


def minutes_with_below(run: Run) -> float:
    """Return the minutes of a run together with those of the runs that it stands on."""
    return float(run.facts["minutes"]) + float(run.facts.get("minutes_below", 0.0))


def write_run(
    folder: Path,
    experiment: Experiment,
    split: Split,
    held_out: str,
    facts: dict[str, Any],
    sources: SourceSplit | None = None,
) -> Run:
    """Write run.json: enough to say what was trained on what, by which command, in which time."""
    entries = {
        "experiment": experiment.name,
        "title": experiment.title or experiment.name,
        "recipe": experiment.as_dict(),
        "recipe_sha256": experiment.sha256,
        "protocol": split.name,
        "held_out": held_out,
        "split_sha256": split.sha256,
        "films": {"train": len(split.train), "validation": len(split.validation)},
        "command": command_of(experiment, split.name, held_out, sources.names_left_out if sources else ()),
        **(_told(sources) if sources else {}),
        **facts,
    }
    (folder / "run.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return Run(folder, entries)


def _told(sources: SourceSplit) -> dict[str, Any]:
    """What run.json says of the films of other sources."""
    films = {
        place: {source.name: len(source.films) for source in getattr(sources, place)}
        for place in ("train", "validation", "left_out")
    }
    return {"sources": films, "sources_sha256": sources.sha256}


def read_run(folder: Path) -> Run:
    """Read a finished run; DataError where there is none."""
    try:
        return Run(folder, json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise DataError("no_run", f"The run {folder.name} is not finished: train it first.") from error
    except (OSError, ValueError) as error:
        raise DataError("bad_run", f"The run {folder.name} has no readable run.json: train it again.") from error


def recipe_of(run: Run, experiments: Path) -> Experiment:
    """Return a run's experiment; one that was edited since is refused: its figures would be those of another one."""
    experiment = load_experiment(experiments / f"{run.facts['experiment']}.toml")
    if experiment.sha256 != run.facts["recipe_sha256"]:
        raise DataError("other_experiment", f"{experiment.name}.toml has changed since {run.key} was trained.")
    return experiment


def load_network(run: Run, experiments: Path) -> tuple[nn.Module, Experiment]:
    """Return a run's network with the weights that count, and its experiment."""
    experiment = recipe_of(run, experiments)
    network = build_network(experiment, fill=False)
    network.load_state_dict(load_file(run.folder / "weights.safetensors"), strict=True)
    return network.eval(), experiment
