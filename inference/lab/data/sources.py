"""Tumour-free bone films of other hospitals: trained on as normal, or left out to count the false alarms on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, file_sha256, image_files, name_of, read_rows
from inference.lab.data.protocols import DEFAULT_HELD_OUT, RECIPES, read_recipes
from inference.lab.data.turned_copies import groups_of_turned_copies

TEST_PART = "test"


@dataclass(frozen=True)
class Source:
    """The films of one place, all normal; `attributes["source"]` of each is `name`, `attributes["kind"]` its site."""

    name: str
    films: list[LabelledFilm]


@dataclass(frozen=True)
class SourceSplit:
    """Which foreign films are trained on, which of the same places validate, and the places left out.

    The part test of a source stands on none of the lists. `sha256` is that of the assignment.
    """

    train: list[Source]
    validation: list[Source]
    left_out: list[Source]
    sha256: str

    @property
    def names_left_out(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.left_out)


def _fracatlas(root: Path) -> list[LabelledFilm]:
    """Films without a fracture; those with a twin among the films of another source are left out."""
    return _of_fracatlas(root, "not_fractured", "fracatlas")


def _fractures(root: Path) -> list[LabelledFilm]:
    """Films of the same three hospitals with a fracture: broken bone is no tumour either."""
    return _of_fracatlas(root, "fractured", "fractures")


def _of_fracatlas(root: Path, label: str, source: str) -> list[LabelledFilm]:
    folder = root / "fracatlas"
    rows = read_rows(folder / "labels.csv", ("image_id", "label", "body_part", "group_id", "near_gate"))
    chosen = [row for row in rows if row["label"] == label and row["near_gate"] == "0"]
    return _films(folder, chosen, source, lambda row: (row["group_id"], row["body_part"]))


def _knees(root: Path) -> list[LabelledFilm]:
    folder = root / "knees"
    rows = read_rows(folder / "labels.csv", ("image_id", "patient_group"))
    return _films(folder, rows, "knees", lambda row: (row["patient_group"], "knee"))


def _hands(root: Path) -> list[LabelledFilm]:
    folder = root / "hands"
    return _films(
        folder, read_rows(folder / "labels.csv", ("image_id",)), "hands", lambda row: (row["image_id"], "hand")
    )


def _bone_other_source(root: Path) -> list[LabelledFilm]:
    """A folder of pictures without a table or parts; several show one film turned, and are one group."""
    found = sorted(image_files(root / "gate" / "bone_other_source").items())
    groups = groups_of_turned_copies([Image.open(path) for _, path in found])
    about = {"source": "bone_other_source", "kind": ""}
    return [
        LabelledFilm(name, "normal", f"bone_other_source {group}", "", path, about)
        for (name, path), group in zip(found, groups.tolist(), strict=True)
    ]


_LOADERS: dict[str, Callable[[Path], list[LabelledFilm]]] = {
    "fracatlas": _fracatlas,
    "fractures": _fractures,
    "knees": _knees,
    "hands": _hands,
    "bone_other_source": _bone_other_source,
}
SOURCES = tuple(_LOADERS)
# Sources of the same hospitals: who leaves one out leaves out both, or the scanner would be known.
_SAME_PLACE = ({"fracatlas", "fractures"},)


def _films(
    folder: Path, rows: list[dict[str, str]], source: str, told: Callable[[dict[str, str]], tuple[str, str]]
) -> list[LabelledFilm]:
    parts = {name_of(row["image_id"]): row["part"] for row in read_rows(folder / "folds.csv", ("image_id", "part"))}
    images = image_files(folder / "images")
    films = []
    for row in rows:
        image_id = name_of(row["image_id"])
        if image_id not in images:
            raise DataError("missing_image", f"{source}: images/ has no file for {image_id}.")
        if image_id not in parts:
            raise DataError("no_part", f"{source}: {image_id} has no part in folds.csv.")
        group, kind = told(row)
        about = {**row, "source": source, "kind": kind}
        films.append(LabelledFilm(image_id, "normal", f"{source} {group}", parts[image_id], images[image_id], about))
    return films


def load_source(root: Path, name: str) -> Source:
    """Return all films of a source below the data folder `root`; DataError where there are none."""
    if name not in _LOADERS:
        raise DataError("unknown_source", f"The source {name!r} is none of {', '.join(SOURCES)}.")
    films = _LOADERS[name](root)
    if not films:
        raise DataError("missing_file", f"The source {name} holds no film.")
    return Source(name, films)


def load_sources(
    root: Path,
    names: tuple[str, ...] = SOURCES,
    left_out: tuple[str, ...] = (),
    held_out: str = DEFAULT_HELD_OUT,
    stored: Path = RECIPES,
) -> SourceSplit:
    """Return the protocol *sources* of `names`: `left_out` never train, of the others the held-out fold validates.

    DataError where a group crosses folds, or where the known tables no longer give the stored assignment.
    """
    unknown = [name for name in left_out if name not in names]
    if unknown:
        raise DataError("unknown_source", f"{', '.join(unknown)}: left out, but none of {', '.join(names)}.")
    away_with = set(left_out).union(*(place for place in _SAME_PLACE if place & set(left_out)))
    left_out = tuple(name for name in names if name in away_with)
    sources = [load_source(root, name) for name in names]
    for source in sources:
        _check_groups(source)
    kept = [source for source in sources if source.name not in left_out]
    train = [_of(source, lambda part: part not in (held_out, TEST_PART)) for source in kept]
    validation = [_of(source, lambda part: part == held_out) for source in kept]
    away = [_of(source, lambda part: part != TEST_PART) for source in sources if source.name in left_out]
    _check_known(root, sources, stored)
    sha256 = _assignment({"train": train, "validation": validation, "left_out": away})
    return SourceSplit(train, [source for source in validation if source.films], away, sha256)


def _of(source: Source, wanted: Callable[[str], bool]) -> Source:
    return Source(source.name, [film for film in source.films if wanted(film.part)])


def _check_groups(source: Source) -> None:
    """A knee on both sides would let a network recognise the patient."""
    seen: dict[str, str] = {}
    for film in source.films:
        if seen.setdefault(film.group_id, film.part) != film.part:
            raise DataError("crossing_group", f"{source.name}: films of the group of {film.image_id} are in two parts.")


def _assignment(lists: dict[str, list[Source]]) -> str:
    lines = sorted(
        f"{source.name}/{film.image_id},{place}\n"
        for place, sources in lists.items()
        for source in sources
        for film in source.films
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parts_sha256(source: Source) -> str:
    """Return the sha256 over "image_id,part" lines of a source, in the order of the ids."""
    lines = sorted(f"{film.image_id},{film.part}\n" for film in source.films)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check_known(root: Path, sources: list[Source], stored: Path) -> None:
    """The hashes hold for the known table of tumours; another data folder is another data set."""
    recipes = read_recipes(stored)
    table = root / "btxrd" / "labels.csv"
    if not table.is_file() or file_sha256(table) != recipes["labels_sha256"]:
        return
    for source in sources:
        if parts_sha256(source) != recipes["sources"]["sha256"][source.name]:
            raise DataError("other_split", f"The films or parts of the source {source.name} are not the stored ones.")
