"""The typed schema of structured findings, and their way to and from the JSON that is stored and signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _

from analyses.errors import invalid_fields
from analyses.models.vocabulary import Bone, End, Margin, Matrix, Number, Part, Periosteum, Presence, Side

# Field -> the codes it takes. What is not stated is the empty word, and is not stored.
CODES: dict[str, type[TextChoices]] = {
    "number": Number,
    "bone": Bone,
    "side": Side,
    "part": Part,
    "end": End,
    "margin": Margin,
    "matrix": Matrix,
    "periosteum": Periosteum,
    "cortical_destruction": Presence,
    "soft_tissue_mass": Presence,
    "fracture": Presence,
    "incidental": Presence,
    "known_primary": Presence,
}
# StatedCase of a lesion, so that none may be said where there is none.
OF_A_LESION = ("bone", "part", "end", "margin", "matrix", "periosteum", "cortical_destruction", "soft_tissue_mass")
MAX_DIMENSIONS = 3
MAX_SIZE_MM = 600


@dataclass(frozen=True)
class Findings:
    """What the films show; every field may be left open.

    Attributes:
        size_mm: up to three perpendicular diameters of the (largest) lesion in whole mm, the longest first.
        incidental, known_primary: asked for Bone-RADS only.
    """

    number: str = ""
    bone: str = ""
    side: str = ""
    part: str = ""
    end: str = ""
    size_mm: tuple[int, ...] = field(default=())
    margin: str = ""
    matrix: str = ""
    periosteum: str = ""
    cortical_destruction: str = ""
    soft_tissue_mass: str = ""
    fracture: str = ""
    incidental: str = ""
    known_primary: str = ""

    def to_json(self) -> dict[str, Any]:
        """Only what is stated, so that an empty reading stores and signs nothing."""
        stated = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: list(value) if name == "size_mm" else value for name, value in stated.items() if value}

    @property
    def describes_a_lesion(self) -> bool:
        """Whether anything is said that presupposes a lesion."""
        return (
            self.number in (Number.ONE, Number.SEVERAL)
            or bool(self.size_mm)
            or any(getattr(self, name) not in ("", "no", "none") for name in OF_A_LESION)
        )

    @property
    def is_empty(self) -> bool:
        return not self.to_json()


EMPTY = Findings()


def from_json(given: Mapping[str, Any] | None) -> Findings:
    """Findings from stored or submitted JSON.

    Raises:
        Invalid: ``bad_field``: an unknown field or code, or sizes that are no whole mm from 1 to MAX_SIZE_MM.
    """
    given = given or {}
    errors = {name: [_("Unknown field.")] for name in given if name not in {entry.name for entry in fields(Findings)}}
    for name, codes in CODES.items():
        value = given.get(name) or ""
        if value and value not in codes.values:
            errors[name] = [_("Choose an entry from the list.")]
    try:
        size = _size(given.get("size_mm") or ())
    except ValueError:
        errors["size_mm"] = [_("At most three whole numbers of mm, from 1 to %(most)s.") % {"most": MAX_SIZE_MM}]
    if errors:
        raise invalid_fields(errors)
    return Findings(size_mm=size, **{name: given.get(name) or "" for name in CODES})


def _size(given: Any) -> tuple[int, ...]:
    numbers = tuple(given)
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    if not whole or len(numbers) > MAX_DIMENSIONS or any(not 1 <= number <= MAX_SIZE_MM for number in numbers):
        raise ValueError
    return tuple(sorted(numbers, reverse=True))
