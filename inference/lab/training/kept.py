"""Answers kept beside a run, for they take minutes: used again only for the same weights and the same films."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from inference.lab.data.folder import LabelledFilm, file_sha256
from inference.lab.training.runs import Run

Arrays = dict[str, np.ndarray]


def bound_to(run: Run, films: list[LabelledFilm]) -> Arrays:
    """What kept answers hold for: these weights and these films; a run trained again must be asked again."""
    return {
        "weights_sha256": np.array(file_sha256(run.folder / "weights.safetensors")),
        "image_ids": np.array([film.image_id for film in films], dtype=np.str_),
    }


def kept(cache: Path, bound: Arrays) -> Arrays | None:
    """Return what is kept in `cache`, None where that is nothing or belongs to other weights or films."""
    if not cache.is_file():
        return None
    with np.load(cache) as stored:
        found = dict(stored)
    same = all(name in found and np.array_equal(found[name], value) for name, value in bound.items())
    return found if same else None


def kept_or_made(cache: Path, bound: Arrays, make: Callable[[], Arrays]) -> Arrays:
    """Return what is kept in `cache` for `bound`, else what `make` gives, and keep that."""
    found = kept(cache, bound)
    if found is None:
        found = make()
        np.savez(cache, **found, **bound)  # type: ignore[arg-type]
    return found
