"""What of a film says nothing of disease: its borders, its frame, which way the limb lies, whom it shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.lab.data.folder import LabelledFilm, name_of, read_rows, read_squares
from inference.lab.data.patients import PATIENTS_FILE, known_of_patients
from inference.lab.recipes.bone import bone_map, direction

# A row or column of a border is flat, or nearly all black.
_FLAT, _BLACK = 2.0, 12.0
_STRIP_PX = 8
_NARROW, _WIDE = 0.02, 0.15
_PLAIN = 0.1
SITES_FILE = "tumour_sites.csv"
FRAME_FEATURES = 4 + 8 + 4 + 5


def border_shares(square: np.ndarray) -> np.ndarray:
    """Return the widths of the borders of uint8 (H, W) at top, bottom, left and right, as shares of the side (4,)."""
    found = []
    for lines in (square, square[::-1], square.T, square.T[::-1]):
        empty = (lines.std(axis=1) < _FLAT) | (np.percentile(lines, 95, axis=1) < _BLACK)
        found.append(len(lines) if empty.all() else int(np.argmin(empty)))
    return np.array(found) / len(square)


def frame_features(square: np.ndarray) -> np.ndarray:
    """Return borders, mean and spread of the outer strips, grey of the corners, and grey of the film as a whole."""
    strips = [square[:_STRIP_PX], square[-_STRIP_PX:], square[:, :_STRIP_PX], square[:, -_STRIP_PX:]]
    corners = [square[rows, columns] for rows in _ENDS for columns in _ENDS]
    whole = [square.mean(), square.std(), np.mean(square < _BLACK), *np.percentile(square, [1, 99])]
    return np.concatenate(
        [
            border_shares(square),
            [value for strip in strips for value in (strip.mean(), strip.std())],
            [corner.mean() for corner in corners],
            whole,
        ]
    )


_ENDS = (slice(None, _STRIP_PX), slice(-_STRIP_PX, None))


def border_width(square: np.ndarray) -> str:
    """Return none, narrow or wide: the larger sum of two opposite borders, below 2 %, below 15 %, or more."""
    top, bottom, left, right = border_shares(square)
    most = max(top + bottom, left + right)
    return "none" if most < _NARROW else "narrow" if most < _WIDE else "wide"


def orientation(square: np.ndarray) -> str:
    """Return upright, oblique or across, by the way in which bone runs on uint8 (256, 256); unclear where none does."""
    likely = bone_map(square)
    if likely.max() <= 0:
        return "unclear"
    angle, plain = direction(likely * 255)
    if plain < _PLAIN:
        return "unclear"
    steep = abs(np.degrees(angle))
    return "upright" if steep > 60 else "across" if steep < 30 else "oblique"


def age_group(age: str) -> str:
    """Return the age group of an age in years as text, "" where it is unknown."""
    try:
        years = float(age)
    except ValueError:
        return ""
    return "under 20" if years < 20 else "20 to 39" if years < 40 else "40 to 59" if years < 60 else "60 and over"


def described(films: list[LabelledFilm]) -> list[LabelledFilm]:
    """Return the films with what subgroups are made of: how they look and, where tables of patients lie beside
    images/, whom they show. What a film's own table says stays."""
    tables: dict[Path, dict[str, dict[str, str]]] = {}
    found = []
    for film in films:
        folder = film.path.parent.parent
        if folder not in tables:
            tables[folder] = _known(folder)
        square = read_squares([film.path])[0]
        seen = {"orientation": orientation(square), "border": border_width(square)}
        about = {**tables[folder].get(film.image_id, {}), **seen, **film.attributes}
        found.append(replace(film, attributes={**about, "age_group": age_group(about.get("age", ""))}))
    return found


def _known(folder: Path) -> dict[str, dict[str, str]]:
    """Patients and sites of tumours by film; sites serve subgroups alone: normal films have none."""
    known: dict[str, dict[str, str]] = {}
    if (folder / PATIENTS_FILE).is_file():
        known = {image_id: dict(row) for image_id, row in known_of_patients(folder).items()}
    if (folder / SITES_FILE).is_file():
        for row in read_rows(folder / SITES_FILE, ("image_id", "site")):
            known.setdefault(name_of(row["image_id"]), {})["tumour_site"] = row["site"]
    return known
