"""A known network without its head, and a new head of two outcomes on the mean of its last maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision import models

from inference.families.joint.network import Answer

# ImageNet's mean and standard deviation, averaged over the three colours: the film is grey.
_MEAN, _SPREAD = 0.449, 0.226


class Backbone(nn.Module):
    """Grey images (N, 1, H, W) in [0, 1] through `blocks`; the first `frozen` of them never learn."""

    def __init__(
        self, blocks: nn.Sequential, channels: int, frozen: int = 0, mean: float = _MEAN, spread: float = _SPREAD
    ) -> None:
        super().__init__()
        self.blocks, self.channels, self.frozen = blocks, channels, frozen
        self.mean, self.spread = mean, spread
        for block in blocks[:frozen]:
            block.requires_grad_(False)

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        for block in self.blocks[: self.frozen]:
            block.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return the last maps (N, channels, h, w)."""
        coloured = ((images - self.mean) / self.spread).expand(-1, 3, -1, -1)
        return self.blocks(coloured.contiguous(memory_format=torch.channels_last))


class Classifier(nn.Module):
    """Two outcomes from a backbone; `features` are the means of its last maps."""

    def __init__(self, encoder: Backbone, dropout: float = 0.3) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.outcome = nn.Linear(encoder.channels, 2)

    def forward(self, images: Tensor) -> Answer:
        features = self.encoder(images).float().mean(dim=(2, 3))
        return Answer(self.outcome(self.dropout(features)), features=features)


def mobilenet_v2(frozen: int = 0) -> Backbone:
    """MobileNetV2 (Sandler et al. 2018), 19 blocks; strides 2, 4, 8, 16, 32 begin at blocks 0, 2, 4, 7 and 14."""
    return Backbone(models.mobilenet_v2(weights=None).features, 1280, frozen)


def vgg16() -> Backbone:
    """VGG16 (Simonyan and Zisserman 2015) with batch normalisation; without it nothing is learnt in few epochs."""
    return Backbone(models.vgg16_bn(weights=None).features, 512)


def resnet50() -> Backbone:
    """ResNet50 (He et al. 2016)."""
    return Backbone(nn.Sequential(*list(models.resnet50(weights=None).children())[:-2]), 2048)
