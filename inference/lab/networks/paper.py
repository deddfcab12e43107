"""The founding paper's network with two outcomes on the body that has one sigmoid in the paper."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from inference.families.joint.network import Answer
from inference.families.paper_cnn.network import PaperCNN


class PaperNet(nn.Module):
    """Grey images (N, 1, size, size) to tumour and malignant-given-tumour; `features` are the dense layer's values."""

    def __init__(self, widths: Sequence[int], size: int, dense: int = 128, dropout: float = 0.4) -> None:
        super().__init__()
        self.body = PaperCNN(widths, size, dense, dropout, outcomes=2)

    def forward(self, images: Tensor) -> Answer:
        features, logits = self.body.read(self.body.features(images))
        return Answer(logits, features=features)
