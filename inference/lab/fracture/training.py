"""Training of the fracture network: the common trainer, with films that show a fracture more often than they occur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inference.calibration import sigmoid
from inference.lab.data.protocols import Split
from inference.lab.fracture.films import fracture_examples, load_outlines, tables_sha256
from inference.lab.metrics.scores import auroc
from inference.lab.recipes.experiment import Experiment, load_experiment
from inference.lab.training.runs import Run, run_key, write_run
from inference.lab.training.train import Trainer, look

RECIPES = Path(__file__).parent
RECIPE = "fracture"


class FractureTrainer(Trainer):
    """Trains a network of one finding; checkpoints, budget and averaging are the common ones."""

    def _order(self) -> Tensor:
        """Return as many films as there are, `positives` of them with the finding; none twice before all were seen."""
        labels = torch.from_numpy(self.train_examples.labels)
        count = len(labels)
        wanted = round(count * self.experiment.positives) or int((labels > 0).sum())
        shown = torch.cat([self._drawn(labels > 0, wanted), self._drawn(labels == 0, count - wanted)])
        return shown[torch.randperm(count, generator=self.generator)]

    def _drawn(self, among: Tensor, count: int) -> Tensor:
        places = torch.nonzero(among)[:, 0]
        turns = -(-count // len(places))
        drawn = [places[torch.randperm(len(places), generator=self.generator)] for _ in range(turns)]
        return torch.cat([places[:0], *drawn])[:count]

    def validate(self) -> dict[str, float]:
        """Return the validation figures of the averaged weights; of two classes the mean AUROC is the AUROC."""
        found = look(self.averaged, self.validation_squares, self.experiment.size, batch=16)
        shown = self.validation_examples.labels > 0
        figures = {"macro_auroc": auroc(shown, sigmoid(found.logits[:, 0].astype(float)))}
        if found.cells is not None:
            figures["dice"] = self._dice(found.cells)
        return {name: round(float(value), 4) for name, value in figures.items()}


def train_fracture(root: Path, split: Split, held_out: str, runs: Path, recipe: Path) -> Run:
    """Train the recipe on `split` into its folder of `runs`, or go on with it."""
    experiment: Experiment = load_experiment(recipe)
    outlines = load_outlines(root)
    train, validation = (
        fracture_examples(films, outlines, experiment.size) for films in (split.train, split.validation)
    )
    folder = runs / run_key(experiment.name, split.name, held_out)
    trainer = FractureTrainer(experiment, train, validation, folder)
    progress = trainer.run()
    facts = {
        "command": f"python -m inference fracture train --recipe {experiment.name} --held-out {held_out} --data DIR",
        "tables_sha256": tables_sha256(root),
        "fractured": int(np.sum(train.labels)),
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "minutes": round(progress.seconds / 60, 1),
        "epochs": progress.epoch,
        "epoch_kept": progress.best_epoch,
        "history": progress.history,
    }
    return write_run(folder, experiment, split, held_out, facts)
