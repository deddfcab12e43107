"""Where a score came from: Grad-CAM (Selvaraju et al. 2017) and its element-wise form HiResCAM (Draelos 2020)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.families.joint.network import JointNet

SALIENCY_SIDE = 56


def grad_cam(features: Tensor, score_of: Callable[[Tensor], Tensor], side: int = SALIENCY_SIDE) -> np.ndarray:
    """Return a uint8 (side, side) map, 0 to 255, of what raised the score.

    `features` are activations (1, C, h, w); `score_of` maps them to one score (1,). Each channel is weighted with its
    mean gradient, the sum is cut at zero, enlarged bilinearly and scaled to a peak of 255; all zero where nothing
    raised the score.
    """
    maps = features.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        score = score_of(maps).sum()
        (gradient,) = torch.autograd.grad(score, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    cam = functional.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
    cam = functional.interpolate(cam.contiguous(), size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    peak = float(cam.max())
    if peak <= 0 or not np.isfinite(peak):
        return np.zeros((side, side), dtype=np.uint8)
    return (cam / peak * 255).round().to(torch.uint8).numpy()


def attribution(network: JointNet, image: Tensor, step: int, side: int = 64) -> np.ndarray:
    """Return a uint8 (side, side) map, 0 to 255, of what raised one logit of a joint network (0 tumour, 1 malignant).

    `image` is (1, 1, H, W) in [0, 1]. The head reads means of four maps; gradient times activation of each place is
    therefore exactly its share of the head's linear response (HiResCAM). Positive shares of all four maps are added
    on one grid, so that a place counts the same whatever the stride it was read at.
    """
    with torch.no_grad():
        maps, cells, p8, p16 = network.pyramid(image.contiguous(memory_format=torch.channels_last))
    read = [part.float().detach().requires_grad_(True) for part in (maps[2], maps[3], p8, p16)]
    with torch.enable_grad():
        answer = network.head([maps[0], maps[1], read[0], read[1]], cells, read[2], read[3])
        gradients = torch.autograd.grad(answer.logits[0, step], read)
    total = torch.zeros(1, 1, side, side)
    for part, gradient in zip(read, gradients, strict=True):
        share = functional.relu((part.detach() * gradient).sum(dim=1, keepdim=True))
        spread = functional.interpolate(share, size=(side, side), mode="bilinear", align_corners=False)
        total += spread * share.shape[-1] * share.shape[-2] / side**2
    peak = float(total.max())
    if peak <= 0 or not np.isfinite(peak):
        return np.zeros((side, side), dtype=np.uint8)
    return (total[0, 0] / peak * 255).round().to(torch.uint8).numpy()
