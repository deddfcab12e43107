"""Labelled folders: images/, labels.csv and a stored split; an error names the file and the row."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from inference.errors import DataError
from inference.imaging.prepare import common_square

CLASSES = ("normal", "benign", "malignant")
TRAIN_PARTS = ("fold0", "fold1", "fold2", "fold3")
VALIDATION_PARTS = ("fold4",)
TEST_PARTS = ("test",)
IMAGE_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Film:
    """One labelled film; `part` is its place in the stored split."""

    image_id: str
    label: str
    group_id: str
    part: str
    path: Path
    attributes: dict[str, str]


def data_root(given: Path | None) -> Path:
    """Return the data folder from the option, else from BONESCAN_DATA; DataError where there is none."""
    named = given or (Path(os.environ["BONESCAN_DATA"]) if os.environ.get("BONESCAN_DATA") else None)
    if named is None or not named.is_dir():
        raise DataError("no_data", "Name an existing data folder with --data DIR or the variable BONESCAN_DATA.")
    return named


def read_rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file and check that it has the columns `needed`."""
    if not path.is_file():
        raise DataError("missing_file", f"{path.name} is missing from the data folder.")
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    missing = [column for column in needed if not rows or column not in rows[0]]
    if missing:
        raise DataError("missing_column", f"{path.name} has no rows or lacks the column(s) {', '.join(missing)}.")
    return rows


def find_image(folder: Path, image_id: str, where: str) -> Path:
    """Return the image file of `image_id`; `where` names file and row for the error."""
    for suffix in IMAGE_SUFFIXES:
        path = folder / f"{image_id}{suffix}"
        if path.is_file():
            return path
    raise DataError("missing_image", f"{where}: images/ has no file for {image_id}.")


def load_films(root: Path) -> list[Film]:
    """Read labels.csv and folds.csv of `root`; every film has one known label, one part and one image file."""
    parts = {row["image_id"]: row["part"] for row in read_rows(root / "folds.csv", ("image_id", "part"))}
    films: list[Film] = []
    seen: set[str] = set()
    for number, row in enumerate(read_rows(root / "labels.csv", ("image_id", "label")), start=2):
        where = f"labels.csv row {number}"
        image_id = row["image_id"]
        if image_id in seen:
            raise DataError("duplicate_id", f"{where}: {image_id} occurs twice.")
        if row["label"] not in CLASSES:
            raise DataError("unknown_label", f"{where}: the label {row['label']!r} is none of {', '.join(CLASSES)}.")
        if image_id not in parts:
            raise DataError("no_part", f"{where}: {image_id} has no part in folds.csv.")
        seen.add(image_id)
        path = find_image(root / "images", image_id, where)
        films.append(Film(image_id, row["label"], row.get("group_id") or image_id, parts[image_id], path, row))
    return films


def select(films: list[Film], parts: tuple[str, ...], labels: tuple[str, ...] = CLASSES) -> list[Film]:
    """Return the films of these parts and labels; an empty class is an error, not a surprise hours later."""
    chosen = [film for film in films if film.part in parts and film.label in labels]
    for label in labels:
        if not any(film.label == label for film in chosen):
            raise DataError("empty_class", f"folds.csv: the part(s) {', '.join(parts)} hold no {label} film.")
    return chosen


def read_grey(path: Path) -> np.ndarray:
    """Return an image file as uint8 (H, W); colour becomes luminance."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError("unreadable_image", f"{path.name} cannot be read as an image.") from error


def read_squares(paths: list[Path]) -> np.ndarray:
    """Return the images as uint8 (N, 256, 256), prepared as the portal does."""
    return np.stack([common_square(read_grey(path)) for path in paths])


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
