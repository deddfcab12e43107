"""`python -m inference accept`: a site's films before an installed model, without the portal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.acceptance.figures import acceptance_of
from inference.acceptance.films import FilmAnswer, answer_film
from inference.acceptance.labels import LabelledFile, name_key, read_labels, require_enough
from inference.acceptance.rule import rule_of
from inference.acceptance.training_films import TrainingFilms
from inference.calibration import OperatingPoint
from inference.card import installed, key_of, load_card
from inference.errors import DataError, DecodeError
from inference.imaging.decode import decode_bytes

if TYPE_CHECKING:
    from inference.predictor import Predictor

WORDS = {
    "met": "The rule is met: the model can be accepted here.",
    "undecided": "Not decided: the figures keep the rule, but too few films say so. Add films.",
    "not_met": "The rule is not met: do not accept the model here.",
}


def add_accept(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser of `python -m inference`."""
    accept = commands.add_parser("accept", help="judge a model on labelled films of a site by the rule in its card")
    accept.add_argument("--images", type=Path, required=True, help="folder of films, with its sub-folders")
    accept.add_argument("--labels", type=Path, required=True, help="CSV with file, label and, perhaps, patient")
    accept.add_argument("--model", help="<name>-<version> or a folder (default: the shipped model)")
    accept.add_argument("--operating-point", default="balanced", help="an operating point of the model's card")
    accept.add_argument("--json", type=Path, help="where all figures go")
    accept.set_defaults(run=_accept)


def _accept(options: argparse.Namespace) -> int:
    from inference.predictor import Predictor  # loads torch

    folder = _folder(options.model)
    card = load_card(folder)
    rule = rule_of(card)
    rows = read_labels(_read(options.labels))
    require_enough((row.label for row in rows), rule)
    files = files_by_name(options.images)
    lacking = [row.line for row in rows if row.name not in files]
    if lacking:
        raise DataError(
            "films_missing",
            f"{len(lacking)} of {len(rows)} rows have no film in the folder, the first is line {lacking[0]}.",
        )
    model = Predictor.load(folder)
    name = options.operating_point.replace("-", "_")
    if name not in model.points:
        raise DataError("no_point", f"The model has no operating point {name}: it has {', '.join(model.points)}.")
    point = model.point(name)
    if not isinstance(point, OperatingPoint):
        raise DataError("other_task", "Acceptance counts tumours: this model is of another task.")
    films, unreadable = _answers(model, rows, files, name)
    found = acceptance_of(card, point, films, unreadable)
    told = {"command": "python -m inference accept --images DIR --labels CSV", "model": key_of(card), **found}
    if options.json:
        options.json.write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for line in printed(told):
        print(line)
    return 0 if found["at_card"]["verdict"] == "met" else 1


def _folder(named: str | None) -> Path | None:
    if named is None:
        return None
    folder = installed().get(named) or Path(named)
    if not (folder / "card.json").is_file():
        raise DataError("no_model", f"This model is not installed. Installed are: {', '.join(sorted(installed()))}.")
    return folder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError("bad_labels", f"The label file cannot be read: {error.strerror}.") from error


def files_by_name(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by the name that tables call them; DataError where two have the same."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() != ".csv"):
        key = name_key(path.name)
        if key in found:
            raise DataError("same_name", f"Two files of the folder have the name {key}: labels cannot tell them apart.")
        found[key] = path
    return found


def _answers(
    model: Predictor, rows: Iterable[LabelledFile], files: dict[str, Path], point: str
) -> tuple[list[FilmAnswer], int]:
    """Return the answers to the films that can be read, and how many cannot."""
    trained, found, unreadable = TrainingFilms.of_card(model.card), [], 0
    for row in rows:
        try:
            grey = decode_bytes(files[row.name].read_bytes()).grey
        except (OSError, DecodeError) as error:
            print(f"line {row.line}: {error}", file=sys.stderr)
            unreadable += 1
            continue
        said = answer_film(model, grey, label=row.label, patient=row.patient, operating_point=point, trained=trained)
        found.append(said)
    return found, unreadable


def printed(told: dict[str, Any]) -> list[str]:
    """Return what the command prints: one line for each figure, then verdicts, cut-offs and shift."""
    films, card = told["films"], told["card"]
    lines = [f"{told['model']}: {films['n']} films of {films['patients']} patients {films['by_label']}"]
    for name, figure in told["at_card"]["figures"].items():
        stated, verdict = card.get(name), told["at_card"]["by_figure"].get(name)
        parts = [f"{name}: {_written(figure)}", f"n {figure['n']}" if figure else "", verdict or ""]
        parts.insert(2, f"card {_written(stated)}" if stated else "")
        lines.append(", ".join(part for part in parts if part))
    for line in told["shift"]:
        lines.append(
            f"shift of {line['name']}: adjusted p {line['adjusted_p']}{', SHIFTED' if line['shifted'] else ''}"
        )
    lines += [f"warning: {code}" for code in told["warnings"]]
    for title, part in (("cut-offs of the card", told["at_card"]), ("local cut-offs", told["at_local"])):
        if part:
            cuts = part["cut_offs"]
            lines.append(f"{title}: tumour {cuts['tumour']}, malignant {cuts['malignant']}. {WORDS[part['verdict']]}")
    return lines


def _written(figure: dict[str, float] | None) -> str:
    return "no such film" if figure is None else f"{figure['estimate']} ({figure['low']} to {figure['high']})"
