"""EfficientNet-Lite 0 to 2: EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with ReLU6."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from inference.lab.networks.classifier import Backbone

# Repeats, kernel, stride, expansion, channels of the seven stages of EfficientNet-B0.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# Factors of width and depth per variant; stem, head and the repeats of first and last stage are not scaled in Lite.
_FACTORS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
_STEM, _HEAD = 32, 1280
# TensorFlow's values, with which the weights were trained.
_EPS, _MOMENTUM = 1e-3, 0.01
_MEAN, _SPREAD = 127 / 255, 128 / 255


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: with stride 2 and an even side the odd pixel lies right and below."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, groups: int) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(before, after, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if self.stride[0] > 1:
            maps = functional.pad(maps, _margins(maps.shape[-1], self) + _margins(maps.shape[-2], self))
        return super().forward(maps)


def _margins(length: int, conv: nn.Conv2d) -> list[int]:
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    total = max(0, (math.ceil(length / stride) - 1) * stride + kernel - length)
    return [total // 2, total - total // 2]


def _unit(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, *, active: bool = True) -> nn.Module:
    parts = [SameConv(before, after, kernel, stride, groups), nn.BatchNorm2d(after, eps=_EPS, momentum=_MOMENTUM)]
    return nn.Sequential(*parts, nn.ReLU6()) if active else nn.Sequential(*parts)


class Block(nn.Module):
    """Expand, filter per channel, project; the input is added where shapes agree."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.expand = _unit(before, wide, 1) if expansion > 1 else None
        self.filter = _unit(wide, wide, kernel, stride, groups=wide)
        self.project = _unit(wide, after, 1, active=False)
        self.adds = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        wide = self.expand(maps) if self.expand is not None else maps
        out = self.project(self.filter(wide))
        return maps + out if self.adds else out


def _scaled(channels: int, factor: float) -> int:
    """Channels times factor, to a multiple of eight that loses at most a tenth."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def efficientnet_lite(variant: int, frozen: int = 0) -> Backbone:
    """Return stem, blocks and head of EfficientNet-Lite `variant`; frozen counts stem and blocks alike."""
    width, depth = _FACTORS[variant]
    parts: list[nn.Module] = [_unit(3, _STEM, 3, 2)]
    before = _STEM
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        inner = 0 < number < len(_STAGES) - 1
        after = _scaled(channels, width)
        for turn in range(math.ceil(repeats * depth) if inner else repeats):
            parts.append(Block(before, after, kernel, stride if turn == 0 else 1, expansion))
            before = after
    parts.append(_unit(before, _HEAD, 1))
    return Backbone(nn.Sequential(*parts), _HEAD, frozen, _MEAN, _SPREAD)
