"""The laboratory's commands behind `python -m inference`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from inference.card import WEIGHTS
from inference.errors import DataError
from inference.lab.cards.build import Plan, assemble
from inference.lab.data.folder import LabelledFilm, data_root, load_films
from inference.lab.data.leakage_commands import add_leakage
from inference.lab.data.protocols import DEFAULT_HELD_OUT, FOLDS, PROTOCOLS, load_split
from inference.lab.data.sources import SOURCES, load_sources
from inference.lab.evaluation.compare import compare
from inference.lab.evaluation.evaluate import (
    evaluate_model,
    evaluate_run,
    known_point,
    model_folder,
    refuse_training_images,
    write_measurement,
)
from inference.lab.evaluation.measure_again import SECTIONS, measure_section_again
from inference.lab.fracture.commands import add_fracture
from inference.lab.gate.training import add_gate
from inference.lab.recipes.experiment import EXPERIMENTS, load_experiment
from inference.lab.reports.documents import describe, write_documents
from inference.lab.training.outputs import Outputs
from inference.lab.training.rows import train_row
from inference.lab.training.runs import read_run
from inference.lab.transfer.baselines import BASELINES, measure_baselines
from inference.lab.transfer.journeys import FILMS_FOLDER, joined, journey_of
from inference.lab.transfer.travel import measure_travel, travel_summary
from inference.variants import QUARTER_TURNS

DEFAULT_RUNS = Path("runs")
DEFAULT_DOCS = Path("docs")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the laboratory's sub-commands to the parser of `python -m inference`."""
    _add_train(commands)
    _add_build(commands)
    _add_evaluate(commands)
    _add_travel(commands)
    _add_baselines(commands)
    _add_compare(commands)
    add_leakage(commands)
    add_gate(commands)
    add_fracture(commands)
    tell = commands.add_parser("describe", help="write measured figures into the card of an installed model")
    tell.add_argument("model", help="<name>-<version>")
    tell.add_argument(
        "figures", nargs="+", metavar="NAME=FILE", help="grouped=FILE, centre=FILE, paper=FILE, gate=FILE"
    )
    tell.set_defaults(run=_describe)
    results = commands.add_parser("results", help="rebuild docs/model-card.md and the tables of docs/results.md")
    results.add_argument("--docs", type=Path, default=DEFAULT_DOCS, help="the documentation folder")
    results.set_defaults(run=_results)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    parser.add_argument("--runs", type=Path, default=DEFAULT_RUNS, help="folder of training runs")
    parser.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="folder of TOML files")


def _add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="train one experiment on one protocol, or go on with it")
    train.add_argument("experiment", help=f"one of {', '.join(sorted(p.stem for p in EXPERIMENTS.glob('*.toml')))}")
    train.add_argument("--protocol", choices=PROTOCOLS, default="grouped")
    train.add_argument("--held-out", choices=FOLDS, default=DEFAULT_HELD_OUT, help="the fold to validate on")
    train.add_argument(
        "--leave-out", nargs="+", choices=SOURCES, default=(), help="sources of tumour-free films never trained on"
    )
    _common(train)
    train.set_defaults(run=_train)


def _add_build(commands: argparse._SubParsersAction) -> None:
    build = commands.add_parser(
        "build", help="make weights and card of trained members; cut-offs come from out of fold"
    )
    _common(build)
    build.add_argument("--members", nargs="+", required=True, help="folders below --runs")
    build.add_argument(
        "--also", nargs="+", default=[], help="runs of the same recipe that only help to fit, with their held-out folds"
    )
    build.add_argument("--gate", type=Path, required=True, help="folder with gate.safetensors and gate.json")
    build.add_argument("--level", type=float, default=0.05, help="level of the conformal sets, at least 0.05")
    build.add_argument("--version", required=True, help="version of the model")
    build.add_argument("--out", type=Path, default=WEIGHTS, help="folder of installed models")
    build.set_defaults(run=_build)


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    measure = commands.add_parser("evaluate", help="measure a model on a labelled folder, or a run on its test list")
    measure.add_argument("--images", type=Path, help="folder that holds images/ and perhaps masks/")
    measure.add_argument("--labels", type=Path, help="CSV with image_id, label (default: labels.csv of the folder)")
    measure.add_argument("--part", help="only films of this part of the folder's folds.csv")
    measure.add_argument("--model", help="<name>-<version> or a folder (default: the shipped model)")
    measure.add_argument("--operating-point", default="balanced", help="balanced or rule_out")
    measure.add_argument(
        "--run", dest="trained", type=Path, help="measure this training run on the test list of its protocol instead"
    )
    measure.add_argument("--data", type=Path, help="with --run: data folder (default: the variable BONESCAN_DATA)")
    measure.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="with --run: folder of TOML files")
    measure.add_argument("--json", type=Path, required=True, help="where the figures go")
    measure.add_argument("--html", type=Path, help="where a report with plots goes, readable without a network")
    measure.add_argument("--outputs", type=Path, help="where the answers film by film go (.npz)")
    measure.add_argument("--workers", type=int, default=2, help="processes that share the films")
    measure.add_argument("--no-flips", action="store_true", help="leave out the eight perturbed copies of every film")
    measure.add_argument("--only", choices=SECTIONS, help="measure only this section of the existing --json again")
    measure.add_argument("--allow-leaking", action="store_true", help="measure all the same, with LEAKING stamped")
    measure.set_defaults(run=_evaluate)


