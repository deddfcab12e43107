"""`python -m inference fracture`: train, measure and build the model of the second task."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from inference.lab.data.folder import data_root
from inference.lab.data.protocols import DEFAULT_HELD_OUT, FOLDS
from inference.lab.fracture.films import load_fracture_split
from inference.lab.fracture.training import RECIPE, RECIPES, train_fracture

DEFAULT_RUNS = Path("runs")


def add_fracture(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command with its steps."""
    fracture = commands.add_parser("fracture", help="the model of the second task: train, measure, build")
    steps = fracture.add_subparsers(dest="step", required=True)
    train = steps.add_parser("train", help="train the recipe, or go on with it")
    train.add_argument("--recipe", default=RECIPE, help="name of a TOML file (default: %(default)s)")
    train.add_argument("--recipes", type=Path, default=RECIPES, help="folder of TOML files")
    train.add_argument("--held-out", choices=FOLDS, default=DEFAULT_HELD_OUT, help="the fold to validate on")
    train.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    train.add_argument("--runs", type=Path, default=DEFAULT_RUNS, help="folder of training runs")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root = data_root(options.data)
    split = load_fracture_split(root, options.held_out)
    recipe = options.recipes / f"{options.recipe}.toml"
    run = train_fracture(root, split, options.held_out, options.runs, recipe)
    print(f"{run.key}: {run.facts['minutes']} minutes of one core")
    return 0
