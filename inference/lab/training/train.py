"""Training of one network: one thread, resumable checkpoints, averaged weights, early stop on validation, a budget."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from inference.calibration import class_probabilities, sigmoid
from inference.errors import DataError
from inference.families.joint.network import Answer
from inference.lab.data.examples import Examples
from inference.lab.data.preparation import prepare
from inference.lab.metrics.scores import auroc, macro_auroc
from inference.lab.networks.catalogue import build_network
from inference.lab.networks.device import device
from inference.lab.networks.losses import Targets, total_loss
from inference.lab.recipes.augment import geometry, tones
from inference.lab.recipes.experiment import Experiment
from inference.lab.training.progress import Bar, history_plot


@dataclass
class Progress:
    """What a checkpoint remembers besides weights; `seconds` are of processor time: neighbours do not count."""

    epoch: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """A network's raw answers on N films: `logits` (N, 2); `cells` (N, h, w) logits, `subtypes`, `features` or None."""

    logits: np.ndarray
    cells: np.ndarray | None
    subtypes: np.ndarray | None
    features: np.ndarray | None


def to_tensor(squares: np.ndarray, size: int) -> Tensor:
    """Return float32 (N, 1, size, size) in [0, 1] from uint8 squares (N, 256, 256), antialiased."""
    images = torch.from_numpy(squares).unsqueeze(1).float().div_(255)
    if size == images.shape[-1]:
        return images
    return functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def look(network: nn.Module, squares: np.ndarray, size: int, batch: int = 32) -> Look:
    """Run the network in f32, the portal's way, over uint8 squares (N, 256, 256)."""
    network.to(device()).eval()
    parts: dict[str, list[np.ndarray]] = {"logits": [], "masks": [], "subtypes": [], "features": []}
    with torch.inference_mode():
        for first in range(0, len(squares), batch):
            images = to_tensor(squares[first : first + batch], size).to(device())
            answer: Answer = network(images.contiguous(memory_format=torch.channels_last))
            for name, found in parts.items():
                value = getattr(answer, name)
                if value is not None:
                    found.append(value.float().cpu().numpy())
    joined = {name: np.concatenate(found) if found else None for name, found in parts.items()}
    logits = joined["logits"]
    assert logits is not None
    return Look(logits, joined["masks"], joined["subtypes"], joined["features"])


