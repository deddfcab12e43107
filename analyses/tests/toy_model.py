"""A second installed model for tests: small random weights with a card, in the operator's folder."""

import json
from pathlib import Path
from typing import Any

from inference.tests.toy import toy_weights

TOY = "toy-0"


def install_toy(folder: Path, key: str = TOY, **changes: Any) -> dict[str, Any]:
    """Write the toy model below `folder` under this key; ``changes`` replace entries of its card."""
    name, version = key.rsplit("-", 1)
    card = toy_weights(folder / key) | {"name": name, "version": version, "modality": ["DX"]} | changes
    (folder / key / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return card
