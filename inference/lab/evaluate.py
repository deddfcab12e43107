"""Figures of a loaded model on a stored part of the data, each with its interval, ready to be written into the card."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.errors import DataError
from inference.imaging.prepare import common_square
from inference.lab import metrics
from inference.lab.data import Film, load_films, read_grey, select
from inference.lab.metrics import group_resamples, share, with_interval
from inference.lab.synthetic import KINDS, synthetic_squares
from inference.lab.tasks import FILMS_FOLDER, GATE_FOLDER, load_not_bone
from inference.predictor import Predictor

Figure = dict[str, Any]
SYNTHETIC_TEST_SEED = 2026
SYNTHETIC_TEST_COUNT = 120


def classify_films(predictor: Predictor, films: list[Film]) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (N, 3) and called outcomes (N,) as indices into OUTCOMES, with the gate off."""
    probabilities, called = [], []
    for film in films:
        shares, outcome = predictor.classify(read_grey(film.path))
        probabilities.append([shares[name] for name in OUTCOMES])
        called.append(OUTCOMES.index(outcome))
    return np.array(probabilities), np.array(called)


def figures_of(labels: np.ndarray, groups: np.ndarray, p: np.ndarray, called: np.ndarray) -> Figure:
    """Return every figure of one set of films; labels and calls are indices into OUTCOMES, p is (N, 3)."""
    drawn = group_resamples(groups, labels, metrics.RESAMPLES, seed=7)
    count = len(labels)

    def among(hits: np.ndarray, cases: np.ndarray) -> Figure:
        return with_interval(lambda i: share(hits[i], cases[i]), count, drawn, n=int(cases.sum()))

    def figure(of: Any) -> Figure:
        return with_interval(of, count, drawn)

    everyone = np.ones(count, dtype=bool)
    recalls = [labels == k for k in range(len(OUTCOMES))]
    return {
        "macro_auroc": figure(lambda i: metrics.macro_auroc(labels[i], p[i])),
        "malignant_auroc": figure(lambda i: metrics.auroc(labels[i] == 2, p[i, 2])),
        "tumour_auroc": figure(lambda i: metrics.auroc(labels[i] > 0, 1 - p[i, 0])),
        "malignant_sensitivity": among(called == 2, labels == 2),
        "malignant_specificity": among(called != 2, labels != 2),
        "cancers_called_normal": among(called == 0, labels == 2),
        "normals_called_normal": among(called == 0, labels == 0),
        "accuracy": among(called == labels, everyone),
        "balanced_accuracy": figure(
            lambda i: float(np.mean([share(called[i] == k, r[i]) for k, r in enumerate(recalls)]))
        ),
        "ece": figure(lambda i: metrics.expected_calibration_error(labels[i], p[i])),
        "brier": figure(lambda i: metrics.brier(labels[i], p[i])),
        "per_class": {
            name: {
                "precision": among(labels == k, called == k),
                "recall": among(called == k, labels == k),
                "specificity": among(called != k, labels != k),
                "f1": figure(lambda i, k=k: _f1(labels[i] == k, called[i] == k)),
            }
            for k, name in enumerate(OUTCOMES)
        },
    }


def _f1(real: np.ndarray, called: np.ndarray) -> float:
    both = int((real & called).sum())
    either = int(real.sum() + called.sum())
    return 2 * both / either if either else float("nan")


def gate_figures(predictor: Predictor, root: Path, films: list[Film], kinds: tuple[str, ...]) -> Figure:
    """Return shares refused and accepted by the gate: test films, bone of another source, and every kind of not-bone.

    `kinds` are those that the gate never saw; of the other kinds only the images set aside for test count.
    """
    refused: dict[str, list[bool]] = defaultdict(list)
    for image in load_not_bone(root, kinds):
        if image.part == "test":
            refused[image.kind].append(not predictor.check(read_grey(image.path)).analysable)
    made = synthetic_squares(SYNTHETIC_TEST_COUNT, SYNTHETIC_TEST_SEED)
    for index, square in enumerate(made):
        refused[f"made_{KINDS[index % len(KINDS)]}"].append(not predictor.check(square).analysable)
    real = [hit for kind, hits in refused.items() if not kind.startswith("made_") for hit in hits]
    unseen = [hit for kind in kinds for hit in refused.get(kind, [])]
    elsewhere = sorted((root / GATE_FOLDER / "bone_other_source").glob("*.*"))
    bones = [not predictor.check(read_grey(film.path)).analysable for film in films]
    others = [not predictor.check(read_grey(path)).analysable for path in elsewhere]
    return {
        "not_bone_refused": metrics.wilson(sum(real), len(real)),
        "not_bone_of_unseen_kinds_refused": metrics.wilson(sum(unseen), len(unseen)),
        "bone_refused": metrics.wilson(sum(bones), len(bones)),
        "bone_of_another_source_refused": metrics.wilson(sum(others), len(others)),
        "refused_by_kind": {kind: metrics.wilson(sum(hits), len(hits)) for kind, hits in sorted(refused.items())},
    }


def false_alarms(predictor: Predictor, root: Path) -> Figure:
    """Return the share of tumour-free films of another source that were called tumour, and called malignant."""
    paths = sorted((root / GATE_FOLDER / "bone_other_source").glob("*.*"))
    called = [predictor.classify(read_grey(path))[1] for path in paths]
    return {
        "called_a_tumour": metrics.wilson(sum(name != "normal" for name in called), len(called)),
        "called_malignant": metrics.wilson(sum(name == "malignant" for name in called), len(called)),
    }


def original_against_copy(predictor: Predictor, root: Path) -> Figure:
    """Return how far P(malignant) of full-size originals lies from that of their 256 px copies."""
    folder = root / FILMS_FOLDER
    gaps = []
    for path in sorted((folder / "full_size").glob("*.jpeg")):
        copy = folder / "images" / f"{path.stem}.webp"
        full, _ = predictor.classify(read_grey(path))
        small, _ = predictor.classify(common_square(read_grey(copy)))
        gaps.append(abs(full["malignant"] - small["malignant"]))
    if not gaps:
        raise DataError("missing_file", "full_size/ holds no originals.")
    return {"median_gap": round(float(np.median(gaps)), 4), "largest_gap": round(float(max(gaps)), 4), "n": len(gaps)}


def evaluate(predictor: Predictor, root: Path, part: str) -> Figure:
    """Return {part, groups, films, figures..., gate...} of the model on one part of the grouped protocol."""
    films = select(load_films(root / FILMS_FOLDER), (part,))
    labels = np.array([OUTCOMES.index(film.label) for film in films])
    groups = np.array([film.group_id for film in films])
    p, called = classify_films(predictor, films)
    kinds = tuple(predictor.card["gate"]["held_out_kinds"])
    figures = figures_of(labels, groups, p, called)
    figures["gate"] = gate_figures(predictor, root, films, kinds)
    figures["tumour_free_films_of_another_source"] = false_alarms(predictor, root)
    return {
        "part": part,
        "films": len(films),
        "groups": len(np.unique(groups)),
        "intervals": "95 %; films: bootstrap over groups within class, 2000 resamples; gate and other source: Wilson",
        "original_against_copy": original_against_copy(predictor, root),
        "figures": figures,
    }