def raw_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return uncalibrated class probabilities (N, 3) of logits (N, 2)."""
    chance = sigmoid(logits.astype(float))
    return class_probabilities(chance[:, 0], chance[:, 1])


class Trainer:
    """Trains `experiment` in `folder`; run again after an interruption it goes on from the last whole epoch.

    `start` is a file of weights to begin with.
    """

    def __init__(
        self, experiment: Experiment, train: Examples, validation: Examples, folder: Path, start: Path | None = None
    ) -> None:
        self.experiment = experiment
        self.folder = folder
        self.squares = torch.from_numpy(prepare(train.squares, experiment.preparation))
        self.train_examples, self.validation_examples = train, validation
        self.validation_squares = prepare(validation.squares, experiment.preparation)
        self.network = build_network(experiment).to(device())
        self.averaged = build_network(experiment).to(device())
        if start is not None:
            self.network.load_state_dict(load_file(start), strict=True)
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = self._optimiser()
        self.generator = torch.Generator().manual_seed(experiment.seed)
        self.progress = Progress()
        # How many of a batch come from the training films of the split; each of them once per epoch.
        self.own_batch = experiment.batch - (experiment.mixing.foreign if experiment.mixing else 0)
        self.steps_per_epoch = math.ceil(len(train) / self.own_batch)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._resume()

    def _optimiser(self) -> torch.optim.Optimizer:
        """AdamW or Adam; biases and norms do not decay, what started from ImageNet learns at its own rate."""
        experiment, groups = self.experiment, []
        encoder = getattr(self.network, "encoder", None)
        inside = {id(p) for p in encoder.parameters()} if encoder is not None else set()
        for scale, ours in ((experiment.encoder_rate, True), (1.0, False)):
            for decays in (True, False):
                chosen = [
                    p
                    for p in self.network.parameters()
                    if p.requires_grad and (id(p) in inside) == ours and (p.ndim > 1) == decays
                ]
                if chosen:
                    decay = experiment.weight_decay if decays else 0.0
                    groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[experiment.optimiser]
        return kind(groups, lr=experiment.learning_rate)

    def _resume(self) -> None:
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True, map_location="cpu")  # noqa: TID251 (its own)
        if state["experiment"] != self.experiment.settings:
            raise DataError("other_experiment", f"{self.folder.name} holds a checkpoint of other settings; remove it.")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["dropout"])
        self.progress = Progress(**state["progress"])

    def _save(self) -> None:
        state: dict[str, Any] = {
            "experiment": self.experiment.settings,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": torch.get_rng_state(),
            "progress": vars(self.progress),
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")
        (self.folder / "history.json").write_text(json.dumps(vars(self.progress), indent=1), encoding="utf-8")
        (self.folder / "history.svg").write_text(history_plot(self.progress.history), encoding="utf-8")

    def _learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to one hundredth."""
        warm = max(1.0, self.experiment.warm_up_epochs * self.steps_per_epoch)
        if step < warm:
            return self.experiment.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1.0, self.experiment.epochs * self.steps_per_epoch - warm)
        return self.experiment.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))

    def _picked(self, chosen: Tensor) -> Examples:
        """Return what the films `chosen` show before augmentation."""
        examples, places = self.train_examples, chosen.numpy()
        squares = self.squares[chosen].numpy()
        return Examples(squares, examples.labels[places], examples.masks[places], examples.subtypes[places])

    def _batch(self, chosen: Tensor, side: int) -> tuple[Tensor, Targets]:
        """Return augmented images (n, 1, side, side) and what they show; one geometry moves film and mask alike."""
        picked, strengths = self._picked(chosen), self.experiment.augmentation
        images = torch.from_numpy(picked.squares).unsqueeze(1).float().div_(255)
        masks = torch.from_numpy(picked.masks).unsqueeze(1).float()
        pair = geometry(torch.cat([images, masks], dim=1), strengths, self.generator, side)
        targets = Targets(torch.from_numpy(picked.labels), pair[:, 1:], torch.from_numpy(picked.subtypes))
        return tones(pair[:, :1], strengths, self.generator).to(device()), targets.to(device())

    def _step(self, chosen: Tensor, step: int, side: int) -> float:
        experiment = self.experiment
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(step) * group["scale"]
        loss = self.loss(*self._batch(chosen, side))
        if not torch.isfinite(loss):
            raise DataError("diverged", f"The loss of {experiment.name} is no number any more: lower its rate.")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self._average(min(experiment.averaging, (step + 1) / (step + 10)))
        return float(loss.detach())

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """Return what this batch of augmented images (n, 1, H, W) teaches."""
        with torch.autocast(device().type, torch.bfloat16, enabled=self.experiment.bfloat16):
            answer = self.network(images.contiguous(memory_format=torch.channels_last))
        return total_loss(answer, targets, self.experiment)

    def _average(self, decay: float) -> None:
        with torch.no_grad():
            current = self.network.state_dict()
            for name, average in self.averaged.state_dict().items():
                if average.is_floating_point():
                    average.lerp_(current[name], 1 - decay)
                else:
                    average.copy_(current[name])

    def _order(self) -> Tensor:
        """Return which films an epoch shows, in which order: each of them once."""
        return torch.randperm(len(self.train_examples), generator=self.generator)

    def _epoch(self, bar: Bar) -> float:
        experiment, progress = self.experiment, self.progress
        self.network.train()
        side = experiment.small_size if progress.epoch < experiment.small_epochs else experiment.size
        order = self._order()
        first, losses = progress.epoch * self.steps_per_epoch, []
        for index, chosen in enumerate(order.split(self.own_batch)):
            losses.append(self._step(chosen, first + index, side))
            bar.step(first + index + 1, losses[-1])
        return float(np.mean(losses))

    def validate(self) -> dict[str, float]:
        """Return the validation figures of the averaged weights."""
        found = look(self.averaged, self.validation_squares, self.experiment.size)
        labels = self.validation_examples.labels
        p = raw_probabilities(found.logits)
        figures = {"macro_auroc": macro_auroc(labels, p), "malignant_auroc": auroc(labels == 2, p[:, 2])}
        if found.cells is not None:
            figures["dice"] = self._dice(found.cells)
        return {name: round(float(value), 4) for name, value in figures.items()}

    def _dice(self, cells: np.ndarray) -> float:
        """Mean Dice of cells above one half over the validation tumours."""
        wanted = torch.from_numpy(self.validation_examples.masks).unsqueeze(1).float()
        true = functional.adaptive_avg_pool2d(wanted, cells.shape[-2:])[:, 0].numpy() >= 0.5
        marked = cells > 0
        shown = true.any(axis=(1, 2))
        both = (true & marked).sum(axis=(1, 2))
        return float(np.mean((2 * both / np.maximum(1, true.sum(axis=(1, 2)) + marked.sum(axis=(1, 2))))[shown]))

    def _figure(self, line: dict[str, float]) -> float:
        """What early stopping looks at: the classes, or the outline where no class is taught."""
        return line["macro_auroc"] if self.experiment.classes_weight else line["dice"]

    def _ends(self) -> bool:
        experiment, progress = self.experiment, self.progress
        spent = progress.seconds > experiment.budget_minutes * 60
        stale = experiment.keep == "best" and progress.epoch - progress.best_epoch >= experiment.patience_epochs
        return progress.epoch >= experiment.epochs or spent or stale

    def run(self) -> Progress:
        """Train until epochs, budget or patience end; `weights.safetensors` holds the averaged weights that count."""
        experiment, progress = self.experiment, self.progress
        bar = Bar(experiment.name, experiment.epochs * self.steps_per_epoch, progress.epoch * self.steps_per_epoch)
        while not self._ends():
            began = time.process_time()
            line: dict[str, float] = {"epoch": progress.epoch + 1, "train_loss": round(self._epoch(bar), 4)}
            progress.epoch += 1
            last = progress.epoch >= experiment.epochs
            if last or progress.epoch % experiment.validate_every == 0:
                line |= self._validated()
            progress.seconds += time.process_time() - began
            progress.history.append(line)
            self._save()
            bar.line(f"{experiment.name} epoch {progress.epoch}/{experiment.epochs} {line}")
        self._validate_the_end()
        return progress

    def _validated(self) -> dict[str, float]:
        """Validate, and keep the averaged weights where they count; returns the figures."""
        progress, figures = self.progress, self.validate()
        if self.experiment.keep == "last" or self._figure(figures) > progress.best:
            progress.best, progress.best_epoch = self._figure(figures), progress.epoch
            weights = {name: value.cpu().contiguous() for name, value in self.averaged.state_dict().items()}
            save_file(weights, self.folder / "weights.safetensors")
        return figures

    def _validate_the_end(self) -> None:
        """Validate the last epoch where the budget ended the training before its turn and its weights must count.

        The checkpoint does not hear of it, and where the best epoch counts another one stands already unless there was
        none: so a run that is granted a larger budget goes on to the end that it would have reached at once.
        """
        progress, began = self.progress, time.process_time()
        due = bool(progress.history) and "macro_auroc" not in progress.history[-1]
        if due and (self.experiment.keep == "last" or not progress.best_epoch):
            progress.history[-1] |= self._validated()
            progress.seconds += time.process_time() - began
