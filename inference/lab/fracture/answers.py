"""What a fracture network says of a list of films, with what is true of them: for its card and its figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from inference.families.finding.model import look_at_finding
from inference.families.joint.network import JointNet
from inference.imaging.prepare import fitted_square
from inference.lab.data.folder import LabelledFilm, read_grey
from inference.lab.fracture.films import LABELS, Outlines, drawn
from inference.variants import Views

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FractureAnswers:
    """N films: `logits` (N, V) by view, `cells` (N, h, w), `features` (N, D), `grey` mean and spread (N, 2).

    What is true: `labels` (N,) 1 where a fracture is, `groups` (N,), `masks` bool (N, h, w), and in shares of the
    square's side the `boxes` of each film's fractures.
    """

    films: list[LabelledFilm]
    logits: np.ndarray
    cells: np.ndarray
    features: np.ndarray
    grey: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    masks: np.ndarray
    boxes: list[list[Box]]


def ask(
    network: JointNet, films: list[LabelledFilm], outlines: dict[str, Outlines], side: int, views: Views
) -> FractureAnswers:
    """Look at every film as the portal does."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("logits", "cells", "features", "grey", "masks")}
    boxes = []
    for film in films:
        grey = read_grey(film.path)
        square, frame = fitted_square(grey, side)
        logits, cells, features = look_at_finding(network, square, views)
        own = outlines.get(film.image_id, []) if film.label == LABELS[1] else []
        mask = drawn(own, frame, side)
        for name, value in (("logits", logits), ("cells", cells), ("features", features)):
            found[name].append(value)
        found["grey"].append(np.array([grey.mean(), grey.std()]))
        found["masks"].append(_coarse(mask, cells.shape))
        boxes.append([_box([frame.on_square(x, y) for polygon in one for x, y in polygon]) for one in own])
    stacked = {name: np.stack(values) for name, values in found.items()}
    return FractureAnswers(
        films=films,
        labels=np.array([int(film.label == LABELS[1]) for film in films]),
        groups=np.array([film.group_id for film in films]),
        boxes=boxes,
        **stacked,
    )


def _coarse(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return bool (h, w): cells of which at least half are fracture, the fullest where none is."""
    fine = torch.from_numpy(mask)[None, None].float()
    share = functional.adaptive_avg_pool2d(fine, (shape[0], shape[1]))[0, 0].numpy()
    return (share >= 0.5) | ((share > 0) & (share >= share.max()))


def _box(points: list[tuple[float, float]]) -> Box:
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)
