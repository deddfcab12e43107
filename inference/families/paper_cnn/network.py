"""The founding paper's network: blocks of 3x3 convolution, ReLU, 2x2 max-pooling; then flatten, dense, logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PaperCNN(nn.Module):
    """Float32 images (N, 1, size, size) in [0, 1] to one logit each, (N,), as in the paper, or to (N, outcomes).

    Centring the input inside the network keeps the stored preprocessing at plain [0, 1] as the paper has it.
    """

    def __init__(self, widths: Sequence[int], size: int, dense: int, dropout: float, outcomes: int = 1) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = 1
        for width in widths:
            block = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            blocks.append(block)
            channels = width
        side = size >> len(widths)
        self.size = size
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * side * side, dense),
            nn.ReLU(),
            nn.Linear(dense, outcomes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features(self, images: Tensor) -> Tensor:
        """Return the last block's activations before pooling, (N, C, h, w): the finest map that Grad-CAM may read."""
        maps = (images - 0.5) * 4.0
        for block in self.blocks[:-1]:
            maps = block(maps)
        last = self.blocks[-1]
        assert isinstance(last, nn.Sequential)
        return last[:2](maps)

    def read(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the dense layer's values (N, dense) and the logits (N, outcomes) that follow from `features`."""
        last = self.blocks[-1]
        assert isinstance(last, nn.Sequential)
        dense = self.head[:-1](last[2](maps))
        return dense, self.head[-1](dense)

    def classify(self, maps: Tensor) -> Tensor:
        """Return the one logit (N,) that follows from `features`."""
        return self.read(maps)[1].squeeze(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.features(images))


def build(architecture: dict) -> PaperCNN:
    """Build the network of a card's `architecture` entry (widths, size, dense, dropout), in channels_last."""
    network = PaperCNN(
        architecture["widths"], architecture["size"], architecture["dense"], float(architecture["dropout"])
    )
    return network.to(memory_format=torch.channels_last)
