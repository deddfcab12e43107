"""How each kind of experiment is trained and read again: a probe that answers squares, and the network behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from inference.errors import DataError
from inference.lab.data.examples import load_examples
from inference.lab.data.preparation import prepare
from inference.lab.data.protocols import DEFAULT_HELD_OUT, Split
from inference.lab.data.sources import Source, SourceSplit
from inference.lab.recipes.experiment import EXPERIMENTS, Experiment
from inference.lab.training.classical import Classical, train_classical
from inference.lab.training.hybrid import Hybrid, train_hybrid
from inference.lab.training.mask_rcnn import MaskTrainer
from inference.lab.training.mixed import MixedTrainer
from inference.lab.training.runs import Run, load_network, minutes_with_below, read_run, recipe_of, run_key, write_run
from inference.lab.training.train import Look, Trainer, look

Probe = Callable[[np.ndarray], Look]
# Experiments that train no network: machines on texture, machines on the features of the run that they start from.
TEXTURE_SVM, FEATURE_SVM = "texture_svm", "feature_svm"
# A detector is taught lesions as objects.
OBJECTS = "mask_rcnn"
MACHINES_FILE = "machines.npz"


def _look(network: nn.Module, experiment: Experiment, squares: np.ndarray) -> Look:
    return look(network, prepare(squares, experiment.preparation), experiment.size)


def _answers(machines: Classical | Hybrid, squares: np.ndarray) -> Look:
    return Look(machines.logits(squares), None, None, None)


def load_probe(run: Run, experiments: Path) -> tuple[Probe, nn.Module | None]:
    """Return how to ask a run about squares uint8 (N, 256, 256), and its network where it is one."""
    experiment = recipe_of(run, experiments)
    if experiment.network == TEXTURE_SVM:
        return partial(_answers, Classical.load(run.folder / MACHINES_FILE)), None
    if experiment.network == FEATURE_SVM:
        below = read_run(
            run.folder.parent / run_key(experiment.start_from, run.facts["protocol"], run.facts["held_out"])
        )
        network, own = load_network(below, experiments)
        return partial(_answers, Hybrid.load(run.folder / MACHINES_FILE, network, own)), None
    network, experiment = load_network(run, experiments)
    return partial(_look, network, experiment), network


def train_row(
    experiment: Experiment,
    split: Split,
    runs: Path,
    held_out: str = DEFAULT_HELD_OUT,
    experiments: Path = EXPERIMENTS,
    sources: SourceSplit | None = None,
) -> Run:
    """Train one experiment on one split into its folder of `runs`; `sources` where its recipe mixes films of others."""
    left_out = sources.names_left_out if sources else ()
    folder = runs / run_key(experiment.name, split.name, held_out, left_out)
    if (experiment.mixing is None) != (sources is None):
        raise DataError("bad_experiment", f"{experiment.name}: films of other sources go with a recipe that mixes.")
    below = None
    if experiment.start_from:
        below = read_run(runs / run_key(experiment.start_from, split.name, held_out, left_out))
    if experiment.network in (TEXTURE_SVM, FEATURE_SVM):
        facts = _train_machines(experiment, split, folder, below, experiments)
    else:
        facts = _train_network(experiment, split, folder, below, sources.train if sources else None)
    if below:
        facts["minutes_below"] = round(minutes_with_below(below), 1)
    return write_run(folder, experiment, split, held_out, facts, sources)


def _train_network(
    experiment: Experiment, split: Split, folder: Path, below: Run | None, sources: list[Source] | None
) -> dict[str, Any]:
    start = below.folder / "weights.safetensors" if below else None
    kind: Callable[..., Trainer] = MaskTrainer if experiment.network == OBJECTS else Trainer
    if sources is not None:
        kind = partial(MixedTrainer, sources=sources)
    trainer = kind(experiment, load_examples(split.train), load_examples(split.validation), folder, start)
    progress = trainer.run()
    return {
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "minutes": round(progress.seconds / 60, 1),
        "epochs": progress.epoch,
        "epoch_kept": progress.best_epoch,
        "history": progress.history,
    }


def _train_machines(
    experiment: Experiment, split: Split, folder: Path, below: Run | None, experiments: Path
) -> dict[str, Any]:
    """Train support vector machines on texture, or on the features of the network of the run `below`."""
    began = time.monotonic()
    machines: Classical | Hybrid
    if below is None:
        machines = train_classical(split.train, split.validation, experiment.seed)
    else:
        network, own = load_network(below, experiments)
        machines = train_hybrid(network, own, split.train, split.validation, experiment.seed)
    folder.mkdir(parents=True, exist_ok=True)
    machines.save(folder / MACHINES_FILE)
    with np.load(folder / MACHINES_FILE) as stored:
        numbers = sum(int(stored[name].size) for name in stored.files)
    return {"parameters": numbers, "minutes": round((time.monotonic() - began) / 60, 1), "epochs": None}
