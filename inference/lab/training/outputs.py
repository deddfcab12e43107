"""What any approach says about a list of films, and the cut-offs it may use: one .npz, read without pickles."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.errors import DataError

PERTURBATION = "perturbed."
OPTIONAL = ("withheld", "refused", "prediction_sets", "masks", "saliency", "saliency_random", "subtypes")


@dataclass(frozen=True)
class Outputs:
    """The answers for N films, in the order of the list; None where an approach has no such answer.

    probabilities float64 (N, 3), calibrated, columns as OUTCOMES; called int (N,) by the outcome rule as if
    nothing was withheld; withheld and refused bool (N,); reasons: codes of the withheld answers, one list per film;
    prediction_sets bool (N, 3); masks float16 (N, 64, 64): lesion probability over the film stretched to a square;
    saliency and saliency_random uint8 (N, h, w), the second with randomised weights; perturbed: name -> int (N,), the
    outcome under that perturbation; subtypes float (N, S); ms_per_image: milliseconds of one core.
    """

    image_ids: list[str]
    probabilities: np.ndarray
    called: np.ndarray
    withheld: np.ndarray | None = None
    reasons: list[list[str]] | None = None
    refused: np.ndarray | None = None
    prediction_sets: np.ndarray | None = None
    masks: np.ndarray | None = None
    saliency: np.ndarray | None = None
    saliency_random: np.ndarray | None = None
    perturbed: dict[str, np.ndarray] = field(default_factory=dict)
    subtypes: np.ndarray | None = None
    ms_per_image: float | None = None

    def __post_init__(self) -> None:
        count = len(self.image_ids)
        if self.probabilities.shape != (count, len(OUTCOMES)):
            raise DataError("bad_outputs", f"probabilities: the shape {self.probabilities.shape} is not ({count}, 3).")
        arrays = {"called": self.called, **{PERTURBATION + name: value for name, value in self.perturbed.items()}}
        arrays |= {name: getattr(self, name) for name in OPTIONAL if getattr(self, name) is not None}
        for name, values in arrays.items():
            if len(values) != count:
                raise DataError("bad_outputs", f"{name}: {len(values)} entries for {count} films.")
        if self.reasons is not None and len(self.reasons) != count:
            raise DataError("bad_outputs", f"reasons: {len(self.reasons)} entries for {count} films.")

    def take(self, chosen: np.ndarray) -> Outputs:
        """Return the answers for some of the films, `chosen` as indices (M,) or bool (N,)."""
        places = np.arange(len(self.image_ids))[chosen]
        some = {name: getattr(self, name)[places] for name in OPTIONAL if getattr(self, name) is not None}
        return Outputs(
            image_ids=[self.image_ids[place] for place in places],
            probabilities=self.probabilities[places],
            called=self.called[places],
            reasons=None if self.reasons is None else [self.reasons[place] for place in places],
            perturbed={name: values[places] for name, values in self.perturbed.items()},
            ms_per_image=self.ms_per_image,
            **some,
        )

    def save(self, path: Path) -> None:
        """Write everything to one .npz; the file appears whole or not at all."""
        arrays: dict[str, np.ndarray] = {
            "image_ids": np.array(self.image_ids, dtype=np.str_),
            "probabilities": self.probabilities.astype(np.float64),
            "called": self.called.astype(np.int64),
        }
        arrays |= {name: getattr(self, name) for name in OPTIONAL if getattr(self, name) is not None}
        arrays |= {PERTURBATION + name: values for name, values in self.perturbed.items()}
        if self.reasons is not None:
            arrays["reasons"] = np.array(json.dumps(self.reasons))
        if self.ms_per_image is not None:
            arrays["ms_per_image"] = np.array(self.ms_per_image)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        with unfinished.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Outputs:
        """Read what `save` wrote; DataError where the file is missing, damaged or of another kind."""
        try:
            # numpy forgets to close a file that proves to be no archive: it is opened and closed here.
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            perturbed = {n.removeprefix(PERTURBATION): v for n, v in arrays.items() if n.startswith(PERTURBATION)}
            return cls(
                image_ids=[str(name) for name in arrays["image_ids"]],
                probabilities=arrays["probabilities"],
                called=arrays["called"],
                reasons=json.loads(str(arrays["reasons"])) if "reasons" in arrays else None,
                perturbed=perturbed,
                ms_per_image=float(arrays["ms_per_image"]) if "ms_per_image" in arrays else None,
                **{name: arrays.get(name) for name in OPTIONAL},
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError("bad_outputs", f"{path.name} holds no stored outputs.") from error


@dataclass(frozen=True)
class Thresholds:
    """Every cut-off that a measurement may use, all chosen on validation or out of fold, never on the films measured.

    `malignant` and `tumour` are the outcome rule in force; `specificity_90` and `specificity_95` are cut-offs on
    P(malignant) that reach this specificity on validation, None where none was chosen so; `mask` is the cell
    probability from which a cell is lesion.
    """

    malignant: float
    tumour: float
    specificity_90: float | None
    specificity_95: float | None
    mask: float
    subtype_names: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return {**self.__dict__, "subtype_names": list(self.subtype_names)}
