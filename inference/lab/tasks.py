"""The images that the gate must refuse, and how they are divided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference.errors import DataError
from inference.lab.data import read_rows

GATE_FOLDER = "gate"


@dataclass(frozen=True)
class NotBone:
    """One image that the gate must refuse; `part` is train, validation or test."""

    path: Path
    kind: str
    part: str


def load_not_bone(root: Path, held_out_kinds: tuple[str, ...]) -> list[NotBone]:
    """Read gate/not_bone.csv and divide it: held-out kinds wholly into test, of the others a fixed share.

    The share goes by position within the kind (every fifth to test, every fifth to validation): no seed, never moves.
    """
    seen: dict[str, int] = {}
    images: list[NotBone] = []
    for number, row in enumerate(read_rows(root / GATE_FOLDER / "not_bone.csv", ("file", "kind")), start=2):
        path = root / GATE_FOLDER / "not_bone" / row["file"]
        if not path.is_file():
            raise DataError("missing_image", f"not_bone.csv row {number}: {row['file']} is missing.")
        position = seen.get(row["kind"], 0)
        seen[row["kind"]] = position + 1
        part = {0: "test", 1: "validation"}.get(position % 5, "train")
        images.append(NotBone(path, row["kind"], "test" if row["kind"] in held_out_kinds else part))
    return images
