"""What a gate does with bone films of a source, and with images of a kind, that it never saw: each left out in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.families.gate.network import GateNet
from inference.imaging.blank import is_blank
from inference.intervals import auroc_interval, share_interval
from inference.lab.data.folder import (
    TEST_PARTS,
    TRAIN_PARTS,
    VALIDATION_PARTS,
    load_films,
    read_squares,
)
from inference.lab.data.protocols import FOLDS
from inference.lab.data.sources import SOURCES, load_source
from inference.lab.gate.fitting import Material
from inference.lab.gate.looks import BONE_INVERTED, features_of

TUMOUR_FILMS = "btxrd"
# Films with a fracture come from the hospitals of fracatlas: left out, they would still be known by the others.
BONE_SOURCES = (TUMOUR_FILMS, *(name for name in SOURCES if name != "fractures"))
# A varied copy of every second film that is fitted: as good as one of each, in half the time.
_VARIED_STEP = 2
Fit = Callable[[Material], GateNet]


@dataclass(frozen=True)
class Refusable:
    """The images that must be refused as they are: kind, features (N, D), and whether they count as blank."""

    kinds: np.ndarray
    features: Tensor
    blank: np.ndarray


@dataclass(frozen=True)
class SourceFilms:
    """Bone films of one source without part test: features (N, D), group and whether blank; `varied` (M, D) copies.

    `train` bool (N,) marks the films that are fitted, `limits` those that set the limits.
    """

    name: str
    features: Tensor
    varied: Tensor
    groups: np.ndarray
    train: np.ndarray
    limits: np.ndarray
    blank: np.ndarray

    @property
    def fitted(self) -> int:
        return int(self.train.sum())


def films_of_source(root: Path, name: str, net: GateNet) -> SourceFilms:
    """Read a source below the data folder and return the features of its films by the trunk of `net`.

    Films of a source without parts are dealt out to the folds by their position.
    """
    films = load_films(root / name) if name == TUMOUR_FILMS else load_source(root, name).films
    dealt = [(film, film.part or FOLDS[place % len(FOLDS)]) for place, film in enumerate(films)]
    kept = [(film, part) for film, part in dealt if part not in TEST_PARTS]
    parts = np.array([part for _, part in kept])
    squares = read_squares([film.path for film, _ in kept])
    train = np.isin(parts, TRAIN_PARTS)
    copies = squares[train][::_VARIED_STEP]
    return SourceFilms(
        name,
        features_of(net, squares),
        features_of(net, copies, 1, BONE_INVERTED),
        np.array([film.group_id for film, _ in kept]),
        train,
        np.isin(parts, VALIDATION_PARTS),
        np.array([is_blank(square) for square in squares]),
    )


def bone_of(films: list[SourceFilms]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the rows of all sources that are fitted, and the limit set of each source that has one."""
    fitted = [torch.cat([one.features[torch.from_numpy(one.train)], one.varied]) for one in films]
    limits = tuple(one.features[torch.from_numpy(one.limits)] for one in films if one.limits.any())
    return torch.cat(fitted), limits


def sources_of(films: list[SourceFilms]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the source of each row and of each limit set of `bone_of`."""
    names = [np.full(one.fitted + len(one.varied), one.name) for one in films]
    return np.concatenate(names), tuple(one.name for one in films if one.limits.any())


def leave_out_in_turn(films: list[SourceFilms], material: Material, images: Refusable, fit: Fit) -> dict[str, Any]:
    """Fit a gate without each kind, then one without each source, and measure each on what it never saw.

    Returns {"whole", "by_kind", "auroc_by_kind", "worst_kind", "by_source", "auroc_by_source", "worst_source"}. A kind
    is measured against the limit sets, which were not fitted; a source against all images that are no bone.
    """
    return {**_kinds_left_out(films, material, images, fit), **_sources_left_out(films, material, images, fit)}


def _kinds_left_out(films: list[SourceFilms], material: Material, images: Refusable, fit: Fit) -> dict[str, Any]:
    refused = np.zeros(len(images.kinds), dtype=bool)
    groups = np.concatenate([np.char.add(f"{one.name} ", one.groups[one.limits]) for one in films])
    areas = {}
    for kind in np.unique(images.kinds):
        own = images.kinds == kind
        net = fit(material.without(str(kind)))
        logits = net.judge(images.features[torch.from_numpy(own)]).numpy()
        refused[own] = (logits < 0) | images.blank[own]
        bone = np.concatenate([net.judge(rows).numpy() for rows in material.limit_sets])
        areas[str(kind)] = _area(logits, bone, groups)
    by_kind = {kind: _share_of(refused[images.kinds == kind]) for kind in areas}
    worst = min(by_kind, key=lambda kind: (by_kind[kind]["estimate"], kind))
    return {
        "whole": _share_of(refused),
        "by_kind": by_kind,
        "auroc_by_kind": areas,
        "worst_kind": {"kind": worst, **by_kind[worst], "auroc": areas[worst]["estimate"]},
        "mean_auroc_of_kinds": round(float(np.mean([area["estimate"] for area in areas.values()])), 4),
    }


def _sources_left_out(films: list[SourceFilms], material: Material, images: Refusable, fit: Fit) -> dict[str, Any]:
    shares, areas = {}, {}
    for one in films:
        net = fit(material.without_source(one.name))
        logits = net.judge(one.features).numpy()
        shares[one.name] = _share_of((logits < 0) | one.blank, one.groups)
        areas[one.name] = _area(net.judge(images.features).numpy(), logits, one.groups)
    worst = max(shares, key=lambda name: (shares[name]["estimate"], name))
    return {
        "by_source": shares,
        "auroc_by_source": areas,
        "worst_source": {"source": worst, **shares[worst], "auroc": areas[worst]["estimate"]},
    }


def _share_of(hits: np.ndarray, groups: np.ndarray | None = None) -> dict[str, Any]:
    """A share with its interval; images that form no groups are a group each."""
    estimate, low, high = share_interval(hits, np.arange(len(hits)) if groups is None else groups)
    return {"estimate": round(estimate, 4), "low": round(low, 4), "high": round(high, 4), "n": len(hits)}


def _area(others: np.ndarray, bone: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """How well the logit tells images that are no bone from bone films of these groups, with its interval."""
    targets = np.concatenate([np.ones(len(others), dtype=bool), np.zeros(len(bone), dtype=bool)])
    apart = np.array([f"image {place}" for place in range(len(others))])
    scores = -np.concatenate([others, bone])
    estimate, low, high = auroc_interval(targets, scores, np.concatenate([apart, groups.astype(str)]))
    return {"estimate": round(estimate, 4), "low": round(low, 4), "high": round(high, 4), "n": len(targets)}
