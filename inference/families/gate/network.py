"""The gate's network: a fixed ImageNet trunk, and over its pooled maps three questions put to every image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

# ImageNet's mean and standard deviation, averaged over the three colours: the image is grey.
_MEAN, _SPREAD = 0.449, 0.226
# Blocks of torchvision's MobileNetV2 after which maps are pooled (strides 8, 16 and 32), and their channels.
READ_AFTER = (7, 14, 18)
_CHANNELS = (32, 96, 320)
FEATURES = 2 * sum(_CHANNELS)
_FLOOR = 1e-3


class GateNet(nn.Module):
    """Grey images (N, 1, size, size) in [0, 1] to one logit each, (N,): at least 0 where a bone film may be judged.

    The logit is the least of three margins: a linear classifier between bone and all else; the likeness to the mean
    of each known kind of other image (`kinds` directions); the part of the features that bone films never use.
    """

    centre: Tensor
    spread: Tensor
    basis: Tensor
    variances: Tensor
    unused: Tensor
    weights: Tensor
    directions: Tensor
    limits: Tensor
    scales: Tensor

    def __init__(self, size: int, components: int, kinds: int) -> None:
        super().__init__()
        self.size = size
        blocks = list(mobilenet_v2(weights=None).features)
        ends = zip((0, *READ_AFTER[:-1]), READ_AFTER, strict=True)
        self.stages = nn.ModuleList(nn.Sequential(*blocks[first:last]) for first, last in ends)
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.register_buffer("basis", torch.zeros(FEATURES, components))
        self.register_buffer("variances", torch.ones(components))
        self.register_buffer("unused", torch.ones(1))
        self.register_buffer("weights", torch.zeros(FEATURES + 2 + components))
        self.register_buffer("directions", torch.zeros(FEATURES, kinds))
        self.register_buffer("limits", torch.zeros(3))
        self.register_buffer("scales", torch.ones(3))

    def features(self, images: Tensor) -> Tensor:
        """Return mean and standard deviation over each pooled map, (N, FEATURES)."""
        maps = ((images - _MEAN) / _SPREAD).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        pooled = []
        for stage in self.stages:
            maps = stage(maps)
            pooled += [maps.mean(dim=(2, 3)), maps.std(dim=(2, 3))]
        return torch.cat(pooled, dim=1)

    def lift(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return standardised features, what the linear classifier reads of them, and the log of the unused part."""
        z = (features - self.centre) / self.spread
        used = z @ self.basis
        power = used**2 / self.variances
        outside = ((z**2).sum(dim=1) - (used**2).sum(dim=1)).clamp_min(0) / self.unused
        far = torch.stack([torch.log(outside + _FLOOR), torch.log(power.mean(dim=1) + _FLOOR)], dim=1)
        read = torch.cat([z * (8 / FEATURES**0.5), 4 * far, 0.5 * torch.log1p(power)], dim=1)
        return z, read, far[:, 0]

    def oddness(self, features: Tensor) -> Tensor:
        """Return the answers to the three questions, (N, 3), each the higher the less the image is like a bone film."""
        z, read, outside = self.lift(features)
        return torch.stack([-(read @ self.weights), (z @ self.directions).amax(dim=1), outside], dim=1)

    def judge(self, features: Tensor) -> Tensor:
        """Return the logit (N,) that follows from `features`."""
        return ((self.limits - self.oddness(features)) / self.scales).amin(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(self.features(images))


def build(architecture: dict[str, Any]) -> GateNet:
    """Build the network of a card's `architecture` entry (size, components, kinds), in channels_last."""
    return GateNet(**architecture).to(memory_format=torch.channels_last)
