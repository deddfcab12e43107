"""Measures an installed model, or a training run, and refuses what would only look like a measurement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES, sigmoid
from inference.card import SHIPPED, installed, key_of, load_card, operating_points
from inference.errors import DataError
from inference.imaging.canonical import canonical_sha256
from inference.lab.cards.build import HASH_CHARACTERS
from inference.lab.data.appearance import described
from inference.lab.data.examples import SUBTYPES
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.data.leakage import condemned
from inference.lab.data.protocols import Split
from inference.lab.evaluation.measure import measure, report
from inference.lab.evaluation.subjects import InstalledModel, TrainedRun, common_cells
from inference.lab.reports.measurement import report_html
from inference.lab.training.fitting import choose_points, fit_steps, mask_cut_off, specificity_cut_off
from inference.lab.training.oof import coarse_masks
from inference.lab.training.outputs import Outputs, Thresholds
from inference.lab.training.progress import say
from inference.lab.training.rows import load_probe
from inference.lab.training.runs import Run

RESEARCH = "Research device: no trial has validated it. Figures hold for films like these and for these weights."
UNKNOWN_TRAINING = "The model's card lists no training images: whether it was trained on these films cannot be checked."


def model_folder(name: str | None) -> Path:
    """Return the folder of an installed model by key, by a path, or the shipped one; DataError where there is none."""
    if not name:
        return SHIPPED
    found = installed().get(name) or Path(name)
    if not (found / "card.json").is_file():
        known = ", ".join(sorted(installed()))
        raise DataError("no_model", f"There is no model {name}. Installed are: {known}.")
    return found


def known_point(folder: Path, name: str) -> str:
    """Return the name of an operating point as the card spells it; DataError where the model has no such point."""
    names = operating_points(load_card(folder))
    wanted = name.replace("-", "_")
    if wanted not in names:
        raise DataError("no_point", f"{folder.name} has no operating point {name}: name one of {', '.join(names)}.")
    return wanted


def seen_in_training(card: dict[str, Any], films: Sequence[LabelledFilm]) -> list[str]:
    """Return the ids of films whose pixels stand in the card's list of training images."""
    trained = set(card.get("training_images", ()))
    if not trained:
        return []
    return [
        film.image_id for film in films if canonical_sha256(read_squares([film.path])[0])[:HASH_CHARACTERS] in trained
    ]


def refuse_training_images(folder: Path, films: Sequence[LabelledFilm], allowed: bool) -> bool:
    """Return whether figures on these films would be leaking; DataError unless that is allowed."""
    card = load_card(folder)
    if not card.get("training_images"):
        say(UNKNOWN_TRAINING)
    seen = seen_in_training(card, films)
    if seen and not allowed:
        raise DataError(
            "trained_on",
            f"labels.csv: {len(seen)} of {len(films)} films are training images of {key_of(card)}, the first is "
            f"{seen[0]}. Measure on films that it has not seen, or say --allow-leaking and have LEAKING stamped.",
        )
    return bool(seen)


def evaluate_model(
    folder: Path,
    films: list[LabelledFilm],
    point: str,
    workers: int,
    *,
    leaking: bool,
    flips: bool,
    about: dict[str, Any],
) -> tuple[dict[str, Any], Outputs]:
    """Measure an installed model on films; returns the JSON and the raw answers."""
    model = InstalledModel(folder, point, workers)
    films = described(films)
    outputs = measure(model, films, flips=flips)
    identity = model.predictor.identity
    listed = bool(model.predictor.card.get("training_images"))
    facts = {
        "leaking": leaking,
        "training_list": listed,
        "model": {"name": identity.name, "version": identity.version, "sha256": identity.sha256},
        "operating_point": model.predictor.point(point).as_dict(),
        "statement": RESEARCH if listed else f"{RESEARCH} {UNKNOWN_TRAINING}",
        **about,
    }
    return report(films, outputs, model, facts), outputs


def fit_subject(run: Run, split: Split, experiments: Path) -> TrainedRun:
    """Return a run with calibration and cut-offs fitted on its validation part."""
    probe, network = load_probe(run, experiments)
    say(f"fitting on {len(split.validation)} validation films")
    found = probe(read_squares([film.path for film in split.validation]))
    labels = np.array([OUTCOMES.index(film.label) for film in split.validation])
    groups = np.array([film.group_id for film in split.validation])
    steps = fit_steps(found.logits, labels)
    tumour, shares = steps.tumour_probability(found.logits), steps.probabilities(found.logits)
    point = choose_points(tumour, shares, labels, groups, f"validation of {split.name}")["balanced"]
    aimed = [round(specificity_cut_off(shares[:, 2], labels, wanted), 5) for wanted in (0.90, 0.95)]
    mask = 0.5
    if found.cells is not None:
        shown = [film for film in split.validation if film.label != "normal"]
        mask = mask_cut_off(common_cells(sigmoid(found.cells))[labels > 0], coarse_masks(shown))
    names = SUBTYPES if found.subtypes is not None else ()
    thresholds = Thresholds(point.malignant, point.tumour, aimed[0], aimed[1], mask, names)
    return TrainedRun(probe, steps, point, thresholds, network)


def evaluate_run(
    run: Run, split: Split, experiments: Path, *, allow_leaking: bool, flips: bool
) -> tuple[dict[str, Any], Outputs]:
    """Measure a training run on the test list of its protocol.

    Raises:
        DataError: the lists leak into each other and nobody said that this is known.
    """
    say("looking for leaks between training and test")
    verdict = condemned([*split.train, *split.validation], split.test)
    if verdict.condemns and not allow_leaking:
        raise DataError(
            "leaking_split", f"{verdict.sentence()} Say --allow-leaking to measure all the same, with LEAKING stamped."
        )
    subject = fit_subject(run, split, experiments)
    films = described(split.test)
    outputs = measure(subject, films, flips=flips)
    facts = run.facts
    about = {
        "leaking": verdict.condemns,
        "leakage": verdict.as_dict(),
        "row": facts["experiment"],
        "title": facts["title"],
        "protocol": facts["protocol"],
        "split_sha256": split.sha256,
        "recipe_sha256": facts["recipe_sha256"],
        "parameters": facts["parameters"],
        "training_minutes": facts["minutes"],
        **({"training_minutes_below": facts["minutes_below"]} if "minutes_below" in facts else {}),
        "epochs": facts.get("epochs"),
        "command": facts["command"],
        "statement": RESEARCH,
    }
    return report(films, outputs, subject, about), outputs


def write_measurement(measured: dict[str, Any], out: Path, page: Path | None = None, *, whole: bool = True) -> None:
    """Write the JSON, counting how often this file has been measured, and the HTML report if one is asked for.

    Without `whole` only a section was measured: the count of whole measurements stays.
    """
    before = 0
    if out.is_file():
        try:
            before = int(json.loads(out.read_text(encoding="utf-8")).get("times_measured", 1))
        except (ValueError, AttributeError):
            before = 0
    stored = {**measured, "times_measured": before + whole}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(stored, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if page is not None:
        keys = ("model", "row", "protocol", "leaking", "statement", "command")
        facts: dict[str, Any] = {key: measured[key] for key in keys if key in measured}
        title = str(measured["title"] if "title" in measured else key_of(measured["model"]))
        page.write_text(report_html(title, facts, measured), encoding="utf-8")
