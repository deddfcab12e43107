"""What can be guessed without looking at bone: by what is known of the patient, by the film's frame, by its source.

A model that does no better than these has learnt how the films were collected. They are fitted and measured on the same
lists as the models: out of fold over all five folds, or on the test list of *centre*, which has films of another place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.appearance import age_group, frame_features
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.data.patients import known_of_patients
from inference.lab.data.protocols import FOLDS, load_split
from inference.lab.metrics.resampling import Resampling

Figures = dict[str, Any]
Features = Callable[[list[LabelledFilm]], np.ndarray]
_WORDS = {
    "sex": ("M", "F"),
    "limb": ("upper limb", "lower limb", "pelvis"),
    "view": ("frontal", "lateral", "oblique"),
    "centre": ("1", "2", "3"),
}
_AGE_GROUPS = ("under 20", "20 to 39", "40 to 59", "60 and over")


def _words(values: list[str], known: tuple[str, ...]) -> np.ndarray:
    return np.array([[float(value == name) for name in known] for value in values])


def _column(films: list[LabelledFilm], name: str) -> np.ndarray:
    return _words([film.attributes.get(name, "") for film in films], _WORDS[name])


def _known(films: list[LabelledFilm]) -> np.ndarray:
    """Age, sex, limb and view."""
    ages = [film.attributes.get("age", "") for film in films]
    groups = _words([age_group(age) for age in ages], _AGE_GROUPS)
    years = np.array([[float(age) if group.any() else 0.0] for age, group in zip(ages, groups, strict=True)])
    return np.concatenate([years, groups, *(_column(films, name) for name in ("sex", "limb", "view"))], axis=1)


def _frame(films: list[LabelledFilm]) -> np.ndarray:
    """Borders, strips, corners and overall grey; in parts, for thousands of squares need not lie in memory."""
    parts = [films[first : first + 200] for first in range(0, len(films), 200)]
    return np.stack([frame_features(square) for part in parts for square in read_squares([film.path for film in part])])


def _source(films: list[LabelledFilm]) -> np.ndarray:
    return _column(films, "centre")


BASELINES: dict[str, tuple[str, Features]] = {
    "known": ("age, sex, limb and view, no picture", _known),
    "frame": ("borders, frame and overall grey", _frame),
    "source": ("the centre alone", _source),
}


def guess(train: np.ndarray, labels: np.ndarray, films: np.ndarray) -> np.ndarray:
    """Return class probabilities (M, 3) of films (M, D) by a logistic regression on train (N, D), labels (N,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)).fit(train, labels)
    p = np.zeros((len(films), len(OUTCOMES)))
    p[:, model.classes_] = model.predict_proba(films)
    return p


def _labels(films: list[LabelledFilm]) -> np.ndarray:
    return np.array([OUTCOMES.index(film.label) for film in films])


def _with_known(folder: Path, films: list[LabelledFilm]) -> list[LabelledFilm]:
    known = known_of_patients(folder)
    for film in films:
        film.attributes.update(known[film.image_id])
    return films


def _folds(folder: Path, protocol: str) -> list[tuple[list[LabelledFilm], list[LabelledFilm]]]:
    """Return (fitted on, measured on) pairs: five of the folds, or centre 1 against centre 2."""
    if protocol == "centre":
        split = load_split(folder, protocol)
        return [(_with_known(folder, split.train + split.validation), _with_known(folder, split.test))]
    splits = [load_split(folder, protocol, fold) for fold in FOLDS]
    return [(_with_known(folder, split.train), _with_known(folder, split.validation)) for split in splits]


def measure_baselines(folder: Path, protocol: str) -> Figures:
    """Return {name: figures} of every baseline on a protocol, with intervals over its groups."""
    pairs = _folds(folder, protocol)
    measured = [film for _, films in pairs for film in films]
    labels = _labels(measured)
    drawn = Resampling.draw(np.array([film.group_id for film in measured]), labels, 200)
    found: Figures = {"protocol": protocol, "films": len(measured), "groups": len(np.unique(drawn.groups))}
    everyone = {film.image_id: film for pair in pairs for films in pair for film in films}
    for name, (told, features) in BASELINES.items():
        rows = dict(zip(everyone, features(list(everyone.values())), strict=True))

        def of(films: list[LabelledFilm], rows: dict[str, np.ndarray] = rows) -> np.ndarray:
            return np.stack([rows[film.image_id] for film in films])

        p = np.concatenate([guess(of(train), _labels(train), of(films)) for train, films in pairs])
        found[name] = {
            "reads": told,
            "macro_auroc": drawn.macro_auroc(labels, p),
            "malignant_auroc": drawn.auroc(labels == 2, p[:, 2]),
            "tumour_auroc": drawn.auroc(labels > 0, 1 - p[:, 0]),
            "malignant_among_tumours_auroc": _among_tumours(drawn, labels, p),
        }
    return found


def _among_tumours(drawn: Resampling, labels: np.ndarray, p: np.ndarray) -> Figures:
    tumours = np.flatnonzero(labels > 0)
    share = p[tumours, 2] / np.maximum(1e-9, p[tumours, 1] + p[tumours, 2])
    return drawn.take(tumours).auroc(labels[tumours] == 2, share)
