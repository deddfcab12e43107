"""Whether a film is one that the model learnt from, as far as its card can tell at a place without the training data.

A card lists the first characters of the sha256 of every square that its training saw: that finds copies of the
published 256-px files and of files that decode to the very same pixels. Later cards list a look as well, 256 bits that
survive re-encoding and another size; turned, mirrored or cropped copies are found by neither. A card without lists
finds nothing, and the acceptance says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from inference.imaging.canonical import canonical_sha256
from inference.imaging.prepare import common_square

EXACT, LOOKS = "training_images", "training_looks"
_SIDE = 16
BITS = _SIDE * _SIDE
# Of 256 bits. Measured on BTXRD: at most 14 differ in 96 to 100 of 100 copies after JPEG at quality 90 and half, equal
# or double size but 92 at double, 69 to 84 at quality 40; none of 1,500 FracAtlas films (nearest: 18) nor of 1,500
# knees (19) came so near a training film, and 6 of 3,483 BTXRD films to one of another group.
MOST_DIFFERENT = 14
EXACT_CHARACTERS = 16


def look_of(canonical: np.ndarray) -> str:
    """Return 64 hexadecimal digits of an image uint8 (H, W): is each of 16 x 16 cells brighter than its right
    neighbour (difference hash; the film is stretched to a square first)?"""
    small = Image.fromarray(common_square(canonical)).resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    cells = np.asarray(small, dtype=np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def _bits(looks: Iterable[str]) -> np.ndarray:
    """Return bool (N, BITS) of hexadecimal looks; what is no look is left out."""
    rows = [bytes.fromhex(look) for look in looks if isinstance(look, str) and len(look) == BITS // 4]
    packed = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), BITS // 8)
    return np.unpackbits(packed, axis=1).astype(bool)


@dataclass(frozen=True)
class TrainingFilms:
    """The training films that a card lists: exact squares, and looks bool (N, BITS)."""

    exact: frozenset[str]
    looks: np.ndarray

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> TrainingFilms:
        """Read both lists; either may be missing."""
        return cls(frozenset(card.get(EXACT) or ()), _bits(card.get(LOOKS) or ()))

    @property
    def knows(self) -> str:
        """Say what can be recognised: "looks", "exact" (identical pixels only) or "nothing"."""
        if len(self.looks):
            return "looks"
        return "exact" if self.exact else "nothing"

    def hold(self, canonical: np.ndarray) -> bool:
        """Return whether a canonical image uint8 (H, W) is one of them."""
        if canonical_sha256(common_square(canonical))[:EXACT_CHARACTERS] in self.exact:
            return True
        if not len(self.looks):
            return False
        return bool((self.looks != _bits([look_of(canonical)])).sum(axis=1).min() <= MOST_DIFFERENT)
