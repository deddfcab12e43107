"""One TOML file per experiment: what a network is, what it learns from, and within which budget."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.errors import DataError
from inference.lab.augment import Augmentation

EXPERIMENTS = Path(__file__).parent / "experiments"
TASKS = ("outline", "tumour", "malignant", "gate")


@dataclass(frozen=True)
class Experiment:
    """A network's recipe. Minutes end the training early if the epochs have not; `start_from` names another network."""

    name: str
    task: str
    widths: tuple[int, ...] = (16, 32, 64, 128, 128)
    size: int = 224
    dense: int = 128
    dropout: float = 0.5
    epochs: int = 40
    batch: int = 32
    learning_rate: float = 5e-4
    warm_up_epochs: int = 2
    averaging: float = 0.995
    positive_weight: float = 1.0
    patience_epochs: int = 15
    budget_minutes: float = 40.0
    seed: int = 7
    start_from: str = ""
    bfloat16: bool = True
    held_out_kinds: tuple[str, ...] = ()
    repeated_kinds: tuple[str, ...] = ()
    repeats: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def architecture(self) -> dict[str, Any]:
        """What inference.models.paper_cnn.build needs, as the card stores it."""
        return {"widths": list(self.widths), "size": self.size, "dense": self.dense, "dropout": self.dropout}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def load_experiment(path: Path) -> Experiment:
    """Read an experiment; unknown keys and tasks are errors."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        entries["augmentation"] = Augmentation(**entries.get("augmentation", {}))
        for key in ("widths", "held_out_kinds", "repeated_kinds"):
            if key in entries:
                entries[key] = tuple(entries[key])
        experiment = Experiment(**entries)
    except (tomllib.TOMLDecodeError, TypeError, OSError) as error:
        raise DataError("bad_experiment", f"{path.name}: {error}") from error
    if experiment.task not in TASKS:
        raise DataError("bad_experiment", f"{path.name}: the task is none of {', '.join(TASKS)}.")
    return experiment
