"""A run's answers where it was not taught: its held-out fold on all four sides, and films of other sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.data.protocols import load_split
from inference.lab.data.sources import SOURCES, SourceSplit, load_sources
from inference.lab.training.kept import Arrays, bound_to, kept_or_made
from inference.lab.training.progress import say
from inference.lab.training.rows import Probe, load_probe
from inference.lab.training.runs import Run
from inference.lab.training.train import raw_probabilities
from inference.variants import QUARTER_TURNS

FILMS_FOLDER = "btxrd"
HELD_OUT, LEFT_OUT = "held-out fold", "left out"
# Given the name of a list of films, the films and how to ask: the answers, perhaps from before.
Keep = Callable[[str, list[LabelledFilm], Callable[[], Arrays]], Arrays]


@dataclass(frozen=True)
class Stay:
    """N films of one place that a run was not taught, `part` says why: `logits` (N, T, 2) lying on T sides, `features`
    (N, D) of the upright films or None."""

    part: str
    films: list[LabelledFilm]
    logits: np.ndarray
    features: np.ndarray | None

    @property
    def labels(self) -> np.ndarray:
        """Indices into OUTCOMES (N,)."""
        return np.array([OUTCOMES.index(film.label) for film in self.films])

    @property
    def groups(self) -> np.ndarray:
        """The stand-ins for patients (N,)."""
        return np.array([film.group_id for film in self.films])

    def probabilities(self, side: int | None) -> np.ndarray:
        """Class probabilities (N, 3) lying on one side, or from the mean logit of all sides (None)."""
        return raw_probabilities(self.logits.mean(axis=1) if side is None else self.logits[:, side])


@dataclass(frozen=True)
class Journey:
    """Where a run was: its held-out fold on four sides, and each other source."""

    home: Stay
    away: dict[str, Stay]


def kept_beside(run: Run) -> Keep:
    """Return a Keep that stores answers in the folder of `run`."""

    def keep(name: str, films: list[LabelledFilm], ask: Callable[[], Arrays]) -> Arrays:
        return kept_or_made(run.folder / f"travel-{name}.npz", bound_to(run, films), ask)

    return keep


def journey_of(run: Run, root: Path, experiments: Path, sides: int) -> Journey:
    """Return the journey of a finished run over the data folder `root`; answers are kept beside the run."""
    held_out = run.facts["held_out"]
    split = load_split(root / FILMS_FOLDER, run.facts["protocol"], held_out)
    known = run.facts.get("sources", {"train": {}, "left_out": dict.fromkeys(SOURCES, 0)})
    # Only what the run knew of: a source that came later is of no place that it can be said to have left out.
    left_out = tuple(known["left_out"])
    sources = load_sources(root, (*known["train"], *left_out), left_out, held_out)
    return journey(load_probe(run, experiments)[0], split.validation, sources, sides, kept_beside(run))


def journey(
    probe: Probe, films: list[LabelledFilm], sources: SourceSplit, sides: int, keep: Keep | None = None
) -> Journey:
    """Ask a run about its held-out `films` on four sides and about every source on the first `sides` of them."""
    keep = keep or (lambda _name, _films, ask: ask())

    def stay(name: str, part: str, seen: list[LabelledFilm], turns: int) -> Stay:
        found = keep(f"{name}-{turns}", seen, lambda: _asked(probe, name, seen, turns))
        return Stay(part, seen, found["logits"], found.get("features"))

    away = {source.name: stay(source.name, HELD_OUT, source.films, sides) for source in sources.validation}
    away |= {source.name: stay(source.name, LEFT_OUT, source.films, sides) for source in sources.left_out}
    return Journey(stay("home", HELD_OUT, films, len(QUARTER_TURNS)), away)


def _asked(probe: Probe, name: str, films: list[LabelledFilm], turns: int) -> Arrays:
    say(f"{len(films)} films of {name}, {turns} sides")
    squares = read_squares([film.path for film in films])
    looks = [probe(np.ascontiguousarray(np.rot90(squares, turn, axes=(1, 2)))) for turn in QUARTER_TURNS[:turns]]
    found = {"logits": np.stack([look.logits for look in looks], axis=1)}
    return found if looks[0].features is None else found | {"features": looks[0].features}


def joined(journeys: list[Journey]) -> Journey:
    """Return all held-out folds as one home; of a source what the runs that left it out say, else all held-out folds.

    A film that several runs answer counts once, with their mean logits. Features of different networks say nothing
    together: those of the first run are kept, and only where it is alone.
    """
    if len(journeys) == 1:
        return journeys[0]
    away = {}
    for name in dict.fromkeys(name for one in journeys for name in one.away):
        stays = [one.away[name] for one in journeys if name in one.away]
        away[name] = _joined([stay for stay in stays if stay.part == LEFT_OUT] or stays)
    return Journey(_joined([one.home for one in journeys]), away)


def _joined(stays: list[Stay]) -> Stay:
    films = {film.image_id: film for stay in stays for film in stay.films}
    said: dict[str, list[np.ndarray]] = {name: [] for name in films}
    for stay in stays:
        for film, logits in zip(stay.films, stay.logits, strict=True):
            said[film.image_id].append(logits)
    logits = np.stack([np.mean(found, axis=0) for found in said.values()])
    return Stay(stays[0].part, list(films.values()), logits, None)
