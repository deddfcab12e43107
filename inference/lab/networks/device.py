"""Where training computes: on a GPU where there is one, else on one CPU thread. The portal's worker never asks."""

from __future__ import annotations

from functools import cache

import torch


@cache
def device() -> torch.device:
    """Return the first CUDA device, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
