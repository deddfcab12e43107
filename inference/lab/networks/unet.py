"""A U-Net (Ronneberger et al. 2015) on a pretrained encoder: the outline alone, without a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.families.joint.network import Answer, Encoder

_ENCODED = (24, 32, 96, 1280)


def _double(before: int, after: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for channels in (before, after):
        parts += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*parts)


class UNet(nn.Module):
    """Grey films (N, 1, H, W), sides divisible by 32, to cell logits (N, H / 4, W / 4).

    No class is taught: the tumour logit is that of the likeliest cell, and of malignant it knows nothing (logit 0).
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 96), frozen: int = 1) -> None:
        super().__init__()
        self.encoder = Encoder(frozen)
        self.bottom = nn.Conv2d(_ENCODED[3], widths[2], 1)
        steps, before = [], widths[2]
        for level in (2, 1, 0):
            steps.append(_double(before + _ENCODED[level], widths[level]))
            before = widths[level]
        self.steps = nn.ModuleList(steps)
        self.cell = nn.Conv2d(before, 1, 1)
        assert self.cell.bias is not None
        # Nearly every cell is without lesion: starting there spares the first epoch.
        nn.init.constant_(self.cell.bias, -4.0)

    def forward(self, images: Tensor) -> Answer:
        found = self.encoder(images)
        maps = self.bottom(found[3])
        for step, beside in zip(self.steps, found[2::-1], strict=True):
            above = functional.interpolate(maps, scale_factor=2.0, mode="nearest")
            maps = step(torch.cat([above, beside], dim=1))
        cells = self.cell(maps)[:, 0]
        tumour = cells.float().flatten(1).amax(dim=1)
        return Answer(torch.stack([tumour, torch.zeros_like(tumour)], dim=1), cells)
