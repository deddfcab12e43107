"""Films of FracAtlas with and without a fracture: the stored split, and what networks learn from."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from inference.errors import DataError
from inference.imaging.prepare import Frame, fitted_square
from inference.lab.data.examples import Examples
from inference.lab.data.folder import LabelledFilm, file_sha256, image_files, read_grey, read_rows
from inference.lab.data.protocols import DEFAULT_HELD_OUT, FOLDS, Split, assignment_sha256

FOLDER = "fracatlas"
LABELS = ("not_fractured", "fractured")
PROTOCOL = Path(__file__).with_name("protocol.toml")
TEST_PART = "test"

# Fractures of one film, each the polygons that outline it, as shares of the film's width and height.
Outlines = list[list[list[list[float]]]]


def load_fracture_films(root: Path) -> list[LabelledFilm]:
    """Return all films of `root`/fracatlas; DataError where the tables contradict each other or the files."""
    folder = root / FOLDER
    rows = read_rows(folder / "labels.csv", ("image_id", "label", "body_part", "view", "group_id"))
    parts = {row["image_id"]: row["part"] for row in read_rows(folder / "folds.csv", ("image_id", "part"))}
    images, films = image_files(folder / "images"), []
    for number, row in enumerate(rows, start=2):
        name, where = row["image_id"], f"labels.csv row {number}"
        if row["label"] not in LABELS:
            raise DataError("unknown_label", f"{where}: the label {row['label']!r} is none of {', '.join(LABELS)}.")
        if name not in images:
            raise DataError("missing_image", f"{where}: images/ has no file for {name}.")
        if parts.get(name) not in (*FOLDS, TEST_PART):
            raise DataError("no_part", f"{where}: {name} has no part in folds.csv.")
        films.append(LabelledFilm(name, row["label"], row["group_id"] or name, parts[name], images[name], row))
    if len({film.image_id for film in films}) != len(films):
        raise DataError("duplicate_id", "labels.csv: an image_id occurs twice.")
    return films


def load_outlines(root: Path) -> dict[str, Outlines]:
    """Return the outlines of every film with a fracture, by image id."""
    path = root / FOLDER / "outlines.json.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as handle:
            return dict(json.load(handle))
    except (OSError, ValueError) as error:
        raise DataError("unreadable_table", f"{path.name} is missing or cannot be read.") from error


def load_fracture_split(root: Path, held_out: str = DEFAULT_HELD_OUT, stored: Path = PROTOCOL) -> Split:
    """Return the protocol *fracture*: `held_out` validates, the other folds train, the part test is frozen.

    DataError where a group stands on two lists, where a list lacks a label, or where the known tables no longer give
    the stored assignment.
    """
    if held_out not in FOLDS:
        raise DataError("unknown_fold", f"The fold {held_out!r} is none of {', '.join(FOLDS)}.")
    films = load_fracture_films(root)
    places = {part: "train" for part in FOLDS} | {held_out: "validation", TEST_PART: "test"}
    lists = {place: [film for film in films if places[film.part] == place] for place in ("train", "validation", "test")}
    seen: dict[str, str] = {}
    for place, members in lists.items():
        for label in LABELS:
            if not any(film.label == label for film in members):
                raise DataError("empty_class", f"labels.csv: the {place} list holds no {label} film.")
        for film in members:
            if seen.setdefault(film.group_id, place) != place:
                raise DataError("crossing_group", f"folds.csv: the group of {film.image_id} stands in two parts.")
    sha256 = assignment_sha256(lists)
    _check_known(root, held_out, sha256, stored)
    return Split("fracture", lists["train"], lists["validation"], lists["test"], sha256)


def _check_known(root: Path, held_out: str, sha256: str, stored: Path) -> None:
    """The hashes hold for the known table; another table is another data set."""
    known: dict[str, Any] = tomllib.loads(stored.read_text(encoding="utf-8"))
    if file_sha256(root / FOLDER / "labels.csv") != known["labels_sha256"]:
        return
    if sha256 != known["sha256"][held_out]:
        raise DataError("other_split", "folds.csv does not give the stored assignment of films: restore it.")


def tables_sha256(root: Path) -> str:
    """Return the sha256 over labels, parts and outlines: what a run was taught by."""
    digest = hashlib.sha256()
    for name in ("labels.csv", "folds.csv", "outlines.json.gz"):
        digest.update((root / FOLDER / name).read_bytes())
    return digest.hexdigest()


def drawn(outlines: Outlines, frame: Frame, side: int) -> np.ndarray:
    """Return uint8 (side, side) in {0, 1}: what the outlines of a film enclose on the square it is fitted into."""
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)
    for fracture in outlines:
        for polygon in fracture:
            places = [frame.on_square(x, y) for x, y in polygon]
            pen.polygon([(x * side, y * side) for x, y in places], fill=1, outline=1)
    return np.array(mask, dtype=np.uint8)


def fracture_examples(films: list[LabelledFilm], outlines: dict[str, Outlines], side: int) -> Examples:
    """Return squares and masks uint8 (N, side, side), labels 1 where a fracture is; no subtype is known."""
    squares, masks = [], []
    for film in films:
        square, frame = fitted_square(read_grey(film.path), side)
        squares.append(square)
        masks.append(drawn(outlines.get(film.image_id, []), frame, side))
    return Examples(
        squares=np.stack(squares),
        labels=np.array([LABELS.index(film.label) for film in films], dtype=np.int64),
        masks=np.stack(masks),
        subtypes=np.full(len(films), -1, dtype=np.int64),
    )
