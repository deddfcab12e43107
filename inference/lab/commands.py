"""The laboratory's commands behind `python -m inference`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inference.lab.data import data_root
from inference.lab.examples import load_examples
from inference.lab.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.protocols import DEFAULT_HELD_OUT, FOLDS, PROTOCOLS, Split, load_split
from inference.lab.runs import Run, run_key, write_run
from inference.lab.train import Trainer

FILMS_FOLDER = "btxrd"
DEFAULT_RUNS = Path("runs")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the laboratory's sub-commands to the parser of `python -m inference`."""
    train = commands.add_parser("train", help="train one experiment on one protocol, or go on with it")
    train.add_argument("experiment", help=f"one of {', '.join(sorted(p.stem for p in EXPERIMENTS.glob('*.toml')))}")
    train.add_argument("--protocol", choices=PROTOCOLS, default="grouped")
    train.add_argument("--held-out", choices=FOLDS, default=DEFAULT_HELD_OUT, help="the fold to validate on")
    train.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="folder of TOML files")
    _common(train)
    train.set_defaults(run=_train)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    parser.add_argument("--runs", type=Path, default=DEFAULT_RUNS, help="folder of training runs")


def train_one(experiment: Experiment, split: Split, runs: Path, held_out: str = DEFAULT_HELD_OUT) -> Run:
    """Train one experiment on one split into its folder of `runs`."""
    folder = runs / run_key(experiment.name, split.name, held_out)
    trainer = Trainer(experiment, load_examples(split.train), load_examples(split.validation), folder)
    progress = trainer.run()
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    facts = {
        "parameters": parameters,
        "minutes": round(progress.seconds / 60, 1),
        "epochs": progress.epoch,
        "epoch_kept": progress.best_epoch,
        "history": progress.history,
    }
    return write_run(folder, experiment, split, held_out, facts)


def _train(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    experiment = load_experiment(options.experiments / f"{options.experiment}.toml")
    split = load_split(data_root(options.data) / FILMS_FOLDER, options.protocol, options.held_out)
    run = train_one(experiment, split, options.runs, options.held_out)
    print(f"{run.key}: {run.facts['minutes']} minutes, {run.facts['history'][-1]}")
    return 0
