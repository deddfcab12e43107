"""Training with tumour-free films of other sources, and with lesions and healthy bone moved between all films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inference.lab.data.examples import Examples
from inference.lab.data.folder import read_squares
from inference.lab.data.preparation import prepare
from inference.lab.data.sources import Source
from inference.lab.recipes.bone import CELL_PX, GRID, bone_map
from inference.lab.recipes.experiment import Experiment
from inference.lab.recipes.transplant import Piece, can_be_cut, healthy_piece, transplant
from inference.lab.training.progress import say
from inference.lab.training.train import Trainer

_NORMAL, _MALIGNANT = 0, 2
_TRIES = 3


class MixedTrainer(Trainer):
    """A trainer whose batches hold films of `sources` besides the split's own, by the experiment's `mixing`."""

    def __init__(
        self,
        experiment: Experiment,
        train: Examples,
        validation: Examples,
        folder: Path,
        start: Path | None = None,
        *,
        sources: list[Source],
    ) -> None:
        super().__init__(experiment, train, validation, folder, start)
        assert experiment.mixing is not None
        self.mixing = experiment.mixing
        foreign = [read_squares([film.path for film in source.films]) for source in sources]
        self.own = len(train)
        self.films = np.concatenate([self.squares.numpy(), *(prepare(one, experiment.preparation) for one in foreign)])
        say(f"looking for bone on {len(self.films)} films")
        self.bones = np.stack([bone_map(film) for film in self.films])
        self.chances = self._chances_of_foreign_films(sources)
        self.healthy = np.concatenate([np.flatnonzero(train.labels == _NORMAL), np.arange(self.own, len(self.films))])
        self.lesions, self.lesion_chances = self._chances_of_lesions(train)

    def _chances_of_foreign_films(self, sources: list[Source]) -> np.ndarray:
        """Every source alike often; within one, each kind of film by the square root of its number."""
        parts = []
        for source in sources:
            kinds = np.array([film.attributes.get("kind", "") for film in source.films])
            _, place, count = np.unique(kinds, return_inverse=True, return_counts=True)
            weight = 1 / np.sqrt(count[place])
            parts.append(weight / weight.sum() / len(sources))
        return np.concatenate(parts) if parts else np.zeros(0)

    def _chances_of_lesions(self, train: Examples) -> tuple[np.ndarray, np.ndarray]:
        """The films whose lesion can be moved, and how often each is drawn."""
        places = np.flatnonzero(train.labels > _NORMAL)
        places = np.array([place for place in places if can_be_cut(train.masks[place])], dtype=int)
        _, kind, count = np.unique(train.subtypes[places], return_inverse=True, return_counts=True)
        chances = 1 / np.sqrt(count[kind]) if len(places) else np.zeros(0)
        malignant = train.labels[places] == _MALIGNANT
        for inside, share in ((malignant, self.mixing.malignant), (~malignant, 1 - self.mixing.malignant)):
            if inside.any():
                chances[inside] *= share / chances[inside].sum()
        return places, chances / chances.sum() if len(places) else chances

    def _picked(self, chosen: Tensor) -> Examples:
        # The trainer's own generator seeds the draw, so that a resumed training draws the same.
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=self.generator)))
        own = super()._picked(chosen)
        count = self.mixing.foreign if len(self.chances) else 0
        away = self.own + rng.choice(len(self.chances), count, p=self.chances) if count else np.zeros(0, dtype=int)
        places = np.concatenate([chosen.numpy(), away])
        batch = Examples(
            squares=self.films[places],
            labels=np.concatenate([own.labels, np.zeros(count, dtype=np.int64)]),
            masks=np.concatenate([own.masks, np.zeros((count, *own.masks.shape[1:]), dtype=np.uint8)]),
            subtypes=np.concatenate([own.subtypes, np.full(count, -1, dtype=np.int64)]),
        )
        for index, place in enumerate(places):
            self._change(batch, index, int(place), rng)
        return batch

    def _change(self, batch: Examples, index: int, place: int, rng: np.random.Generator) -> None:
        """Move a lesion or healthy bone into one film of the batch, or neither."""
        mixing, draw = self.mixing, rng.random()
        if batch.labels[index] > _NORMAL:
            lesion, healthy = 0.0, mixing.healthy_tumour
        elif place < self.own:
            lesion, healthy = mixing.lesion_own, mixing.healthy_own
        else:
            lesion, healthy = mixing.lesion_foreign, mixing.healthy_foreign
        if draw < lesion and len(self.lesions):
            self._add_lesion(batch, index, place, rng)
        elif draw < lesion + healthy and len(self.lesions):
            self._add_healthy_bone(batch, index, place, rng)

    def _add_lesion(self, batch: Examples, index: int, place: int, rng: np.random.Generator) -> None:
        """Move a lesion in with its outline, class and subtype; the film stays as it was where none fits."""
        train = self.train_examples
        for _ in range(_TRIES):
            donor = int(rng.choice(self.lesions, p=self.lesion_chances))
            piece = Piece(self.films[donor], train.masks[donor], self.bones[donor])
            found = transplant(batch.squares[index], self.bones[place], _no_cells(), piece, rng)
            if found is not None:
                batch.squares[index], region = found
                batch.masks[index] = region
                batch.labels[index], batch.subtypes[index] = train.labels[donor], train.subtypes[donor]
                return

    def _add_healthy_bone(self, batch: Examples, index: int, place: int, rng: np.random.Generator) -> None:
        """Move bone of any tumour-free film in, cut to the outline of some lesion: the same seams, nothing taught."""
        taken = _cells(batch.masks[index])
        for _ in range(_TRIES):
            donor = int(rng.choice(self.healthy))
            shape = self.train_examples.masks[int(rng.choice(self.lesions, p=self.lesion_chances))]
            piece = healthy_piece(self.films[donor], self.bones[donor], shape, rng)
            if piece is None:
                continue
            found = transplant(batch.squares[index], self.bones[place], taken, piece, rng)
            if found is not None:
                batch.squares[index] = found[0]
                return


def _no_cells() -> np.ndarray:
    return np.zeros((GRID, GRID), dtype=np.float32)


def _cells(mask: np.ndarray) -> np.ndarray:
    """Return float32 (64, 64): the cells that a mask (256, 256) touches."""
    return mask.reshape(GRID, CELL_PX, GRID, CELL_PX).max(axis=(1, 3)).astype(np.float32)
