"""The JSON card that weights travel with, and the models that are installed. No torch: the web reads it too.

Several versions lie side by side, each in a folder "<name>-<version>" with card.json and weights; default.txt names
the one that answers until an administrator has activated another.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import WeightsError
from inference.imaging.canonical import PREPROCESSING_VERSION

WEIGHTS = Path(__file__).parent / "weights"
CARD_NAME = "card.json"
DEFAULT_NAME = "default.txt"
MODELS_VARIABLE = "BONESCAN_MODELS"
FIRST_FAMILY, FIRST_TASK = "paper", "tumour"
_NEEDED = ("name", "version", "weights", "preprocessing_version", "gate")
# Cards of the first family name one operating point and their networks; later ones name several points.
_NEEDED_OF_FIRST, _NEEDED_OF_OTHERS = ("networks", "operating_point"), ("operating_points",)
_NEEDED_OF_WEIGHTS = ("file", "sha256")


def _default_folder(weights: Path) -> Path:
    try:
        return weights / (weights / DEFAULT_NAME).read_text(encoding="utf-8").strip()
    except OSError:
        # No default: whoever asks for its card is told that none is installed.
        return weights / "none"


SHIPPED = _default_folder(WEIGHTS)


@dataclass(frozen=True)
class ModelIdentity:
    """Name and version for people, the sha256 of the weights file for proof."""

    name: str
    version: str
    sha256: str


def load_card(weights_dir: Path | None = None) -> dict[str, Any]:
    """Return the card of `weights_dir` (default: the shipped one); WeightsError where it is missing or unfit."""
    path = (weights_dir or SHIPPED) / CARD_NAME
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError("no_card", "The model has no card: install the weights together with card.json.") from error
    except (OSError, ValueError) as error:
        raise WeightsError("bad_card", "The model's card cannot be read: install weights and card again.") from error
    missing = _missing(card)
    if missing:
        raise WeightsError("bad_card", f"The model's card lacks {', '.join(missing)}: install weights and card again.")
    if card["preprocessing_version"] != PREPROCESSING_VERSION:
        raise WeightsError(
            "other_preprocessing",
            f"The model requires preprocessing {card['preprocessing_version']}, but this program has "
            f"{PREPROCESSING_VERSION}: install matching versions.",
        )
    return card


def _missing(card: Any) -> list[str]:
    """The keys without which no program can use the card."""
    if not isinstance(card, dict):
        return list(_NEEDED)
    needed = _NEEDED + (_NEEDED_OF_FIRST if family_of(card) == FIRST_FAMILY else _NEEDED_OF_OTHERS)
    missing = [key for key in needed if key not in card]
    if "weights" not in missing:
        weights = card["weights"] if isinstance(card["weights"], dict) else {}
        missing += [f"weights.{key}" for key in _NEEDED_OF_WEIGHTS if not isinstance(weights.get(key), str)]
    return missing


def key_of(card: dict[str, Any]) -> str:
    """Return "<name>-<version>", the name of the model's folder."""
    return f"{card['name']}-{card['version']}"


def family_of(card: dict[str, Any]) -> str:
    """Return the family of networks; the first cards did not name theirs."""
    return str(card.get("family") or FIRST_FAMILY)


def operating_points(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the cut-offs that a department may choose from, by name; the first cards have one, "balanced"."""
    points = card.get("operating_points")
    return points if isinstance(points, dict) else {"balanced": card["operating_point"]}


def modalities_of(card: dict[str, Any]) -> tuple[str, ...]:
    """Return the DICOM modalities that the model was validated for, e.g. ("CR", "DX")."""
    said = card.get("modality") or ()
    return (said,) if isinstance(said, str) else tuple(str(one) for one in said)


def task_of(card: dict[str, Any]) -> str:
    """Return what the model is asked about an image; the first cards did not name their task."""
    return str(card.get("task") or FIRST_TASK)


def installed() -> dict[str, Path]:
    """Return the folders of all models on this machine, by the folder's name; what is damaged is listed as well.

    Looks below inference/weights and, where the variable BONESCAN_MODELS is set, below that folder too.
    """
    roots = [WEIGHTS]
    if os.environ.get(MODELS_VARIABLE):
        roots.append(Path(os.environ[MODELS_VARIABLE]))
    found: dict[str, Path] = {}
    for root in roots:
        for card in sorted(root.glob(f"*/{CARD_NAME}")):
            # A folder of the operator's cannot take the name of one that came with the program.
            found.setdefault(card.parent.name, card.parent)
    return found


def identity(weights_dir: Path | None = None) -> ModelIdentity:
    """Return what the card says the installed model is; `verified_weights` proves it."""
    card = load_card(weights_dir)
    return ModelIdentity(card["name"], card["version"], card["weights"]["sha256"])


def verified_weights(card: dict[str, Any], weights_dir: Path | None = None) -> bytes:
    """Return the bytes of the weights file after comparing their sha256 with the card's; WeightsError otherwise."""
    try:
        data = ((weights_dir or SHIPPED) / card["weights"]["file"]).read_bytes()
    except OSError as error:
        raise WeightsError("no_weights", "The model's weights file is missing: install it next to its card.") from error
    if hashlib.sha256(data).hexdigest() != card["weights"]["sha256"]:
        raise WeightsError("weights_mismatch", "The model's weights do not match its card: install a matching pair.")
    return data
