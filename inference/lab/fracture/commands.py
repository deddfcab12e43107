"""`python -m inference fracture`: train, measure and build the model of the second task."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from inference.card import SHIPPED, WEIGHTS
from inference.errors import DataError
from inference.lab.data.folder import data_root
from inference.lab.data.leakage import condemned
from inference.lab.data.leakage_commands import CONDEMNED, describe
from inference.lab.data.protocols import DEFAULT_HELD_OUT, FOLDS
from inference.lab.data.sources import load_source
from inference.lab.fracture.answers import ask
from inference.lab.fracture.card import VIEWS, assemble_fracture, fit_run
from inference.lab.fracture.films import load_fracture_split, load_outlines
from inference.lab.fracture.measurement import false_alarms, measure_fracture
from inference.lab.fracture.training import RECIPE, RECIPES, train_fracture
from inference.lab.training.progress import say
from inference.lab.training.runs import read_run
from inference.variants import views_of_card

DEFAULT_RUNS = Path("runs")
# Films of other sources that show no fracture: how many are called one tells how the model travels.
ELSEWHERE = ("knees", "hands", "bone_other_source")


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
    measure = steps.add_parser("measure", help="figures of a run on the part test, or on its held-out fold")
    _of_a_run(measure)
    measure.add_argument("--part", choices=("validation", "test"), default="test", help="the films to measure on")
    measure.add_argument("--sources", nargs="*", default=(), choices=ELSEWHERE, help="films without fractures")
    measure.add_argument("--json", type=Path, required=True, help="where the figures go")
    measure.set_defaults(run=_measure)
    build = steps.add_parser("build", help="make weights and card of a run; cut-offs come from its held-out fold")
    _of_a_run(build)
    build.add_argument("--gate-from", type=Path, default=SHIPPED, help="installed model whose gate is taken")
    build.add_argument("--version", required=True, help="version of the model")
    build.add_argument("--out", type=Path, default=WEIGHTS, help="folder of installed models")
    build.set_defaults(run=_build)
    leakage = steps.add_parser("leakage", help="look for twins of the films trained on in the part test")
    leakage.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    leakage.set_defaults(run=_leakage)


def _of_a_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="trained", type=Path, required=True, help="folder of the training run")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="folder of TOML files")
    parser.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    parser.add_argument("--level", type=float, default=0.1, help="level of the conformal sets, at least 0.05")


def _train(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root = data_root(options.data)
    split = load_fracture_split(root, options.held_out)
    recipe = options.recipes / f"{options.recipe}.toml"
    run = train_fracture(root, split, options.held_out, options.runs, recipe)
    print(f"{run.key}: {run.facts['minutes']} minutes of one core")
    return 0


def _level(options: argparse.Namespace) -> float:
    if not 0.05 <= options.level < 0.5:
        raise DataError("bad_level", "The level of the conformal sets is at least 0.05 and below 0.5.")
    return float(options.level)


def _measure(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root, run, level = data_root(options.data), read_run(options.trained), _level(options)
    network, held, fitted = fit_run(root, run, options.recipes, level)
    views = views_of_card(VIEWS)
    answers = held
    if options.part == "test":
        split = load_fracture_split(root, run.facts["held_out"])
        say(f"looking at {len(split.test)} films of the part test")
        answers = ask(network, split.test, load_outlines(root), network.size, views)
    found = {
        "run": run.key,
        "part": options.part,
        "command": f"python -m inference fracture measure --run RUN --part {options.part} --data DIR --json OUT",
        "operating_point": fitted.point.as_dict(),
        **measure_fracture(answers, fitted, views),
    }
    found["false_alarms_elsewhere"] = {}
    for name in options.sources:
        films = load_source(root, name).films
        say(f"looking at {len(films)} films of {name}")
        away = ask(network, films, {}, network.size, views)
        found["false_alarms_elsewhere"][name] = false_alarms(away, fitted)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for name in ("auroc", "sensitivity", "specificity"):
        print(f"{name}: {found[name]['estimate']} ({found[name]['low']} to {found[name]['high']})")
    return 0


def _build(options: argparse.Namespace) -> int:
    root, run = data_root(options.data), read_run(options.trained)
    card = assemble_fracture(
        root, run, options.recipes, options.gate_from, options.version, _level(options), options.out
    )
    print(json.dumps({key: card[key] for key in ("name", "version", "weights", "operating_points")}, indent=1))
    return 0


def _leakage(options: argparse.Namespace) -> int:
    split = load_fracture_split(data_root(options.data))
    verdict = condemned([*split.train, *split.validation], split.test)
    print(describe(verdict))
    return CONDEMNED if verdict.condemns else 0
