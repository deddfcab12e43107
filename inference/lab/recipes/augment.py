"""Augmentation on whole batches of tensors: geometry in one resampling, then grey values, then what files do."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """Strengths; a probability is per image. Degrees for `rotation`, a share of the side for `shift`.

    `quarter_turns` is how often a film lies at one of four right angles, `letterbox` how often it gets black bars.
    """

    rotation: float = 20.0
    zoom: float = 0.15
    stretch: float = 0.1
    shift: float = 0.08
    flip_horizontal: float = 0.5
    flip_vertical: float = 0.0
    brightness: float = 0.1
    contrast: float = 0.25
    gamma: float = 0.25
    blur: float = 0.0
    jpeg: float = 0.0
    noise: float = 0.0
    border: float = 0.0
    inversion: float = 0.0
    erasure: float = 0.0
    quarter_turns: float = 0.0
    letterbox: float = 0.0


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def geometry(images: Tensor, strengths: Augmentation, generator: torch.Generator, side: int | None = None) -> Tensor:
    """Rotate, zoom, stretch, shift and flip (N, C, H, W) in one bilinear resampling to `side`; outside is black."""
    count = len(images)
    shape = list(images.shape[:2]) + ([side, side] if side else list(images.shape[2:]))
    angle = _uniform(count, -strengths.rotation, strengths.rotation, generator) * (math.pi / 180)
    if strengths.quarter_turns:
        turned = torch.rand(count, generator=generator) < strengths.quarter_turns
        angle += turned * torch.randint(4, (count,), generator=generator) * (math.pi / 2)
    zoom = torch.exp(_uniform(count, -strengths.zoom, strengths.zoom, generator))
    stretch = torch.exp(_uniform(count, -strengths.stretch, strengths.stretch, generator))
    mirror = 1 - 2 * (torch.rand(count, generator=generator) < strengths.flip_horizontal).float()
    upside = 1 - 2 * (torch.rand(count, generator=generator) < strengths.flip_vertical).float()
    scale_x, scale_y = zoom * stretch, zoom / stretch
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = torch.cos(angle) * scale_x * mirror
    matrix[:, 0, 1] = -torch.sin(angle) * scale_y
    matrix[:, 1, 0] = torch.sin(angle) * scale_x * mirror
    matrix[:, 1, 1] = torch.cos(angle) * scale_y * upside
    matrix[:, 0, 1] *= upside
    if strengths.letterbox:
        _shrink_to_a_part(matrix, strengths.letterbox, generator)
    matrix[:, :, 2] = _uniform(2 * count, -2 * strengths.shift, 2 * strengths.shift, generator).view(count, 2)
    grid = functional.affine_grid(matrix, shape, align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _shrink_to_a_part(matrix: Tensor, chance: float, generator: torch.Generator) -> None:
    """Shrink films along one side, by up to 45 %, or by up to 30 % along both: what is left free becomes black."""
    count = len(matrix)
    draw = torch.rand(4, count, generator=generator)
    boxed = draw[0] < chance
    one, both = 1 / (1 - 0.45 * draw[1]), 1 / (1 - 0.3 * draw[2])
    across = torch.where(draw[3] < 0.4, one, torch.where(draw[3] < 0.8, torch.ones(count), both))
    down = torch.where(draw[3] < 0.4, torch.ones(count), torch.where(draw[3] < 0.8, one, both))
    matrix[:, :, 0] *= torch.where(boxed, across, torch.ones(count)).unsqueeze(1)
    matrix[:, :, 1] *= torch.where(boxed, down, torch.ones(count)).unsqueeze(1)


def grey_values(images: Tensor, strengths: Augmentation, generator: torch.Generator) -> Tensor:
    """Vary gamma, contrast about mid-grey and brightness; the result stays in [0, 1]."""
    count = len(images)
    gamma = torch.exp(_uniform(count, -strengths.gamma, strengths.gamma, generator)).view(-1, 1, 1, 1)
    contrast = torch.exp(_uniform(count, -strengths.contrast, strengths.contrast, generator)).view(-1, 1, 1, 1)
    brightness = _uniform(count, -strengths.brightness, strengths.brightness, generator).view(-1, 1, 1, 1)
    varied = images.clamp(1e-4, 1).pow(gamma)
    return ((varied - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def _blurred(image: Tensor, factor: float) -> Tensor:
    """Shrink by `factor` and enlarge again: the blur of a small or badly scaled original."""
    size = image.shape[-2:]
    small = functional.interpolate(image, scale_factor=1 / factor, mode="bilinear", antialias=True)
    return functional.interpolate(small, size=size, mode="bilinear")


def _through_jpeg(image: Tensor, quality: int) -> Tensor:
    buffer = io.BytesIO()
    Image.fromarray((image[0, 0].numpy() * 255).astype(np.uint8)).save(buffer, format="JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(buffer)).astype(np.float32) / 255)[None, None]


def _collimated(image: Tensor, chance: float, generator: torch.Generator) -> Tensor:
    """Cover up to 30 % at two opposite edges, black or bright: collimators and unexposed film look like either."""
    draw = torch.rand(5, generator=generator).tolist()
    if draw[0] >= chance:
        return image
    value = 0.0 if draw[1] < 0.4 else 0.85 + 0.15 * (draw[1] - 0.4) / 0.6
    framed = image.clone() if draw[2] < 0.65 else image.clone().transpose(-1, -2)
    side = framed.shape[-1]
    framed[..., : int(side * 0.3 * draw[3])] = value
    framed[..., side - int(side * 0.3 * draw[4]) :] = value
    return framed if draw[2] < 0.65 else framed.transpose(-1, -2)


def _erased(image: Tensor, generator: torch.Generator) -> Tensor:
    """Cover one to three small rectangles near the edges, where lead markers and text stand, black or bright."""
    out = image.clone()
    side = out.shape[-1]
    draw = torch.rand(13, generator=generator).tolist()
    for turn in range(1 + int(draw[12] * 3)):
        along, depth, long, value = draw[4 * turn : 4 * turn + 4] if turn < 3 else draw[:4]
        width, height = int(side * (0.03 + 0.12 * long)), int(side * 0.06)
        x = int(along * (side - width))
        y = int(depth * side * 0.12) if value < 0.5 else side - height - int(depth * side * 0.12)
        grey = 0.0 if along < 0.5 else 0.9
        (out if long < 0.5 else out.transpose(-1, -2))[..., y : y + height, x : x + width] = grey
    return out


def file_history(images: Tensor, strengths: Augmentation, generator: torch.Generator) -> Tensor:
    """Blur, compress, add noise and black borders at random, so that none of them tells one source from another."""
    out = images.clone()
    for index in range(len(out)):
        image = out[index : index + 1]
        if strengths.border:
            image = _collimated(image, strengths.border, generator)
        draw = torch.rand(8, generator=generator).tolist()
        if draw[6] < strengths.erasure:
            image = _erased(image, generator)
        if draw[7] < strengths.inversion:
            image = 1 - image
        if draw[0] < strengths.blur:
            image = _blurred(image, 1.2 + 3.3 * draw[1])
        if draw[2] < strengths.jpeg:
            image = _through_jpeg(image, int(20 + 70 * draw[3]))
        if draw[4] < strengths.noise:
            image = (image + torch.randn(image.shape, generator=generator) * 0.06 * draw[5]).clamp(0, 1)
        out[index : index + 1] = image
    return out


def tones(images: Tensor, strengths: Augmentation, generator: torch.Generator) -> Tensor:
    """Vary all but the geometry: grey values, then what happens to files."""
    varied = grey_values(images, strengths, generator)
    file = (strengths.blur, strengths.jpeg, strengths.noise, strengths.border, strengths.inversion, strengths.erasure)
    return file_history(varied, strengths, generator) if any(file) else varied
