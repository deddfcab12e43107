"""What is chosen on validation or out of fold: calibration, operating points, cut-offs, the outline's threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inference.calibration import Calibration, OperatingPoint, class_probabilities, fit_calibration, youden_threshold
from inference.lab.metrics.scores import group_resamples

SENSITIVITY_BOUND = 0.90
# Above the .80 that the outcome rule must keep, because another sample of films will be harder.
NORMALS_KEPT = 0.85
# Fewer tumour-free films of a place say too little to move a cut-off.
FEWEST_AWAY = 50
_RESAMPLES = 1000


@dataclass(frozen=True)
class Steps:
    """Calibration of the two steps of the outcome: tumour or none, malignant among tumours."""

    tumour: Calibration
    malignant: Calibration

    def tumour_probability(self, logits: np.ndarray) -> np.ndarray:
        """Return P(tumour) (...) of logits (..., 2)."""
        return self.tumour.probability(logits[..., 0])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return class probabilities (..., 3) of logits (..., 2)."""
        return class_probabilities(self.tumour_probability(logits), self.malignant.probability(logits[..., 1]))

    def as_dict(self) -> dict[str, dict[str, float]]:
        return {
            name: {"scale": round(step.scale, 6), "bias": round(step.bias, 6)}
            for name, step in (("tumour", self.tumour), ("malignant", self.malignant))
        }


def fit_steps(logits: np.ndarray, labels: np.ndarray) -> Steps:
    """Fit Platt's scaling to both logits (N, 2); the second is fitted among tumours only."""
    tumours = labels > 0
    return Steps(
        fit_calibration(logits[:, 0].astype(float), tumours.astype(float)),
        fit_calibration(logits[tumours, 1].astype(float), (labels[tumours] == 2).astype(float)),
    )


def specificity_cut_off(malignant: np.ndarray, labels: np.ndarray, wanted: float) -> float:
    """Return the lowest cut-off on P(malignant) (N,) at which `wanted` of what is not malignant stays below it."""
    others = np.sort(malignant[labels != 2])
    place = min(len(others) - 1, int(np.ceil(wanted * len(others))) - 1)
    above = malignant[malignant > others[place]]
    return float((others[place] + above.min()) / 2) if len(above) else float(others[place]) + 1e-6


def rule_out_cut_off(malignant: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Return the highest cut-off whose sensitivity has a 95 % lower bound (groups resampled) of SENSITIVITY_BOUND.

    The lowest score of a malignant film where no cut-off reaches that.
    """
    positive = labels == 2
    drawn = group_resamples(groups[positive], labels[positive], _RESAMPLES, seed=11)
    scores = malignant[positive]
    candidates = np.unique(scores)[::-1]
    for cut_off in candidates:
        reached = scores >= cut_off
        if np.percentile([reached[chosen].mean() for chosen in drawn], 2.5) >= SENSITIVITY_BOUND:
            return float(cut_off)
    return float(candidates[-1])


def tumour_cut_off(tumour: np.ndarray, malignant: np.ndarray, labels: np.ndarray, cut_off: float) -> float:
    """Return the lowest cut-off on P(tumour) at which NORMALS_KEPT of normal films are called normal.

    Films above the malignant `cut_off` are not called normal whatever this one is.
    """
    normal = labels == 0
    spared = normal & (malignant < cut_off)
    share = min(1.0, NORMALS_KEPT * normal.sum() / max(1, spared.sum()))
    return float(np.quantile(tumour[spared], share)) if spared.any() else 1.0


def travelling_cut_off(tumour: np.ndarray, labels: np.ndarray, away: dict[str, np.ndarray]) -> tuple[float, str]:
    """Return the lowest cut-off on P(tumour) that keeps NORMALS_KEPT of every place's normal films, and who set it.

    tumour and labels (N,) are of home; `away` holds P(tumour) of the tumour-free films of each place that the network
    in question never saw. A place with fewer than FEWEST_AWAY films sets nothing.
    """
    kept = {"home": float(np.quantile(tumour[labels == 0], NORMALS_KEPT))}
    kept |= {place: float(np.quantile(p, NORMALS_KEPT)) for place, p in away.items() if len(p) >= FEWEST_AWAY}
    place = max(kept, key=lambda name: kept[name])
    return kept[place], place


def choose_points(
    tumour: np.ndarray,
    shares: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    chosen_on: str,
    away: dict[str, np.ndarray] | None = None,
) -> dict[str, OperatingPoint]:
    """Return the operating points *balanced* and *rule_out*; tumour (N,), shares (N, 3).

    With `away` (P(tumour) by place) the points ask for the tumour first, and the tumour's cut-off holds at every place.
    """
    malignant = shares[:, 2]
    cuts = {
        "balanced": youden_threshold(malignant, labels == 2),
        "rule_out": rule_out_cut_off(malignant, labels, groups),
    }
    why = {
        "balanced": "largest malignant sensitivity + specificity",
        "rule_out": f"malignant sensitivity whose 95 % lower bound reaches {SENSITIVITY_BOUND:.2f}",
    }
    # One second step for both: with a low first cut-off, many normal films are called malignant, and a second cut-off
    # that made up for them would call every tumour normal.
    if away is None:
        second, kept = tumour_cut_off(tumour, malignant, labels, cuts["balanced"]), "of normal films normal"
    else:
        second, place = travelling_cut_off(tumour, labels, away)
        kept = f"of the normal films of every place normal, set by {place}"
    points = {}
    for name, cut in cuts.items():
        text = f"{chosen_on}: {why[name]}; the balanced point calls {NORMALS_KEPT:.2f} {kept}"
        # The rule-out cut-off is the score of a malignant film: rounded up, it would lose that film.
        first = math.floor(cut * 1e5) / 1e5 if name == "rule_out" else round(cut, 5)
        points[name] = OperatingPoint(name, first, round(second, 5), text, tumour_first=away is not None)
    return points


def called(point: OperatingPoint, tumour: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the outcome rule's call, int (N,) into OUTCOMES, for P(tumour) (N,) and class probabilities (N, 3)."""
    found = tumour >= point.tumour
    malignant = (shares[:, 2] >= point.malignant) & (found | (not point.tumour_first))
    return np.where(malignant, 2, found.astype(int))


def mask_cut_off(cells: np.ndarray, truth: np.ndarray) -> float:
    """Return the cell probability with the best mean Dice; cells and truth (N, h, w) of tumour films."""
    best, kept = -1.0, 0.5
    for cut_off in np.linspace(0.1, 0.8, 15):
        marked = cells >= cut_off
        both = 2 * (marked & truth).sum(axis=(1, 2))
        dice = float(np.mean(both / np.maximum(1, marked.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)))))
        if dice > best:
            best, kept = dice, float(cut_off)
    return round(kept, 3)