def _add_travel(commands: argparse._SubParsersAction) -> None:
    travel = commands.add_parser("travel", help="runs on their held-out folds, turned, and on films of other sources")
    travel.add_argument(
        "--run",
        dest="trained",
        type=Path,
        nargs="+",
        required=True,
        help="folders of training runs, joined out of fold",
    )
    travel.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    travel.add_argument("--experiments", type=Path, default=EXPERIMENTS, help="folder of TOML files")
    travel.add_argument(
        "--four-turns", action="store_true", help="see each film at four right angles, as from 3.0.0 on"
    )
    travel.add_argument("--json", type=Path, required=True, help="where the figures go")
    travel.set_defaults(run=_travel)


def _add_baselines(commands: argparse._SubParsersAction) -> None:
    without = commands.add_parser("baselines", help="what can be guessed without looking at bone")
    without.add_argument("--protocol", choices=("patient", "grouped", "centre"), default="patient")
    without.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    without.add_argument("--json", type=Path, required=True, help="where the figures go")
    without.set_defaults(run=_baselines)


def _add_compare(commands: argparse._SubParsersAction) -> None:
    beside = commands.add_parser("compare", help="two stored answers to the same films, by the paired group bootstrap")
    beside.add_argument("first", type=Path, help=".npz of evaluate --outputs")
    beside.add_argument("second", type=Path, help="another one, of the same films in the same order")
    beside.add_argument("--images", type=Path, required=True, help="the folder that both were measured on")
    beside.add_argument("--labels", type=Path, help="CSV with image_id, label (default: labels.csv of the folder)")
    beside.add_argument("--names", nargs=2, default=("", ""), help="what to call them")
    beside.add_argument("--json", type=Path, required=True, help="where the differences go")
    beside.set_defaults(run=_compare)


def _train(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    experiment = load_experiment(options.experiments / f"{options.experiment}.toml")
    root = data_root(options.data)
    split = load_split(root / FILMS_FOLDER, options.protocol, options.held_out)
    sources = None
    if experiment.mixing is not None:
        sources = load_sources(root, left_out=tuple(options.leave_out), held_out=options.held_out)
    elif options.leave_out:
        raise DataError("bad_experiment", f"{experiment.name} mixes no sources: there is none to leave out.")
    run = train_row(experiment, split, options.runs, options.held_out, options.experiments, sources)
    print(f"{run.key}: {run.facts['minutes']} minutes of one core")
    return 0


def _build(options: argparse.Namespace) -> int:
    if options.level < 0.05:
        raise DataError("bad_level", "The level of the conformal sets is at least 0.05.")
    runs = [read_run(options.runs / name) for name in options.members]
    also = [read_run(options.runs / name) for name in options.also]
    plan = Plan(data_root(options.data), runs, also, options.experiments, options.gate, options.version, options.level)
    card = assemble(plan, options.out)
    shown = (
        "name",
        "version",
        "weights",
        "operating_points",
        "specificity_cut_offs",
        "outline",
        "withheld",
        "reference",
    )
    print(json.dumps({key: card[key] for key in shown}, indent=1))
    return 0


def _travel(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root = data_root(options.data)
    runs = [read_run(folder) for folder in options.trained]
    sides = len(QUARTER_TURNS) if options.four_turns else 1
    found = joined([journey_of(run, root, options.experiments, sides) for run in runs])
    measured = measure_travel(found, options.four_turns)
    told = "python -m inference travel --run RUN --data DIR --json OUT" + " --four-turns" * options.four_turns
    about = {"runs": [run.key for run in runs], "command": told}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(about | measured, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(travel_summary(measured))
    return 0


def _baselines(options: argparse.Namespace) -> int:
    measured = measure_baselines(data_root(options.data) / FILMS_FOLDER, options.protocol)
    told = f"python -m inference baselines --protocol {options.protocol} --data DIR --json OUT"
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"command": told, **measured}, indent=1, allow_nan=False) + "\n")
    for name in BASELINES:
        row = measured[name]
        print(f"{name} ({row['reads']}): macro_auroc {row['macro_auroc']['estimate']}")
    return 0


