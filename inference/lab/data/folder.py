"""Labelled folders: images/, labels.csv, perhaps masks/ and folds.csv; an error names the file and the row."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from inference.errors import DataError, DecodeError
from inference.imaging.decode import decode_bytes
from inference.imaging.prepare import common_square

CLASSES = ("normal", "benign", "malignant")
TRAIN_PARTS = ("fold0", "fold1", "fold2", "fold3")
VALIDATION_PARTS = ("fold4",)
TEST_PARTS = ("test",)
IMAGE_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class LabelledFilm:
    """One labelled film; `part` is its place in the stored split ("" without one), `mask_path` its outline if any."""

    image_id: str
    label: str
    group_id: str
    part: str
    path: Path
    attributes: dict[str, str]
    mask_path: Path | None = None


def data_root(given: Path | None) -> Path:
    """Return the data folder from the option, else from BONESCAN_DATA; DataError where there is none."""
    named = given or (Path(os.environ["BONESCAN_DATA"]) if os.environ.get("BONESCAN_DATA") else None)
    if named is None or not named.is_dir():
        raise DataError("no_data", "Name an existing data folder with --data DIR or the variable BONESCAN_DATA.")
    return named


def read_rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file and check that it has the columns `needed` and that every row is whole."""
    if not path.is_file():
        raise DataError("missing_file", f"{path.name} is missing from the data folder.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError("unreadable_table", f"{path.name} cannot be read as a CSV file in UTF-8.") from error
    missing = [column for column in needed if not rows or column not in rows[0]]
    if missing:
        raise DataError("missing_column", f"{path.name} has no rows or lacks the column(s) {', '.join(missing)}.")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise DataError("broken_row", f"{path.name} row {number}: not as many fields as the heading has columns.")
    return rows


def image_files(folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by name without suffix; among equal names the first of IMAGE_SUFFIXES."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    # One listing instead of a look-up per film and suffix: thousands of films on a network share take seconds.
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries if entry.name.lower().endswith(IMAGE_SUFFIXES)]
    for path in sorted(paths, key=lambda path: IMAGE_SUFFIXES.index(path.suffix.lower())):
        found.setdefault(path.stem, path)
    return found


def name_of(image_id: str) -> str:
    """Return an id without the suffix of an image file, which some tables carry along."""
    path = Path(image_id)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else image_id


def load_films(folder: Path, labels: Path | None = None, classes: tuple[str, ...] = CLASSES) -> list[LabelledFilm]:
    """Read the films that labels.csv of `folder` (or the table `labels`) names, and check them without decoding pixels.

    Every film has one known label, an image file that can be opened and, where masks/ has one, a mask of its size.
    Each of `classes` must occur: an absent class is an error now, not a surprise hours later.
    """
    table = labels or folder / "labels.csv"
    rows = [{**row, "image_id": name_of(row["image_id"])} for row in read_rows(table, ("image_id", "label"))]
    parts = _parts(folder, rows, required=labels is None)
    images, masks = image_files(folder / "images"), image_files(folder / "masks")
    films: list[LabelledFilm] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        where = f"{table.name} row {number}"
        image_id = row["image_id"]
        _check_row(row, seen, where)
        if parts is not None and image_id not in parts:
            raise DataError("no_part", f"{where}: {image_id} has no part in folds.csv.")
        seen.add(image_id)
        if image_id not in images:
            raise DataError("missing_image", f"{where}: images/ has no file for {image_id}.")
        _check_sizes(images[image_id], masks.get(image_id), where)
        part = parts[image_id] if parts is not None else row.get("part", "")
        group = row.get("group_id") or image_id
        films.append(LabelledFilm(image_id, row["label"], group, part, images[image_id], row, masks.get(image_id)))
    _check_classes(films, classes, table.name)
    return films


def _parts(folder: Path, rows: list[dict[str, str]], *, required: bool) -> dict[str, str] | None:
    """Return the part of each film by folds.csv, or None where there is none or where the rows state parts themselves.

    A table given besides labels.csv may name films that the stored split does not know; they have the part "".
    """
    path = folder / "folds.csv"
    if "part" in rows[0] or not path.is_file():
        return None
    parts: dict[str, str] = {}
    for number, row in enumerate(read_rows(path, ("image_id", "part")), start=2):
        image_id = name_of(row["image_id"])
        if image_id in parts:
            raise DataError("duplicate_id", f"folds.csv row {number}: {image_id} occurs twice.")
        parts[image_id] = row["part"]
    if not required:
        return {row["image_id"]: parts.get(row["image_id"], "") for row in rows}
    return parts


def _check_row(row: dict[str, str], seen: set[str], where: str) -> None:
    if not row["image_id"]:
        raise DataError("missing_id", f"{where}: image_id is empty.")
    if row["image_id"] in seen:
        raise DataError("duplicate_id", f"{where}: {row['image_id']} occurs twice.")
    if row["label"] not in CLASSES:
        raise DataError("unknown_label", f"{where}: the label {row['label']!r} is none of {', '.join(CLASSES)}.")


def _check_sizes(image: Path, mask: Path | None, where: str) -> None:
    """Open the headers: an unreadable file or a mask that does not lie on its film is found in milliseconds."""
    size = _size(image, where)
    if mask is None:
        return
    mask_size = _size(mask, where)
    if mask_size != size:
        shapes = f"{mask_size[0]}x{mask_size[1]}, its image {size[0]}x{size[1]}"
        raise DataError("mask_size", f"{where}: masks/{mask.name} is {shapes} pixels.")


def _size(path: Path, where: str) -> tuple[int, int]:
    """Return (width, height) by the header."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:  # image libraries raise almost anything on bad bytes
        raise DataError("unreadable_image", f"{where}: {path.name} cannot be read as an image.") from error


def _check_classes(films: list[LabelledFilm], classes: Iterable[str], where: str) -> None:
    present = {film.label for film in films}
    for label in classes:
        if label not in present:
            raise DataError("empty_class", f"{where}: no row of {len(films)} has the label {label}.")


def select(films: list[LabelledFilm], parts: tuple[str, ...], labels: tuple[str, ...] = CLASSES) -> list[LabelledFilm]:
    """Return the films of these parts and labels; an empty class is an error, not a surprise hours later."""
    chosen = [film for film in films if film.part in parts and film.label in labels]
    for label in labels:
        if not any(film.label == label for film in chosen):
            raise DataError("empty_class", f"folds.csv: the part(s) {', '.join(parts)} hold no {label} film.")
    return chosen


def read_grey(path: Path) -> np.ndarray:
    """Return an image file as the portal's canonical image, uint8 (H, W): same depth, colour and orientation rules."""
    try:
        return decode_bytes(path.read_bytes()).grey
    except (DecodeError, OSError) as error:
        reason = error.message if isinstance(error, DecodeError) else "It cannot be opened."
        raise DataError("unreadable_image", f"{path.name} cannot be read as an image. {reason}") from error


def read_squares(paths: list[Path]) -> np.ndarray:
    """Return the images as uint8 (N, 256, 256), prepared as the portal does."""
    return np.stack([common_square(read_grey(path)) for path in paths])


def read_mask(path: Path, size: int) -> np.ndarray:
    """Return a mask as uint8 (size, size) in {0, 1}; a cell counts as soon as the mask covers any of it."""
    # In float: a lesion of a few pixels in a large film would round to nothing in 8 bits.
    mask = Image.fromarray((read_grey(path) > 0).astype(np.float32))
    return (np.asarray(mask.resize((size, size), Image.Resampling.BOX)) > 0).astype(np.uint8)


def read_masks(films: list[LabelledFilm], size: int) -> np.ndarray:
    """Return uint8 (N, size, size) in {0, 1}; a film without a mask has an empty one."""
    masks = np.zeros((len(films), size, size), dtype=np.uint8)
    for index, film in enumerate(films):
        if film.mask_path is not None:
            masks[index] = read_mask(film.mask_path, size)
    return masks


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
