"""How the gate looks at images: features of them as they are, or varied so that file and scanner tell nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.families.gate.network import GateNet
from inference.lab.recipes.augment import Augmentation, geometry, tones

# What may happen to any image, bone or not, so that resolution, compression and borders tell nothing.
VARIED = Augmentation(
    rotation=15.0, zoom=0.25, stretch=0.25, shift=0.08, flip_vertical=0.3, brightness=0.12, contrast=0.35, gamma=0.4,
    blur=0.25, jpeg=0.25, noise=0.25, border=0.15, erasure=0.2,
)  # fmt: skip
# Chest films are stored in both polarities; a bone film rarely comes inverted, but then it is still a bone film.
BONE_INVERTED, OTHERS_INVERTED = 0.08, 0.3
LYING = 0.15
_BATCH = 32


def varied(images: Tensor, inverted: float, generator: torch.Generator) -> Tensor:
    """Return a varied copy of float32 (N, 1, H, H): some lying on a side, some inverted, all moved and re-filed."""
    turns = torch.rand(len(images), generator=generator)
    turned = images.clone()
    for index, turn in enumerate(turns.tolist()):
        if turn < LYING:
            turned[index] = torch.rot90(images[index], 1 if turn < LYING / 2 else 3, (1, 2))
    copy = tones(geometry(turned, VARIED, generator), VARIED, generator)
    flipped = torch.rand(len(images), generator=generator) < inverted
    copy[flipped] = 1 - copy[flipped]
    return copy


def features_of(net: GateNet, squares: np.ndarray, seed: int | None = None, inverted: float = 0.0) -> Tensor:
    """Return features (N, D) of uint8 squares (N, 256, 256), of a varied copy of them where a seed is given."""
    generator = torch.Generator().manual_seed(seed) if seed is not None else None
    found = []
    with torch.inference_mode():
        for first in range(0, len(squares), _BATCH):
            images = torch.from_numpy(np.array(squares[first : first + _BATCH])).unsqueeze(1).float().div_(255)
            if generator is not None:
                images = varied(images, inverted, generator)
            small = functional.interpolate(images, size=(net.size, net.size), mode="bilinear", antialias=True)
            found.append(net.features(small))
    return torch.cat(found).clone()
