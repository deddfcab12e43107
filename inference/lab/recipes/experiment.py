"""One TOML file per experiment: what a network is, what it learns from, and within which budget."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.errors import DataError
from inference.lab.data.preparation import PREPARATIONS
from inference.lab.recipes.augment import Augmentation
from inference.lab.recipes.mixing import Mixing

EXPERIMENTS = Path(__file__).parent / "experiments"
STARTS = ("random", "imagenet")


@dataclass(frozen=True)
class Experiment:
    """A network's recipe. Minutes are of one core and end the training early where the epochs have not.

    `network` names an entry of inference.lab.networks.catalogue, `architecture` holds its options. `start_from` names
    an experiment whose run on the same split lends its weights. The first `small_epochs` see films of `small_size`.
    `encoder_rate` scales the learning rate of what started from ImageNet. Weights of a loss are relative to the
    classes' loss; `malignant_weight` is the positive weight of malignant among tumours.
    `positives` is the share of an epoch's films that show the finding; 0 takes every film once.
    `mixing` adds tumour-free films of other sources to every batch and moves lesions between films.
    `keep` says which weights count: of the `best` validation epoch, or the `last` (then validation chose nothing).
    """

    name: str
    network: str
    title: str = ""
    architecture: dict[str, Any] = field(default_factory=dict)
    start: str = "random"
    start_from: str = ""
    preparation: str = "none"
    size: int = 224
    small_size: int = 0
    small_epochs: int = 0
    epochs: int = 12
    batch: int = 32
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    encoder_rate: float = 1.0
    weight_decay: float = 0.01
    warm_up_epochs: float = 1.0
    averaging: float = 0.995
    classes_weight: float = 1.0
    malignant_weight: float = 2.0
    mask_weight: float = 0.0
    subtype_weight: float = 0.0
    focal: float = 0.0
    keep: str = "best"
    validate_every: int = 1
    patience_epochs: int = 10
    budget_minutes: float = 40.0
    seed: int = 7
    bfloat16: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)
    mixing: Mixing | None = None
    positives: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the settings; those of younger date are left out where they do nothing, so that hashes stay."""
        settings = asdict(self)
        if self.mixing is None:
            del settings["mixing"]
        if not self.positives:
            del settings["positives"]
        for name in ("quarter_turns", "letterbox"):
            if not settings["augmentation"][name]:
                del settings["augmentation"][name]
        return settings

    @property
    def settings(self) -> str:
        """What a checkpoint is bound to; a larger budget may be granted later."""
        return json.dumps({**self.as_dict(), "budget_minutes": None}, sort_keys=True)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.settings.encode()).hexdigest()


def load_experiment(path: Path) -> Experiment:
    """Read an experiment; unknown keys, starts and preparations are errors that name the file."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        entries["augmentation"] = Augmentation(**entries.get("augmentation", {}))
        if "mixing" in entries:
            entries["mixing"] = Mixing(**entries["mixing"])
        experiment = Experiment(**entries)
    except FileNotFoundError as error:
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.toml")))
        raise DataError("no_experiment", f"There is no experiment {path.stem}. There are: {known}.") from error
    except (tomllib.TOMLDecodeError, TypeError, OSError) as error:
        raise DataError("bad_experiment", f"{path.name}: {error}") from error
    if experiment.start not in STARTS or experiment.preparation not in PREPARATIONS:
        raise DataError(
            "bad_experiment",
            f"{path.name}: start is one of {', '.join(STARTS)}, preparation one of {', '.join(PREPARATIONS)}.",
        )
    return experiment
