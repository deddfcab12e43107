"""The stored protocols: which films a figure was trained, chosen and tested on, with a hash that nobody can move."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import DataError
from inference.lab.data.folder import CLASSES, LabelledFilm, file_sha256, load_films
from inference.lab.data.patients import EXCLUDED, with_patients

RECIPES = Path(__file__).with_name("protocols.toml")
PROTOCOLS = ("patient", "grouped", "centre", "paper")
FOLDS = ("fold0", "fold1", "fold2", "fold3", "fold4")
DEFAULT_HELD_OUT = "fold4"


@dataclass(frozen=True)
class Split:
    """Three lists of films that share none; `sha256` is that of the assignment of image ids to the lists."""

    name: str
    train: list[LabelledFilm]
    validation: list[LabelledFilm]
    test: list[LabelledFilm]
    sha256: str


def load_split(
    folder: Path,
    name: str,
    held_out: str = DEFAULT_HELD_OUT,
    stored: Path = RECIPES,
    labels: Path | None = None,
) -> Split:
    """Return the protocol `name` for the films of `folder`; `held_out` is the fold to validate on (not for paper).

    `labels` names another table than labels.csv of the folder. The known table must give the stored assignment, else
    DataError; another table is another data set, and its hash is only computed.
    """
    if name not in PROTOCOLS:
        raise DataError("unknown_protocol", f"The protocol {name!r} is none of {', '.join(PROTOCOLS)}.")
    if held_out not in FOLDS:
        raise DataError("unknown_fold", f"The fold {held_out!r} is none of {', '.join(FOLDS)}.")
    recipes = read_recipes(stored)
    films = load_films(folder, labels)
    if name == "patient":
        films = with_patients(folder, films)
    places = _PLACES[name](films, recipes[name], held_out)
    lists = {
        place: [film for film in films if places[film.image_id] == place] for place in ("train", "validation", "test")
    }
    for place, members in lists.items():
        _check_list(name, place, members)
    if name != "paper":
        _check_groups(name, lists, lambda film: film.group_id)
    if name == "patient":
        _check_groups(name, lists, lambda film: film.attributes["group_id"])
    sha256 = assignment_sha256(lists)
    wanted = recipes[name]["sha256"]["all" if name == "paper" else held_out]
    if file_sha256(labels or folder / "labels.csv") == recipes["labels_sha256"] and sha256 != wanted:
        raise DataError(
            "other_split",
            f"{name} does not give the stored assignment of films ({sha256[:12]} instead of {wanted[:12]}): "
            "restore folds.csv, or figures of different splits would be compared.",
        )
    return Split(name, lists["train"], lists["validation"], lists["test"], sha256)


def read_recipes(path: Path = RECIPES) -> dict[str, Any]:
    """Return the recipes and hashes as stored."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def assignment_sha256(lists: dict[str, list[LabelledFilm]]) -> str:
    """Return the sha256 over "image_id,place" lines in the order of the ids."""
    lines = sorted(f"{film.image_id},{place}\n" for place, members in lists.items() for film in members)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _grouped(films: list[LabelledFilm], recipe: dict[str, Any], held_out: str) -> dict[str, str]:
    _demand_parts(films)
    places = {part: "train" for part in FOLDS} | {held_out: "validation", recipe["test_part"]: "test"}
    return {film.image_id: places.get(film.part, "") for film in films}


def _patient(films: list[LabelledFilm], recipe: dict[str, Any], held_out: str) -> dict[str, str]:
    """As grouped, but on folds that no patient crosses; films of test patients that stood in a fold are on no list."""
    places = _grouped(films, recipe, held_out)
    strangers = [film.image_id for film in films if not places[film.image_id] and film.part != EXCLUDED]
    if strangers:
        raise DataError("no_part", f"folds_patient.csv: the film {strangers[0]} has a part that patient does not know.")
    return places


def _centre(films: list[LabelledFilm], recipe: dict[str, Any], held_out: str) -> dict[str, str]:
    """Films of the frozen part of the training centre train here: this protocol has a test list of its own."""
    _demand_parts(films)
    if "centre" not in films[0].attributes:
        raise DataError("missing_column", "labels.csv lacks the column centre, which the protocol centre divides by.")
    places: dict[str, str] = {}
    for film in films:
        centre = film.attributes["centre"]
        if centre == recipe["test_centre"]:
            places[film.image_id] = "test"
        elif centre == recipe["train_centre"]:
            places[film.image_id] = "validation" if film.part == held_out else "train"
        else:
            places[film.image_id] = ""
    return places


def _paper(films: list[LabelledFilm], recipe: dict[str, Any], _held_out: str) -> dict[str, str]:
    """Shuffle by a hash of seed and id: the same on every machine and with every version of a random generator."""
    keys = {film.image_id: hashlib.sha256(f"{recipe['seed']}:{film.image_id}".encode()).hexdigest() for film in films}
    ordered = sorted(keys, key=lambda image_id: (keys[image_id], image_id))
    tenth = round(len(films) * recipe["share_of_test"])
    places = {image_id: "train" for image_id in ordered}
    places |= {image_id: "test" for image_id in ordered[:tenth]}
    return places | {image_id: "validation" for image_id in ordered[tenth : 2 * tenth]}


_PLACES = {"patient": _patient, "grouped": _grouped, "centre": _centre, "paper": _paper}


def _demand_parts(films: list[LabelledFilm]) -> None:
    if not any(film.part for film in films):
        raise DataError(
            "missing_file", "folds.csv is missing from the data folder; the protocol is built on its parts."
        )


def _check_list(name: str, place: str, members: list[LabelledFilm]) -> None:
    present = {film.label for film in members}
    for label in CLASSES:
        if label not in present:
            raise DataError("empty_class", f"labels.csv: the {place} list of {name} holds no {label} film.")


def _check_groups(name: str, lists: dict[str, list[LabelledFilm]], group_of: Callable[[LabelledFilm], str]) -> None:
    """A group on two lists would let a network recognise the patient instead of the disease."""
    seen: dict[str, tuple[str, str]] = {}
    for place, members in lists.items():
        for film in members:
            first, image_id = seen.setdefault(group_of(film), (place, film.image_id))
            if first != place:
                raise DataError(
                    "crossing_group",
                    f"folds.csv: {name} puts {image_id} into {first} and {film.image_id} of its group into {place}.",
                )
