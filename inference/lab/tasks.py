"""What each network learns: which images with which 0/1 target, for training and for validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.errors import DataError
from inference.lab.data import (
    TRAIN_PARTS,
    VALIDATION_PARTS,
    Film,
    load_films,
    read_rows,
    read_squares,
    select,
)
from inference.lab.experiment import Experiment
from inference.lab.synthetic import synthetic_squares

FILMS_FOLDER = "btxrd"
GATE_FOLDER = "gate"
SYNTHETIC_COUNT = 720
TUMOURS = ("benign", "malignant")


@dataclass(frozen=True)
class Examples:
    """Squares uint8 (N, 256, 256) with targets float32 (N,) in {0, 1}."""

    squares: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class NotBone:
    """One image that the gate must refuse; `part` is train, validation or test."""

    path: Path
    kind: str
    part: str


def load_not_bone(root: Path, held_out_kinds: tuple[str, ...]) -> list[NotBone]:
    """Read gate/not_bone.csv and divide it: held-out kinds wholly into test, of the others a fixed share.

    The share goes by position within the kind (every fifth to test, every fifth to validation): no seed, never moves.
    """
    seen: dict[str, int] = {}
    images: list[NotBone] = []
    for number, row in enumerate(read_rows(root / GATE_FOLDER / "not_bone.csv", ("file", "kind")), start=2):
        path = root / GATE_FOLDER / "not_bone" / row["file"]
        if not path.is_file():
            raise DataError("missing_image", f"not_bone.csv row {number}: {row['file']} is missing.")
        position = seen.get(row["kind"], 0)
        seen[row["kind"]] = position + 1
        part = {0: "test", 1: "validation"}.get(position % 5, "train")
        images.append(NotBone(path, row["kind"], "test" if row["kind"] in held_out_kinds else part))
    return images


def _film_examples(films: list[Film], positive: tuple[str, ...]) -> Examples:
    targets = np.array([film.label in positive for film in films], dtype=np.float32)
    return Examples(read_squares([film.path for film in films]), targets)


def _repeated(squares: np.ndarray, chosen: list[bool], repeats: int) -> np.ndarray:
    """Append copies until each chosen square occurs `repeats` times; every second copy is a negative.

    Chest films come in either polarity: a file with a wrong header shows bone dark.
    """
    again = squares[np.array(chosen)]
    return np.concatenate([squares, *(255 - again if turn % 2 else again for turn in range(1, repeats))])


def _gate_examples(root: Path, films: list[Film], experiment: Experiment, part: str) -> Examples:
    training = part == "train"
    refused = [image for image in load_not_bone(root, experiment.held_out_kinds) if image.part == part]
    seed = experiment.seed if training else experiment.seed + 1
    made = synthetic_squares(SYNTHETIC_COUNT if training else SYNTHETIC_COUNT // 5, seed)
    bones = read_squares([film.path for film in films])
    others = read_squares([image.path for image in refused])
    if training:
        others = _repeated(others, [image.kind in experiment.repeated_kinds for image in refused], experiment.repeats)
    squares = np.concatenate([bones, others, made])
    targets = np.zeros(len(squares), dtype=np.float32)
    targets[: len(bones)] = 1.0
    return Examples(squares, targets)


def load_examples(root: Path, experiment: Experiment) -> tuple[Examples, Examples]:
    """Return training and validation examples of an experiment; the test parts are never opened here."""
    films = load_films(root / FILMS_FOLDER)
    if experiment.task == "gate":
        return (
            _gate_examples(root, select(films, TRAIN_PARTS), experiment, "train"),
            _gate_examples(root, select(films, VALIDATION_PARTS), experiment, "validation"),
        )
    if experiment.task == "malignant":
        parts = (select(films, TRAIN_PARTS, TUMOURS), select(films, VALIDATION_PARTS, TUMOURS))
        return _film_examples(parts[0], ("malignant",)), _film_examples(parts[1], ("malignant",))
    parts = (select(films, TRAIN_PARTS), select(films, VALIDATION_PARTS))
    return _film_examples(parts[0], TUMOURS), _film_examples(parts[1], TUMOURS)
