"""How a run travels, on films that chose nothing: at home, lying on its side, and on tumour-free films of elsewhere.

Cut-offs are fixed on the held-out fold of the run, without any film of another source; the part test is never read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.calibration import OUTCOMES
from inference.intervals import auroc_interval, macro_auroc_interval, share_interval
from inference.lab.evaluation.cases import Cases
from inference.lab.metrics.resampling import rounded
from inference.lab.training.fitting import specificity_cut_off
from inference.lab.transfer.journeys import LEFT_OUT, Journey, Stay
from inference.lab.transfer.source_probe import probe_figures

Figures = dict[str, Any]
NORMALS_KEPT = 0.85
SPECIFICITY = 0.95
_FEWEST_OF_A_KIND = 20
QUARTER_TURNS = {"90": 1, "180": 2, "270": 3}
RULE = (
    f"tumour where P(tumour) exceeds what {NORMALS_KEPT:.2f} of the held-out normal films stay below; malignant where, "
    f"besides, P(malignant) exceeds what {SPECIFICITY:.2f} of the held-out films that are not malignant stay below"
)


class CutOffs:
    """The rule of a measurement: outcome of class probabilities (N, 3) by two cut-offs."""

    def __init__(self, p: np.ndarray, labels: np.ndarray) -> None:
        self.tumour = float(np.quantile(1 - p[labels == 0, 0], NORMALS_KEPT))
        self.malignant = specificity_cut_off(p[:, 2], labels, SPECIFICITY)

    def called(self, p: np.ndarray) -> np.ndarray:
        """Return outcomes int (N,): malignant only where a tumour is called."""
        tumour = 1 - p[:, 0] > self.tumour
        return np.where(tumour & (p[:, 2] >= self.malignant), 2, tumour.astype(int))


_RANKED = ("macro_auroc", "malignant_auroc", "tumour_auroc")


def measure_travel(found: Journey, four_turns: bool = False) -> Figures:
    """Return the figures of a run, or of several joined, at home and away.

    `four_turns`: every film is judged by the mean of its four sides, as the family does from 3.0.0 on; else by how it
    lies.
    """
    home, labels, groups = found.home, found.home.labels, found.home.groups
    p = home.probabilities(None if four_turns else 0)
    cuts = CutOffs(p, labels)
    figures: Figures = {
        "rule": RULE,
        "seen": "the mean of four sides" if four_turns else "as it lies",
        "cut_offs": {"tumour": round(cuts.tumour, 5), "malignant": round(cuts.malignant, 5)},
        "home": _home(p, labels, groups, cuts),
        "turned": {
            name: _turned(home.probabilities(None if four_turns else side), p, labels, groups, cuts)
            for name, side in QUARTER_TURNS.items()
        },
        "sources": {
            name: {"part": stay.part, **_alarms(stay.probabilities(None if four_turns else 0), stay, cuts)}
            for name, stay in found.away.items()
        },
    }
    figures["worst_left_out"] = _worst(figures["sources"])
    features = {"home": home.features[labels == 0] if home.features is not None else None}
    features |= {name: stay.features for name, stay in found.away.items()}
    known = {name: values for name, values in features.items() if values is not None}
    if len(known) > 1:
        figures["source_probe"] = probe_figures(known)
    return figures


def _ranking(p: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Figures:
    return {
        "macro_auroc": _figure(macro_auroc_interval(labels, p, groups)),
        "malignant_auroc": _figure(auroc_interval(labels == 2, p[:, 2], groups)),
        "tumour_auroc": _figure(auroc_interval(labels > 0, 1 - p[:, 0], groups)),
    }


def _figure(values: tuple[float, float, float]) -> Figures:
    return dict(zip(("estimate", "low", "high"), map(rounded, values), strict=True))


def _shares(called: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Figures:
    def share(hits: np.ndarray, among: np.ndarray) -> Figures:
        return {**_figure(share_interval(hits[among], groups[among])), "n": int(among.sum())}

    return {
        "malignant_sensitivity": share(called == 2, labels == 2),
        "malignant_specificity": share(called != 2, labels != 2),
        "tumour_sensitivity": share(called > 0, labels > 0),
        "normals_called_normal": share(called == 0, labels == 0),
        "cancers_called_normal": share(called == 0, labels == 2),
    }


def _home(p: np.ndarray, labels: np.ndarray, groups: np.ndarray, cuts: CutOffs) -> Figures:
    called, cases = cuts.called(p), Cases.of(groups, labels)
    malignant, tumour = cases.highest(p[:, 2]), cases.highest(1 - p[:, 0])
    return {
        "films": len(labels),
        "patients_by_class": {name: int((cases.labels == k).sum()) for k, name in enumerate(OUTCOMES)},
        "films_by_class": {name: int((labels == k).sum()) for k, name in enumerate(OUTCOMES)},
        **_ranking(p, labels, groups),
        **_shares(called, labels, groups),
        "per_patient": {
            "malignant_auroc": _figure(auroc_interval(cases.labels == 2, malignant, cases.names)),
            "tumour_auroc": _figure(auroc_interval(cases.labels > 0, tumour, cases.names)),
            **_shares(cases.gravest(called), cases.labels, cases.names),
        },
    }


def _turned(p: np.ndarray, upright: np.ndarray, labels: np.ndarray, groups: np.ndarray, cuts: CutOffs) -> Figures:
    called, before = cuts.called(p), cuts.called(upright)
    lost = (called == 0) & (before > 0) & (labels == 2)
    return {
        **_ranking(p, labels, groups),
        **_shares(called, labels, groups),
        "outcome_changes": _figure(share_interval(called != before, groups)),
        "cancers_that_become_normal": int(lost.sum()),
    }


def _alarms(p: np.ndarray, stay: Stay, cuts: CutOffs) -> Figures:
    called, groups = cuts.called(p), stay.groups
    found = {
        "films": len(called),
        "called_a_tumour": _figure(share_interval(called > 0, groups)),
        "called_malignant": _figure(share_interval(called == 2, groups)),
    }
    kinds = np.array([film.attributes.get("kind", "") for film in stay.films])
    by_kind = {
        kind: {**_figure(share_interval(called[inside] > 0, groups[inside])), "n": int(inside.sum())}
        for kind in sorted(set(kinds.tolist()) - {""})
        if (inside := kinds == kind).sum() >= _FEWEST_OF_A_KIND
    }
    return found | ({"called_a_tumour_by_kind": by_kind} if len(by_kind) > 1 else {})


def _worst(sources: Figures) -> Figures | None:
    """The left-out source with the most false alarms: one number beside all means."""
    away = {name: row["called_a_tumour"]["estimate"] for name, row in sources.items() if row["part"] == LEFT_OUT}
    if not away:
        return None
    name = max(away, key=lambda one: away[one])
    return {
        "source": name,
        "called_a_tumour": away[name],
        "called_malignant": sources[name]["called_malignant"]["estimate"],
    }


def travel_summary(measured: Figures) -> str:
    """Return the figures that decide, one a line."""
    home, turned, worst = measured["home"], measured["turned"], measured["worst_left_out"]
    lines = [f"{name}: {home[name]['estimate']} ({home[name]['low']} to {home[name]['high']})" for name in _RANKED]
    lines += [f"cancers called normal: {home['cancers_called_normal']['estimate']}"]
    lines += [f"lying at {name}: macro_auroc {row['macro_auroc']['estimate']}" for name, row in turned.items()]
    lines += [
        f"{name} ({row['part']}): called a tumour {row['called_a_tumour']['estimate']}, "
        f"malignant {row['called_malignant']['estimate']}"
        for name, row in measured["sources"].items()
    ]
    return "\n".join([*lines, f"worst source left out: {worst['source'] if worst else 'none'}"])
