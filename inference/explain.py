"""Grad-CAM (Selvaraju et al. 2017) on the last convolution: where the score of one network came from. Not validated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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
