"""What networks learn from: squares, classes, outlines and subtypes of a list of films, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm, read_masks, read_squares

SIDE = 256
SUBTYPES = (
    "osteochondroma",
    "multiple osteochondromas",
    "simple bone cyst",
    "giant cell tumor",
    "osteofibroma",
    "synovial osteochondroma",
    "other bt",
    "osteosarcoma",
    "other mt",
)


@dataclass(frozen=True)
class Examples:
    """N films: `squares` uint8 (N, 256, 256), `labels` int64 (N,) into OUTCOMES, `masks` uint8 (N, 256, 256) in {0, 1},
    `subtypes` int64 (N,) into SUBTYPES or -1 where none is named."""

    squares: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    subtypes: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def load_examples(films: list[LabelledFilm]) -> Examples:
    """Read images and masks of `films`; about 230 MB for all of BTXRD."""
    names = [film.attributes.get("subtype", "") for film in films]
    return Examples(
        squares=read_squares([film.path for film in films]),
        labels=np.array([OUTCOMES.index(film.label) for film in films], dtype=np.int64),
        masks=read_masks(films, SIDE),
        subtypes=np.array([SUBTYPES.index(name) if name in SUBTYPES else -1 for name in names], dtype=np.int64),
    )
