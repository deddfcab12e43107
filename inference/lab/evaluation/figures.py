"""Every figure of one approach on one list of films, each with its interval: what `evaluate` writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.errors import DataError
from inference.intervals import calibration_error, few_groups
from inference.lab.data.folder import LabelledFilm
from inference.lab.evaluation.cases import case_figures
from inference.lab.evaluation.curves import (
    calibration_curve,
    decision_curve,
    precision_recall_curve,
    risk_coverage_curve,
    roc_curve,
)
from inference.lab.evaluation.lesion_figures import outline_figures
from inference.lab.evaluation.lesions import read_truth
from inference.lab.evaluation.saliency import saliency_figures
from inference.lab.evaluation.subgroups import subgroup_figures, subtype_figures
from inference.lab.evaluation.withheld import conformal_figures, flip_figures, gate_figures, withheld_figures
from inference.lab.metrics.resampling import Resampling, average_precisions, divide, mean_of
from inference.lab.metrics.scores import RESAMPLES
from inference.lab.training.outputs import Outputs, Thresholds

Figures = dict[str, Any]
PREVALENCES = (0.1, 0.5)
INTERVALS = (
    "95 %, over groups: shares by Wilson's interval with the groups' design effect and the quantile of t, areas under "
    "the ROC curve by DeLong's variance over groups on the scale of the logit, the calibration error less what chance "
    "adds to it; other figures by bootstrap over groups within the class of their gravest film."
)


def labels_of(films: list[LabelledFilm]) -> np.ndarray:
    """Return the true classes int (N,) as indices into OUTCOMES."""
    return np.array([OUTCOMES.index(film.label) for film in films], dtype=int)


def check_order(films: list[LabelledFilm], outputs: Outputs) -> None:
    """Refuse outputs that belong to other films or stand in another order."""
    if [film.image_id for film in films] != list(outputs.image_ids):
        raise DataError("other_films", "The stored outputs belong to other films, or to these in another order.")


def _ranking(drawn: Resampling, labels: np.ndarray, p: np.ndarray) -> Figures:
    return {
        "macro_auroc": drawn.macro_auroc(labels, p),
        "malignant_auroc": drawn.auroc(labels == 2, p[:, 2]),
        "tumour_auroc": drawn.auroc(labels > 0, 1 - p[:, 0]),
    }


def _sizes(drawn: Resampling, labels: np.ndarray) -> Figures:
    by_class = {n: len(np.unique(drawn.groups[labels == k])) for k, n in enumerate(OUTCOMES)}
    warning = few_groups(by_class)
    return {
        **({"few_groups": warning} if warning else {}),
        "groups": len(np.unique(drawn.groups)),
        "films": len(labels),
        "groups_by_class": by_class,
        "films_by_class": {n: int((labels == k).sum()) for k, n in enumerate(OUTCOMES)},
        "intervals": INTERVALS,
        "resamples": len(drawn.weights) - 1,
    }


def _answers(drawn: Resampling, labels: np.ndarray, called: np.ndarray) -> Figures:
    recalls = [drawn.ratio((labels == k) & (called == k), labels == k) for k in range(len(OUTCOMES))]
    return {
        "malignant_sensitivity": drawn.share(called == 2, labels == 2),
        "malignant_specificity": drawn.share(called != 2, labels != 2),
        "cancers_called_normal": drawn.share(called == 0, labels == 2),
        "normals_called_normal": drawn.share(called == 0, labels == 0),
        "tumours_called_normal": drawn.share(called == 0, labels > 0),
        "accuracy": drawn.share(called == labels),
        "balanced_accuracy": drawn.figure(mean_of(recalls)),
    }


def _calibration(drawn: Resampling, labels: np.ndarray, p: np.ndarray) -> Figures:
    top, stated = p.argmax(axis=1), p.max(axis=1) if len(p) else np.zeros(0)
    distance = ((p - np.eye(len(OUTCOMES))[labels]) ** 2).sum(axis=1)
    return {
        "brier": drawn.mean(distance),
        "ece": calibration_figure(drawn, top == labels, stated),
        "calibration_curve": calibration_curve(drawn, top == labels, stated),
        "malignant_calibration_curve": calibration_curve(drawn, labels == 2, p[:, 2]),
    }


def calibration_figure(drawn: Resampling, right: np.ndarray, stated: np.ndarray) -> Figures:
    """The error less what chance adds; beside it the error as binned and that share of chance."""
    if not len(right):
        return {"estimate": None, "low": None, "high": None, "n": 0}
    return {**calibration_error(right, stated, drawn.groups).as_dict(), "n": len(right)}


def _one_class(drawn: Resampling, labels: np.ndarray, called: np.ndarray, k: int) -> Figures:
    real, said = labels == k, called == k
    sensitivity, specificity = drawn.ratio(real & said, real), drawn.ratio(~real & ~said, ~real)
    return {
        "accuracy": drawn.share(real == said),
        "balanced_accuracy": drawn.figure((sensitivity + specificity) / 2),
        "precision": drawn.share(real, said),
        "recall": drawn.share(said, real),
        "specificity": drawn.share(~said, ~real),
        "f1": drawn.figure(divide(2 * drawn.total(real & said), drawn.total(real) + drawn.total(said))),
    }


def _per_class(drawn: Resampling, labels: np.ndarray, outputs: Outputs, finite: np.ndarray) -> Figures:
    ranked, truth, p = drawn.take(finite), labels[finite], outputs.probabilities[finite]
    return {
        name: {
            **_one_class(drawn, labels, outputs.called, k),
            "auroc": ranked.auroc(truth == k, p[:, k]),
            "auprc": ranked.figure(average_precisions(ranked.weights, truth == k, p[:, k])),
        }
        for k, name in enumerate(OUTCOMES)
    }


def confusion(labels: np.ndarray, called: np.ndarray) -> Figures:
    """Return {classes, counts}: counts[true][called], both in the order of OUTCOMES."""
    counts = np.zeros((len(OUTCOMES), len(OUTCOMES)), dtype=int)
    np.add.at(counts, (labels, called), 1)
    return {"classes": list(OUTCOMES), "counts": counts.tolist()}


def sensitivities(drawn: Resampling, labels: np.ndarray, malignant: np.ndarray, thresholds: Thresholds) -> Figures:
    """Return sensitivity at the cut-offs that reached a specificity on validation, with the one reached here.

    Empty where no cut-off was chosen so.
    """
    found: Figures = {}
    for aimed, cut in ((0.9, thresholds.specificity_90), (0.95, thresholds.specificity_95)):
        if cut is None:
            continue
        above = malignant >= cut
        found[f"{aimed:.2f}"] = {
            "aimed": aimed,
            "threshold": cut,
            "sensitivity": drawn.share(above, labels == 2),
            "specificity": drawn.share(~above, labels != 2),
        }
    return found


def restated_precision(drawn: Resampling, labels: np.ndarray, called: np.ndarray) -> Figures:
    """Return the precision of the call `malignant` where another share of the films is malignant (Bayes)."""
    sensitivity = drawn.ratio((labels == 2) & (called == 2), labels == 2)
    alarms = drawn.ratio((labels != 2) & (called == 2), labels != 2)
    return {
        f"{share:.2f}": drawn.figure(divide(sensitivity * share, sensitivity * share + alarms * (1 - share)))
        for share in PREVALENCES
    }


def _curves(drawn: Resampling, labels: np.ndarray, outputs: Outputs, finite: np.ndarray) -> Figures:
    truth, p, here = labels[finite], outputs.probabilities[finite], drawn.take(finite)
    certainty = p.max(axis=1) if len(p) else np.zeros(0)
    return {
        "decision_curve": decision_curve(here, truth == 2, p[:, 2]),
        "risk_coverage_curve": risk_coverage_curve(here, truth, outputs.called[finite], certainty),
        "roc_curve": {"malignant": roc_curve(truth == 2, p[:, 2]), "tumour": roc_curve(truth > 0, 1 - p[:, 0])},
        "precision_recall_curve": {
            "malignant": precision_recall_curve(truth == 2, p[:, 2]),
            "tumour": precision_recall_curve(truth > 0, 1 - p[:, 0]),
        },
    }


def figures(films: list[LabelledFilm], outputs: Outputs, thresholds: Thresholds, resamples: int = RESAMPLES) -> Figures:
    """Return every figure that these outputs allow; a section whose input is missing is left out.

    Every figure is {estimate, low, high, n}, None where it is not defined; curves are lists of points. Films without
    finite probabilities count in what is called, not in what is ranked. Raises DataError for outputs of other films.
    """
    check_order(films, outputs)
    if not films:
        raise DataError("no_films", "There are no films to measure on.")
    labels = labels_of(films)
    drawn = Resampling.draw(np.array([film.group_id for film in films]), labels, resamples)
    finite = np.flatnonzero(np.isfinite(outputs.probabilities).all(axis=1))
    ranked, truth_ranked, p = drawn.take(finite), labels[finite], outputs.probabilities[finite]
    truth = read_truth(films)
    sections = {
        "sensitivity_at_specificity": sensitivities(ranked, truth_ranked, p[:, 2], thresholds) or None,
        "per_patient": case_figures(films, labels, outputs.probabilities, outputs.called),
        "withheld": withheld_figures(drawn, labels, outputs),
        "conformal": conformal_figures(drawn, films, labels, outputs),
        "outline": outline_figures(drawn, labels, outputs, thresholds, truth),
        "saliency": saliency_figures(drawn, labels, outputs, truth),
        "flips": flip_figures(drawn, labels, outputs),
        "subtypes": subtype_figures(drawn, films, outputs, thresholds.subtype_names, labels),
        "gate": gate_figures(drawn, labels, outputs),
    }
    found: Figures = {
        **_ranking(ranked, truth_ranked, p),
        **_sizes(drawn, labels),
        **_answers(drawn, labels, outputs.called),
        "precision_at_prevalence": restated_precision(drawn, labels, outputs.called),
        **_calibration(ranked, truth_ranked, p),
        "per_class": _per_class(drawn, labels, outputs, finite),
        "confusion_matrix": confusion(labels, outputs.called),
        **_curves(drawn, labels, outputs, finite),
        **{name: section for name, section in sections.items() if section is not None},
        "subgroups": subgroup_figures(drawn, films, labels, outputs, truth.sizes()),
        "thresholds": thresholds.as_dict(),
    }
    if len(finite) < len(films):
        found["films_without_probabilities"] = len(films) - len(finite)
    if outputs.ms_per_image is not None:
        found["ms_per_image"] = round(outputs.ms_per_image, 2)
    return found
