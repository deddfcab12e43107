"""Who a film belongs to: the patient groups and the folds that keep every patient on one side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, name_of, read_rows

PATIENTS_FILE = "patients.csv"
FOLDS_FILE = "folds_patient.csv"
EXCLUDED = "excluded"
_KNOWN = ("age", "sex", "limb", "view")


def with_patients(folder: Path, films: list[LabelledFilm]) -> list[LabelledFilm]:
    """Return `films` with the patient as their group, the part of the patient folds and what is known of the patient.

    The group of neighbouring ids stays in attributes["group_id"]; intervals are to be drawn over the patients.
    """
    patients = _by_id(folder / PATIENTS_FILE, "patient_group")
    parts = _by_id(folder / FOLDS_FILE, "part")
    found = []
    for film in films:
        for name, rows in ((PATIENTS_FILE, patients), (FOLDS_FILE, parts)):
            if film.image_id not in rows:
                raise DataError("no_patient", f"{name} has no row for the film {film.image_id}.")
        patient = patients[film.image_id]
        about = {name: patient.get(name, "") for name in ("patient_group", *_KNOWN)}
        attributes = film.attributes | about | {"group_id": film.group_id}
        group, part = f"patient {patient['patient_group']}", parts[film.image_id]["part"]
        found.append(replace(film, group_id=group, part=part, attributes=attributes))
    return found


def known_of_patients(folder: Path) -> dict[str, dict[str, str]]:
    """Return patient group, age, sex, limb and view by film; no input of a model without a row of its own."""
    rows = _by_id(folder / PATIENTS_FILE, "patient_group")
    return {
        image_id: {"patient_group": row["patient_group"]} | {name: row.get(name, "") for name in _KNOWN}
        for image_id, row in rows.items()
    }


def _by_id(path: Path, column: str) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(read_rows(path, ("image_id", column)), start=2):
        image_id = name_of(row["image_id"])
        if image_id in rows:
            raise DataError("duplicate_id", f"{path.name} row {number}: {image_id} occurs twice.")
        if not row[column]:
            raise DataError("broken_row", f"{path.name} row {number}: {column} is empty.")
        rows[image_id] = row
    return rows
