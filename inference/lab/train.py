"""Training of one network: one thread, resumable checkpoints, averaged weights, early stop on validation."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import DataError
from inference.lab.augment import augment
from inference.lab.experiment import Experiment
from inference.lab.metrics import auroc
from inference.lab.tasks import Examples
from inference.models.paper_cnn import PaperCNN, build


@dataclass
class Progress:
    """What a checkpoint remembers besides weights."""

    epoch: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def to_tensor(squares: np.ndarray, size: int) -> Tensor:
    """Return float32 (N, 1, size, size) in [0, 1] from uint8 squares, scaled exactly as `model_input` does."""
    how = Image.Resampling.BILINEAR
    scaled = [np.asarray(Image.fromarray(square).resize((size, size), how)) for square in squares]
    return torch.from_numpy(np.stack(scaled)).unsqueeze(1).float().div_(255)


def predict_logits(network: PaperCNN, images: Tensor, batch: int = 64) -> np.ndarray:
    """Return float64 logits (N,) in f32 arithmetic, the portal's way."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network(part.contiguous(memory_format=torch.channels_last)).double().numpy() for part in images.split(batch)
        ]
    return np.concatenate(parts)


class Trainer:
    """Trains `experiment` in `folder`; run again after an interruption it goes on from the last whole epoch."""

    def __init__(self, experiment: Experiment, train: Examples, validation: Examples, folder: Path) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment = experiment
        self.folder = folder
        self.train_images = to_tensor(train.squares, experiment.size)
        self.train_targets = torch.from_numpy(train.targets)
        self.validation_images = to_tensor(validation.squares, experiment.size)
        self.validation_targets = validation.targets
        self.network = self.make_network()
        self.averaged = self.make_network()
        if experiment.start_from:
            self._start_from(folder.parent / experiment.start_from / "best.safetensors")
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=experiment.learning_rate)
        self.generator = torch.Generator().manual_seed(experiment.seed)
        self.progress = Progress()
        self.steps_per_epoch = math.ceil(len(self.train_targets) / experiment.batch)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._resume()

    def make_network(self) -> PaperCNN:
        """Return an untrained network of this experiment."""
        return build(self.experiment.architecture)

    def loss(self, chosen: Tensor) -> Tensor:
        """Return the training loss of the examples `chosen` (indices), augmented."""
        experiment = self.experiment
        images = augment(self.train_images[chosen], experiment.augmentation, self.generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=experiment.bfloat16):
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        weight = torch.tensor(experiment.positive_weight)
        return functional.binary_cross_entropy_with_logits(
            logits.float(), self.train_targets[chosen], pos_weight=weight
        )

    def validation_logits(self) -> np.ndarray:
        """Return one logit per validation example, by the averaged weights."""
        return predict_logits(self.averaged, self.validation_images)

    def _start_from(self, weights: Path) -> None:
        if not weights.is_file():
            raise DataError("no_start", f"Train {self.experiment.start_from} first: this experiment starts from it.")
        blocks = {name: value for name, value in load_file(weights).items() if name.startswith("blocks.")}
        self.network.load_state_dict(blocks, strict=False)

    def _settings(self) -> str:
        """The settings that a checkpoint is bound to; a larger budget may be granted later."""
        return json.dumps({**self.experiment.as_dict(), "budget_minutes": None})

    def _resume(self) -> None:
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        if state["experiment"] != self._settings():
            raise DataError("other_experiment", f"{self.folder.name} holds a checkpoint of other settings; remove it.")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.progress = Progress(**state["progress"])

    def _save(self) -> None:
        state: dict[str, Any] = {
            "experiment": self._settings(),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "progress": vars(self.progress),
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")
        (self.folder / "history.json").write_text(json.dumps(vars(self.progress), indent=1), encoding="utf-8")

    def _learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to one hundredth."""
        warm = self.experiment.warm_up_epochs * self.steps_per_epoch
        if step < warm:
            return self.experiment.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.experiment.epochs * self.steps_per_epoch - warm)
        return self.experiment.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    def _step(self, chosen: Tensor, step: int) -> float:
        experiment = self.experiment
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(step)
        loss = self.loss(chosen)
        if not torch.isfinite(loss):
            raise DataError(
                "diverged", f"The loss of {experiment.name} is no number any more: lower the learning rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        decay = min(experiment.averaging, (step + 1) / (step + 10))
        with torch.no_grad():
            pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
            for average, current in pairs:
                average.lerp_(current, 1 - decay)
        return float(loss.detach())

    def _epoch(self) -> dict[str, float]:
        """Run one epoch and return its line of history."""
        self.network.train()
        order = torch.randperm(len(self.train_targets), generator=self.generator)
        first = self.progress.epoch * self.steps_per_epoch
        losses = [self._step(chosen, first + index) for index, chosen in enumerate(order.split(self.experiment.batch))]
        logits = self.validation_logits()
        targets = self.validation_targets
        loss = np.mean(np.logaddexp(0, logits) - targets * logits)
        return {
            "train_loss": round(float(np.mean(losses)), 4),
            "validation_loss": round(float(loss), 4),
            "validation_auroc": round(auroc(targets, logits), 4),
        }

    def run(self) -> Progress:
        """Train until epochs, budget or patience end; best.safetensors holds the best averaged weights."""
        experiment, progress = self.experiment, self.progress
        while progress.epoch < experiment.epochs:
            if progress.seconds > experiment.budget_minutes * 60:
                break
            if progress.epoch - progress.best_epoch >= experiment.patience_epochs:
                break
            began = time.monotonic()
            line = self._epoch()
            progress.epoch += 1
            progress.seconds += time.monotonic() - began
            progress.history.append({"epoch": progress.epoch, **line})
            # AUROC of a few hundred films saturates for the gate; the loss then decides between equals.
            figure = line["validation_auroc"] - 1e-3 * line["validation_loss"]
            if figure > progress.best:
                progress.best, progress.best_epoch = figure, progress.epoch
                weights = {name: value.contiguous() for name, value in self.averaged.state_dict().items()}
                save_file(weights, self.folder / "best.safetensors")
            self._save()
            self._report(line)
        return progress

    def _report(self, line: dict[str, float]) -> None:
        progress = self.progress
        left = progress.seconds / progress.epoch * (self.experiment.epochs - progress.epoch) / 60
        left = min(left, self.experiment.budget_minutes - progress.seconds / 60)
        sys.stderr.write(
            f"{self.experiment.name} epoch {progress.epoch}/{self.experiment.epochs} "
            f"loss {line['train_loss']:.3f} validation loss {line['validation_loss']:.3f} "
            f"auroc {line['validation_auroc']:.4f} (best in epoch {progress.best_epoch}), {left:.0f} min left\n"
        )
        sys.stderr.flush()
