"""The JSON card that weights travel with, and the installed model's identity. No torch: the web reads it too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import WeightsError
from inference.imaging.canonical import PREPROCESSING_VERSION

SHIPPED = Path(__file__).parent / "weights"
CARD_NAME = "card.json"
_NEEDED = ("name", "version", "weights", "preprocessing_version", "networks", "operating_point", "gate")


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
    missing = [key for key in _NEEDED if not isinstance(card, dict) or key not in card]
    if missing:
        raise WeightsError("bad_card", f"The model's card lacks {', '.join(missing)}: install weights and card again.")
    if card["preprocessing_version"] != PREPROCESSING_VERSION:
        raise WeightsError(
            "other_preprocessing",
            f"The model wants preprocessing {card['preprocessing_version']}, this program has {PREPROCESSING_VERSION}: "
            "install matching versions.",
        )
    return card


def identity(weights_dir: Path | None = None) -> ModelIdentity:
    """Return what the card says the installed model is; `verified_weights` proves it."""
    card = load_card(weights_dir)
    return ModelIdentity(card["name"], card["version"], card["weights"]["sha256"])


def verified_weights(card: dict[str, Any], weights_dir: Path | None = None) -> bytes:
    """Return the bytes of the weights file after comparing their sha256 with the card's; WeightsError otherwise."""
    try:
        data = ((weights_dir or SHIPPED) / card["weights"]["file"]).read_bytes()
    except OSError as error:
        raise WeightsError("no_weights", "The model's weights file is missing: install it beside its card.") from error
    if hashlib.sha256(data).hexdigest() != card["weights"]["sha256"]:
        raise WeightsError(
            "weights_mismatch", "The model's weights are not those its card describes: install a matching pair."
        )
    return data
