"""The joint network: one pretrained encoder, a decoder that outlines the lesion, a classifier that reads both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import mobilenet_v2

# ImageNet's mean and standard deviation, averaged over the three colours: the film is grey.
_MEAN, _SPREAD = 0.449, 0.226
# Where torchvision's MobileNetV2 halves the picture for the second, third, fourth and fifth time.
STAGES = ((0, 4), (4, 7), (7, 14), (14, 19))
_CHANNELS = (24, 32, 96, 1280)
_TOP_CELLS = 16


@dataclass(frozen=True)
class Answer:
    """What a network says of N films: logits of tumour and of malignant-given-tumour (N, 2), of one finding (N, 1).

    `masks` are logits (N, h, w) per cell of the film, `subtypes` logits (N, S), `features` (N, D) what the head read.
    """

    logits: Tensor
    masks: Tensor | None = None
    subtypes: Tensor | None = None
    features: Tensor | None = None


def _block(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


class Encoder(nn.Module):
    """MobileNetV2 (Sandler et al. 2018) as four stages with strides 4, 8, 16 and 32; the first `frozen` never learn."""

    def __init__(self, frozen: int = 1) -> None:
        super().__init__()
        blocks = list(mobilenet_v2(weights=None).features)
        self.stages = nn.ModuleList(nn.Sequential(*blocks[first:last]) for first, last in STAGES)
        self.frozen = frozen
        for stage in self.stages[:frozen]:
            stage.requires_grad_(False)

    def train(self, mode: bool = True) -> Encoder:
        super().train(mode)
        for stage in self.stages[: self.frozen]:
            stage.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of the four stages of grey images (N, 1, H, W) in [0, 1]."""
        maps = ((images - _MEAN) / _SPREAD).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        found = []
        for stage in self.stages:
            maps = stage(maps)
            found.append(maps)
        return found


class Decoder(nn.Module):
    """A small feature pyramid (Lin et al. 2017) from stride 32 up to stride 4, then one logit per cell."""

    def __init__(self, width: int = 64, fine: int = 32) -> None:
        super().__init__()
        widths = (fine, width, width, width)
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(_CHANNELS, widths, strict=True))
        self.join = nn.ModuleList([_block(fine, fine), _block(width, width), _block(width, width)])
        self.narrow = nn.Conv2d(width, fine, 1)
        self.cell = nn.Conv2d(fine, 1, 1)
        assert self.cell.bias is not None
        nn.init.constant_(self.cell.bias, -4.0)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return cell logits (N, h, w) at stride 4 and the pyramid's maps at strides 8 and 16."""

        def up(coarse: Tensor) -> Tensor:
            return functional.interpolate(coarse, scale_factor=2.0, mode="nearest")

        p16 = self.join[2](self.lateral[2](maps[2]) + up(self.lateral[3](maps[3])))
        p8 = self.join[1](self.lateral[1](maps[1]) + up(p16))
        p4 = self.join[0](self.lateral[0](maps[0]) + up(self.narrow(p8)))
        return self.cell(p4)[:, 0], p8, p16


def _within(maps: Tensor, weights: Tensor) -> Tensor:
    """Mean of maps (N, C, h, w) where the outline's probability (N, 1, H, W) is high: (N, C)."""
    weights = functional.adaptive_avg_pool2d(weights, (maps.shape[-2], maps.shape[-1]))
    return (maps * weights).sum(dim=(2, 3)) / (weights.sum(dim=(2, 3)) + 1e-4)


class JointNet(nn.Module):
    """Grey films (N, 1, H, W) in [0, 1], sides divisible by 32, to an Answer with outlines and subtypes."""

    def __init__(
        self, size: int = 256, subtypes: int = 8, frozen: int = 1, dropout: float = 0.3, outcomes: int = 2
    ) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(frozen)
        self.decoder = Decoder()
        read = _CHANNELS[3] + _CHANNELS[2] + 64 + 64 + 3
        self.read = nn.Sequential(nn.Dropout(dropout), nn.Linear(read, 192), nn.ReLU(), nn.Dropout(dropout))
        self.outcome = nn.Linear(192, outcomes)
        self.subtype = nn.Linear(192, subtypes) if subtypes else None

    def pyramid(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """Return encoder maps, cell logits and pyramid maps: all that `head` needs."""
        maps = self.encoder(images)
        return maps, *self.decoder(maps)

    def head(self, maps: list[Tensor], cells: Tensor, p8: Tensor, p16: Tensor) -> Answer:
        """Classify from encoder and outlined region. The outline is taught by masks alone, hence the detach."""
        chance = torch.sigmoid(cells.float().detach()).unsqueeze(1)
        top = cells.float().detach().flatten(1).topk(_TOP_CELLS, dim=1).values
        told = torch.stack([top[:, 0] / 4, top.mean(dim=1) / 4, chance.mean(dim=(1, 2, 3)).sqrt()], dim=1)
        parts = [
            maps[3].float().mean(dim=(2, 3)),
            _within(maps[2].float(), chance),
            _within(p16.float(), chance),
            _within(p8.float(), chance),
            told,
        ]
        features = torch.cat(parts, dim=1)
        read = self.read(features)
        subtypes = self.subtype(read) if self.subtype is not None else None
        return Answer(self.outcome(read), cells, subtypes, features)

    def forward(self, images: Tensor) -> Answer:
        return self.head(*self.pyramid(images))


def build(architecture: dict[str, Any]) -> JointNet:
    """Build the network of an `architecture` entry (size, subtypes, frozen, dropout, outcomes), in channels_last."""
    return JointNet(**architecture).to(memory_format=torch.channels_last)
