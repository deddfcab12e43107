"""The laboratory's commands behind `python -m inference`: train, build, evaluate, results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from inference.card import SHIPPED, load_card
from inference.lab.build import assemble, write_card
from inference.lab.data import data_root
from inference.lab.evaluate import evaluate
from inference.lab.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.outline import OutlineTrainer, load_outlines
from inference.lab.results import write_documents
from inference.lab.tasks import load_examples
from inference.lab.train import Progress, Trainer
from inference.predictor import Predictor

ORDER = ("outline", "tumour", "malignant", "gate")
DEFAULT_RUNS = Path("runs")
DEFAULT_DOCS = Path("docs")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the laboratory's sub-commands to the parser of `python -m inference`."""
    train = commands.add_parser("train", help="train the networks of the shipped model, or go on with them")
    _common(train)
    train.add_argument("--only", choices=ORDER, help="one network (those that it starts from must be there)")
    train.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="folder of TOML files")
    train.set_defaults(run=_train)
    build = commands.add_parser("build", help="calibrate trained runs on validation and write weights and card")
    _common(build)
    build.add_argument("--version", default="1.0.1", help="version of the model")
    build.add_argument("--out", type=Path, default=SHIPPED, help="folder for weights and card")
    build.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="folder of TOML files")
    build.set_defaults(run=_build)
    measure = commands.add_parser("evaluate", help="measure a model on a part of the grouped protocol")
    _common(measure)
    measure.add_argument("--part", default="test", help="part of folds.csv")
    measure.add_argument("--weights", type=Path, default=SHIPPED, help="folder with weights and card")
    measure.add_argument("--write-card", action="store_true", help="write the figures into the model's card")
    measure.set_defaults(run=_evaluate)
    results = commands.add_parser("results", help="write docs/model-card.md and docs/results/model.md from the card")
    results.add_argument("--docs", type=Path, default=DEFAULT_DOCS, help="the documentation folder")
    results.set_defaults(run=_results)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    parser.add_argument("--runs", type=Path, default=DEFAULT_RUNS, help="folder of training runs")


def _experiments(folder: Path) -> dict[str, Experiment]:
    return {name: load_experiment(folder / f"{name}.toml") for name in ORDER}


def train_one(root: Path, experiment: Experiment, runs: Path) -> Progress:
    """Train one experiment into runs/<name> and return its progress."""
    folder = runs / experiment.name
    if experiment.task == "outline":
        train, validation, masks, malignant = load_outlines(root, experiment)
        return OutlineTrainer(experiment, train, validation, folder, masks, malignant).run()
    train, validation = load_examples(root, experiment)
    return Trainer(experiment, train, validation, folder).run()


def _train(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root = data_root(options.data)
    experiments = _experiments(options.experiments)
    for name in [options.only] if options.only else ORDER:
        train_one(root, experiments[name], options.runs)
    return 0


def _build(options: argparse.Namespace) -> int:
    root = data_root(options.data)
    card = assemble(root, options.runs, _experiments(options.experiments), options.version, options.out)
    print(json.dumps({key: card[key] for key in ("name", "version", "weights", "operating_point", "gate")}, indent=1))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    predictor = Predictor.load(options.weights)
    measured = evaluate(predictor, data_root(options.data), options.part)
    print(json.dumps(measured, indent=1))
    if options.write_card:
        card = load_card(options.weights)
        card["figures"] = measured.pop("figures")
        card["evaluation"] = measured
        write_card(card, options.weights)
    return 0


def _results(options: argparse.Namespace) -> int:
    for path in write_documents(load_card(), options.docs):
        print(path)
    return 0
