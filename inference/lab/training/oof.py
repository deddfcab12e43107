"""Out-of-fold material: each member answers only the fold that it never saw; all cut-offs of a card come from that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from inference.families.joint.model import image_of, look_at
from inference.families.joint.network import JointNet
from inference.lab.data.examples import SIDE, load_examples
from inference.lab.data.folder import LabelledFilm, read_masks, read_squares
from inference.lab.data.preparation import prepare
from inference.lab.data.protocols import load_split
from inference.lab.training.kept import Arrays, bound_to, kept_or_made
from inference.lab.training.progress import say
from inference.lab.training.runs import Run, load_network, recipe_of
from inference.lab.training.train import look
from inference.variants import QUARTER_TURNS, SMALL_CHANGES, TURNS, views_of_card

_CELLS = 64


@dataclass(frozen=True)
class OutOfFold:
    """N films of the held-out folds: logits (N, V, 2) by variant, cells (N, 64, 64), subtypes (N, S), labels and groups
    (N,), masks bool (N, 64, 64), and squares' grey mean and spread (N, 2)."""

    films: list[LabelledFilm]
    labels: np.ndarray
    groups: np.ndarray
    logits: np.ndarray
    cells: np.ndarray
    subtypes: np.ndarray
    masks: np.ndarray
    grey: np.ndarray


def load_member(run: Run, experiments: Path) -> JointNet:
    """Return the joint network of a run."""
    network, _ = load_network(run, experiments)
    assert isinstance(network, JointNet)
    return network


def _answers(member: JointNet, squares: np.ndarray, views: str, cache: Path, bound: Arrays) -> Arrays:
    """Look at squares (N, 256, 256) as the portal does; kept beside the run, for it takes minutes."""
    seen = views_of_card(views)

    def ask() -> Arrays:
        say(f"looking at {len(squares)} held-out films for {cache.parent.name}")
        looks = [look_at([member], image_of(square), seen) for square in squares]
        return {
            "logits": np.stack([one.logits[0] for one in looks]),
            "cells": np.stack([one.cells for one in looks]).astype(np.float32),
            "subtypes": np.stack([one.subtypes for one in looks]),
            "features": np.stack([one.features for one in looks]),
        }

    return kept_or_made(cache, bound, ask)


def coarse_masks(films: list[LabelledFilm]) -> np.ndarray:
    """Return bool (N, 64, 64): cells of which at least half are lesion, the largest cell where none is."""
    fine = torch.from_numpy(read_masks(films, SIDE)).unsqueeze(1).float()
    share = functional.adaptive_avg_pool2d(fine, (_CELLS, _CELLS))[:, 0].numpy()
    return (share >= 0.5) | ((share > 0) & (share >= share.max(axis=(1, 2), keepdims=True)))


def collect(
    folder: Path, runs: list[Run], experiments: Path, views: str = SMALL_CHANGES
) -> tuple[OutOfFold, np.ndarray]:
    """Return the out-of-fold material of all runs, seen in `views`, and the first run's held-out features (N1, D)."""
    films: list[LabelledFilm] = []
    parts: list[dict[str, np.ndarray]] = []
    squares = []
    for run in runs:
        split = load_split(folder, run.facts["protocol"], run.facts["held_out"])
        member = load_member(run, experiments)
        own = read_squares([film.path for film in split.validation])
        prepared = prepare(own, recipe_of(run, experiments).preparation)
        bound = bound_to(run, split.validation) | {"views": np.array(views)}
        parts.append(_answers(member, prepared, views, run.folder / "held_out.npz", bound))
        films += split.validation
        squares.append(own)
    examples = load_examples(films)
    grey = np.concatenate(squares).reshape(len(films), -1)
    material = OutOfFold(
        films=films,
        labels=examples.labels,
        groups=np.array([film.group_id for film in films]),
        logits=np.concatenate([part["logits"] for part in parts]),
        cells=np.concatenate([part["cells"] for part in parts]),
        subtypes=np.concatenate([part["subtypes"] for part in parts]),
        masks=coarse_masks(films),
        grey=np.stack([grey.mean(axis=1), grey.std(axis=1)], axis=1),
    )
    return material, parts[0]["features"]


def training_features(folder: Path, run: Run, experiments: Path, views: str = SMALL_CHANGES) -> np.ndarray:
    """Return what the head of the first run reads on its own training films as `views` join it, (N, D)."""
    cache = run.folder / "training_features.npz"
    split = load_split(folder, run.facts["protocol"], run.facts["held_out"])
    bound = bound_to(run, split.train) | {"views": np.array(views)}
    sides = QUARTER_TURNS if views == TURNS else QUARTER_TURNS[:1]

    def read() -> Arrays:
        say(f"reading features of {len(split.train)} training films")
        member = load_member(run, experiments)
        squares = prepare(read_squares([film.path for film in split.train]), recipe_of(run, experiments).preparation)
        found = [
            look(member, np.ascontiguousarray(np.rot90(squares, side, axes=(1, 2))), SIDE).features for side in sides
        ]
        return {"features": np.mean([features for features in found if features is not None], axis=0)}

    return kept_or_made(cache, bound, read)["features"]


def halves(groups: np.ndarray) -> np.ndarray:
    """Return bool (N,): one half of the groups, by a fixed shuffle; calibration uses it, the sets use the rest."""
    names = np.unique(groups)
    drawn = np.random.default_rng(23).permutation(len(names))
    first = set(names[drawn[: len(names) // 2]].tolist())
    return np.array([group in first for group in groups])
