"""Does the test list know the training list? Same bytes, twins, shared groups, and names that give the label away."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, file_sha256
from inference.lab.data.perceptual import TWIN_THRESHOLD, Fingerprints, fingerprints, nearest

TWIN_SHARE_ALLOWED = 0.01
_TELLING_MARGIN = 0.05
_EXAMPLES = 10
# A long run of hexadecimal digits is a hash that an export tool appended: digits, though some are letters.
_DIGITS = re.compile(r"[0-9a-fA-F]{16,}|\d+")


@dataclass(frozen=True)
class Twin:
    """A test image that the training list holds too: turned as `position` says, perhaps as its negative."""

    test_id: str
    train_id: str
    correlation: float
    position: str
    inverted: bool


@dataclass(frozen=True)
class Names:
    """How well file names without their digits foretell the labels of `n` labelled test images."""

    n: int
    right: int
    majority_right: int

    @property
    def telling(self) -> bool:
        return self.n > 0 and self.right - self.majority_right > _TELLING_MARGIN * self.n

    def as_dict(self) -> dict[str, Any]:
        shares = {"accuracy": self.right, "majority_accuracy": self.majority_right}
        return asdict(self) | {"telling": self.telling} | {k: v / self.n if self.n else None for k, v in shares.items()}


@dataclass(frozen=True)
class Verdict:
    """What was found between a training list and a test list."""

    train_n: int
    test_n: int
    identical: list[tuple[str, str]]
    identical_by_part: dict[str, int]
    twins: list[Twin]
    shared_groups: list[str]
    names: Names

    @property
    def twin_share(self) -> float:
        return len(self.twins) / self.test_n

    @property
    def reasons(self) -> list[str]:
        """The codes of what condemns: identical_bytes, shared_groups, twins."""
        found = {
            "identical_bytes": bool(self.identical),
            "shared_groups": bool(self.shared_groups),
            "twins": self.twin_share > TWIN_SHARE_ALLOWED,
        }
        return [code for code, holds in found.items() if holds]

    @property
    def condemns(self) -> bool:
        return bool(self.reasons)

    def sentence(self) -> str:
        """Say verdict and counts in one line."""
        twins = f"{len(self.twins)} ({100 * self.twin_share:.1f} %) have a twin"
        groups = f"{len(self.shared_groups)} groups are on both sides"
        head = "condemned" if self.condemns else "passed"
        found = f"of {self.test_n} test images {len(self.identical)} are identical to training images, {twins}"
        return f"{head}: {found}; {groups}"

    def as_dict(self) -> dict[str, Any]:
        """Return counts, shares and up to ten examples of each kind, JSON-able."""
        return {
            "condemned": self.condemns,
            "reasons": self.reasons,
            "sentence": self.sentence(),
            "train_images": self.train_n,
            "test_images": self.test_n,
            "identical_test_images": len(self.identical),
            "identical_by_training_part": self.identical_by_part,
            "test_images_with_twin": len(self.twins),
            "twin_share": self.twin_share,
            "twin_share_allowed": TWIN_SHARE_ALLOWED,
            "twin_threshold": TWIN_THRESHOLD,
            "twin_positions": dict(Counter(twin.position for twin in self.twins)),
            "shared_groups": len(self.shared_groups),
            "names": self.names.as_dict(),
            "examples": {
                "identical": [list(pair) for pair in self.identical[:_EXAMPLES]],
                "twins": [asdict(twin) for twin in _spread(self.twins)],
                "shared_groups": self.shared_groups[:_EXAMPLES],
            },
        }


def _spread(twins: list[Twin]) -> list[Twin]:
    """Return ten twins from the least to the most alike: the doubtful ones are what a reader wants to look at."""
    ordered = sorted(twins, key=lambda twin: twin.correlation)
    if len(ordered) <= _EXAMPLES:
        return ordered
    return [ordered[index * (len(ordered) - 1) // (_EXAMPLES - 1)] for index in range(_EXAMPLES)]


def condemned(
    train: Sequence[LabelledFilm],
    test: Sequence[LabelledFilm],
    train_prints: Fingerprints | None = None,
    test_prints: Fingerprints | None = None,
    *,
    same_groups: bool = True,
) -> Verdict:
    """Compare two lists. Fingerprints in the order of the lists spare reading the images again.

    `same_groups` False says that the two tables number their groups independently, so that equal ids mean nothing.
    """
    if not train or not test:
        raise DataError("empty_list", "Leakage is looked for between two lists; one of them has no image.")
    train_prints = train_prints or fingerprints([film.path for film in train])
    test_prints = test_prints or fingerprints([film.path for film in test])
    identical = _identical(train, test, train_prints, test_prints)
    return Verdict(
        len(train),
        len(test),
        [(film.image_id, original.image_id) for film, original in identical],
        dict(Counter(original.part for _, original in identical)),
        _twins(train, test, train_prints, test_prints),
        _shared_groups(train, test) if same_groups else [],
        names_tell(train, test),
    )


def _identical(
    train: Sequence[LabelledFilm], test: Sequence[LabelledFilm], train_prints: Fingerprints, test_prints: Fingerprints
) -> list[tuple[LabelledFilm, LabelledFilm]]:
    """Return each test film whose bytes are in training, with the first training film that has them."""
    known: dict[str, LabelledFilm] = {}
    for film, digest in zip(train, train_prints.sha256, strict=True):
        known.setdefault(digest, film)
    pairs = zip(test, test_prints.sha256, strict=True)
    return [(film, known[digest]) for film, digest in pairs if digest in known]


def _twins(
    train: Sequence[LabelledFilm], test: Sequence[LabelledFilm], train_prints: Fingerprints, test_prints: Fingerprints
) -> list[Twin]:
    known = set(train_prints.sha256)
    matches = nearest(test_prints.maps, train_prints.maps)
    return [
        Twin(film.image_id, train[match.index].image_id, match.correlation, match.position, match.inverted)
        for film, match, digest in zip(test, matches, test_prints.sha256, strict=True)
        # An empty picture has no contrast to compare, but its copy is a twin all the same.
        if match.correlation >= TWIN_THRESHOLD or digest in known
    ]


def _shared_groups(train: Sequence[LabelledFilm], test: Sequence[LabelledFilm]) -> list[str]:
    """Return the groups on both sides; a film whose table names no group belongs to none."""
    sides = [
        {film.attributes["group_id"] for film in films if film.attributes.get("group_id")} for films in (train, test)
    ]
    return sorted(sides[0] & sides[1])


def name_pattern(name: str) -> str:
    """Return a file name without its digits."""
    return _DIGITS.sub("", name)


def names_tell(train: Sequence[LabelledFilm], test: Sequence[LabelledFilm]) -> Names:
    """Guess each test label as the commonest label of its name pattern in training; unlabelled images are left out."""
    labelled = [film for film in train if film.label]
    judged = [film for film in test if film.label]
    if not labelled or not judged:
        return Names(0, 0, 0)
    by_pattern: dict[str, Counter[str]] = defaultdict(Counter)
    for film in labelled:
        by_pattern[name_pattern(film.path.name)][film.label] += 1
    majority = Counter(film.label for film in labelled).most_common(1)[0][0]
    guesses = {pattern: counts.most_common(1)[0][0] for pattern, counts in by_pattern.items()}
    right = sum(guesses.get(name_pattern(film.path.name), majority) == film.label for film in judged)
    return Names(len(judged), right, sum(film.label == majority for film in judged))


def trained_on(films: Iterable[LabelledFilm], training_sha256: Iterable[str]) -> list[str]:
    """Return the ids of the films whose bytes stand in a model card's list of training images."""
    known = set(training_sha256)
    return [film.image_id for film in films if file_sha256(film.path) in known]
