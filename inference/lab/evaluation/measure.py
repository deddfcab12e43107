"""From films and a subject to Outputs, and from Outputs to the JSON that every table and page is built from."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.evaluation.figures import figures
from inference.lab.evaluation.subjects import Subject
from inference.lab.metrics.perturb import PERTURBATIONS, perturbed
from inference.lab.training.outputs import Outputs
from inference.lab.training.progress import say


def measure(subject: Subject, films: list[LabelledFilm], *, flips: bool = True, explain: bool = True) -> Outputs:
    """Ask the subject about every film with the gate off; `flips` adds the perturbed films, `explain` the saliency."""
    squares = read_squares([film.path for film in films])
    say(f"{len(films)} films")
    answers = subject.answer(squares)
    changed = {}
    for name in PERTURBATIONS if flips else ():
        say(f"perturbation {name}")
        changed[name] = subject.answer(perturbed(squares, name)).called
    saliency = random = None
    if explain:
        say("saliency")
        saliency = subject.saliency(squares, answers.called)
        random = subject.saliency(squares, answers.called, random=True) if saliency is not None else None
    return Outputs(
        image_ids=[film.image_id for film in films],
        probabilities=answers.probabilities,
        called=answers.called,
        withheld=answers.withheld,
        reasons=answers.reasons,
        refused=subject.refused(squares),
        prediction_sets=answers.prediction_sets,
        masks=answers.masks,
        saliency=saliency,
        saliency_random=random,
        perturbed=changed,
        subtypes=answers.subtypes,
        ms_per_image=answers.ms_per_image,
    )


def report(films: list[LabelledFilm], outputs: Outputs, subject: Subject, about: dict[str, Any]) -> dict[str, Any]:
    """Return the measurement: figures with the gate off, then with it on, then what was measured and how."""
    measured: dict[str, Any] = dict(figures(films, outputs, subject.thresholds))
    if outputs.refused is not None:
        passes = np.flatnonzero(~outputs.refused)
        passed_films, passed = [films[place] for place in passes], outputs.take(passes)
        if len(passed_films) == len(films):
            measured["with_gate"] = {"refused": 0, "figures": "as above: the gate let every film pass"}
        elif passed_films:
            inner = dict(figures(passed_films, passed, subject.thresholds))
            measured["with_gate"] = {"refused": len(films) - len(passed_films), **inner}
    return {**measured, **about}
