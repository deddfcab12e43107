"""How each kind of experiment is trained and read again: a probe that answers squares, and the network behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from inference.lab.examples import load_examples
from inference.lab.experiment import Experiment
from inference.lab.preparation import prepare
from inference.lab.protocols import DEFAULT_HELD_OUT, Split
from inference.lab.runs import Run, load_network, read_run, run_key, write_run
from inference.lab.train import Look, Trainer, look

Probe = Callable[[np.ndarray], Look]


def _look(network: nn.Module, experiment: Experiment, squares: np.ndarray) -> Look:
    return look(network, prepare(squares, experiment.preparation), experiment.size)


def load_probe(run: Run, experiments: Path) -> tuple[Probe, nn.Module | None]:
    """Return how to ask a run about squares uint8 (N, 256, 256), and its network."""
    network, experiment = load_network(run, experiments)
    return partial(_look, network, experiment), network


def train_row(experiment: Experiment, split: Split, runs: Path, held_out: str = DEFAULT_HELD_OUT) -> Run:
    """Train one experiment on one split into its folder of `runs`."""
    folder = runs / run_key(experiment.name, split.name, held_out)
    start = None
    if experiment.start_from:
        start = read_run(runs / run_key(experiment.start_from, split.name, held_out)).folder / "weights.safetensors"
    trainer = Trainer(experiment, load_examples(split.train), load_examples(split.validation), folder, start)
    progress = trainer.run()
    facts = {
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "minutes": round(progress.seconds / 60, 1),
        "epochs": progress.epoch,
        "epoch_kept": progress.best_epoch,
        "history": progress.history,
    }
    return write_run(folder, experiment, split, held_out, facts)
