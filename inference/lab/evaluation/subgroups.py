"""The same figures for parts of the films, by place, patient, lesion and look, where there are at least 20 films."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm
from inference.lab.metrics.resampling import Resampling
from inference.lab.training.outputs import Outputs

Figures = dict[str, Any]
FEWEST = 20
COLUMNS = (
    "centre", "source", "subtype", "site", "tumour_site", "limb", "view", "sex", "age_group", "orientation", "border",
)  # fmt: skip


def _mixed(drawn: Resampling, labels: np.ndarray, p: np.ndarray, called: np.ndarray) -> Figures:
    """Return the figures of a subgroup in which several classes occur, within that subgroup."""
    return {
        "macro_auroc": drawn.macro_auroc(labels, p),
        "malignant_auroc": drawn.auroc(labels == 2, p[:, 2]),
        "accuracy": drawn.share(called == labels),
        "malignant_sensitivity": drawn.share(called == 2, labels == 2),
        "malignant_specificity": drawn.share(called != 2, labels != 2),
        "cancers_called_normal": drawn.share(called == 0, labels == 2),
        "normals_called_normal": drawn.share(called == 0, labels == 0),
    }


def _single(drawn: Resampling, label: int, called: np.ndarray) -> Figures:
    """Return the figures of a subgroup of one class: no ranking within it is possible."""
    found = {"called_right": drawn.share(called == label), "called_malignant": drawn.share(called == 2)}
    if label:
        found["called_normal"] = drawn.share(called == 0)
    return found


def subgroup(drawn: Resampling, labels: np.ndarray, outputs: Outputs, inside: np.ndarray) -> Figures:
    """Return {films, groups, classes, figures...} of the films `inside` (bool (N,))."""
    chosen = np.flatnonzero(inside & np.isfinite(outputs.probabilities).all(axis=1))
    here, truth = drawn.take(chosen), labels[chosen]
    classes = [name for k, name in enumerate(OUTCOMES) if (truth == k).any()]
    facts: Figures = {"films": len(chosen), "groups": len(np.unique(here.groups)), "classes": classes}
    if len(classes) > 1:
        facts |= _mixed(here, truth, outputs.probabilities[chosen], outputs.called[chosen])
    elif classes:
        facts |= _single(here, OUTCOMES.index(classes[0]), outputs.called[chosen])
    if outputs.withheld is not None:
        facts["withheld"] = here.share(outputs.withheld[chosen].astype(bool))
    return facts


def subgroup_figures(
    drawn: Resampling, films: list[LabelledFilm], labels: np.ndarray, outputs: Outputs, sizes: dict[str, np.ndarray]
) -> Figures:
    """Return {column: {value: figures}}; `sizes` names bool (N,) masks of tumour films by lesion size.

    A value that only repeats a class (the subtype "normal") is left out.
    """
    found: Figures = {}
    for column in COLUMNS:
        values = np.array([(film.attributes.get(column) or "").strip() for film in films])
        rows = {value: values == value for value in sorted(set(values.tolist()) - {"", *OUTCOMES})}
        found[column] = {
            value: subgroup(drawn, labels, outputs, inside) for value, inside in rows.items() if inside.sum() >= FEWEST
        }
    found["size"] = {
        name: subgroup(drawn, labels, outputs, inside) for name, inside in sizes.items() if inside.sum() >= FEWEST
    }
    return {column: rows for column, rows in found.items() if rows}


def subtype_figures(
    drawn: Resampling, films: list[LabelledFilm], outputs: Outputs, names: tuple[str, ...], labels: np.ndarray
) -> Figures | None:
    """Return how often the true subtype is the first, or among the first three, of the ranking of tumour films.

    A row of zeros is no ranking, as where no tumour was called: such a film counts as missed, and `ranked` says how
    many there are.
    """
    if outputs.subtypes is None or not names:
        return None
    truth = np.array([(film.attributes.get("subtype") or "").strip() for film in films])
    known = np.isin(truth, names) & (labels > 0) & np.isfinite(outputs.subtypes).all(axis=1)
    place = np.array([names.index(name) if name in names else 0 for name in truth.tolist()])
    own = outputs.subtypes[np.arange(len(films)), place]
    better = (outputs.subtypes > own[:, None]).sum(axis=1)
    ranked = outputs.subtypes.sum(axis=1) > 0
    first, third = ranked & (better == 0), ranked & (better < 3)
    recalls = {name: drawn.share(first, known & (truth == name)) for name in names}
    return {
        "ranked": drawn.share(ranked, known),
        "first": drawn.share(first, known),
        "among_first_three": drawn.share(third, known),
        "first_where_ranked": drawn.share(first, known & ranked),
        "first_by_subtype": {name: found for name, found in recalls.items() if found["n"] >= FEWEST},
    }