def _films(options: argparse.Namespace) -> list[LabelledFilm]:
    if options.images is None:
        raise DataError("no_data", "Name a folder with --images DIR (it holds images/), or a run with --run FOLDER.")
    films = load_films(options.images, options.labels)
    return [film for film in films if film.part == options.part] if options.part else films


def _evaluate(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    measured, outputs = _measured_run(options) if options.trained is not None else _measured_model(options)
    if options.outputs and outputs is not None:
        outputs.save(options.outputs)
    write_measurement(measured, options.json, options.html, whole=not options.only)
    for name in ("macro_auroc", "malignant_auroc", "cancers_called_normal"):
        if name in measured:
            print(f"{name}: {measured[name]['estimate']} ({measured[name]['low']} to {measured[name]['high']})")
    return 0


def _measured_run(options: argparse.Namespace) -> tuple[dict[str, Any], Outputs | None]:
    if options.only:
        raise DataError("not_a_run", "--only measures an installed model; a run is measured as a whole.")
    run = read_run(options.trained)
    split = load_split(data_root(options.data) / FILMS_FOLDER, run.facts["protocol"], run.facts["held_out"])
    flips = not options.no_flips
    return evaluate_run(run, split, options.experiments, allow_leaking=options.allow_leaking, flips=flips)


def _measured_model(options: argparse.Namespace) -> tuple[dict[str, Any], Outputs | None]:
    folder, films = model_folder(options.model), _films(options)
    options.operating_point = point = known_point(folder, options.operating_point)
    leaking = refuse_training_images(folder, films, options.allow_leaking)
    if options.only:
        told = f"{_told(options)} --only {options.only}"
        return measure_section_again(folder, films, options.json, options.only, point, options.workers, told), None
    about, flips = {"command": _told(options)}, not options.no_flips
    return evaluate_model(folder, films, point, options.workers, leaking=leaking, flips=flips, about=about)


def _told(options: argparse.Namespace) -> str:
    """The command that makes this measurement again, without the paths of this machine."""
    words = ["python -m inference evaluate --images DIR --labels CSV --json OUT"]
    for name in ("part", "model", "operating_point"):
        if getattr(options, name):
            words.append(f"--{name.replace('_', '-')} {Path(getattr(options, name)).name}")
    return " ".join(words)


def _compare(options: argparse.Namespace) -> int:
    first, second = (Outputs.load(path) for path in (options.first, options.second))
    known = {film.image_id: film for film in load_films(options.images, options.labels)}
    try:
        films = [known[name] for name in first.image_ids]
    except KeyError as error:
        raise DataError("other_films", f"labels.csv has no row for the film {error.args[0]}.") from error
    a, b = (text or path.stem for text, path in zip(options.names, (options.first, options.second), strict=True))
    found = {"a": a, "b": b, **compare(films, first, second)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    gain = found["figures"]["macro_auroc"]["difference"]
    print(f"macro_auroc of {b} minus {a}: {gain['estimate']} ({gain['low']} to {gain['high']})")
    return 0


def _describe(options: argparse.Namespace) -> int:
    if any("=" not in text for text in options.figures):
        raise DataError("bad_figures", "Name figures as NAME=FILE, for instance grouped=shipped-grouped.json.")
    pairs = dict(text.split("=", 1) for text in options.figures)
    describe(model_folder(options.model), {name: Path(path) for name, path in pairs.items()})
    return 0


def _results(options: argparse.Namespace) -> int:
    for path in write_documents(options.docs):
        print(path)
    return 0
