"""Common subtypes drown rare ones in a ranking learnt by plain cross-entropy; the ranking is freed of their frequency.

Logit adjustment after training (Menon et al., ICLR 2021): strength times the log of each subtype's share among the
training films is taken off its logit. The strength is chosen out of fold.
"""

from __future__ import annotations

import numpy as np
import torch

from inference.families.joint.network import JointNet

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def shares_of(subtypes: np.ndarray, kinds: int) -> np.ndarray:
    """Return each subtype's share (kinds,) among the named ones of int (N,), -1 where none is named; never zero."""
    counts = np.bincount(subtypes[subtypes >= 0], minlength=kinds) + 1.0
    return counts / counts.sum()


def mean_hit(probabilities: np.ndarray, subtypes: np.ndarray) -> float:
    """Return how often the true subtype stands first, as the mean over the subtypes that occur; (N, S) and (N,)."""
    known = subtypes >= 0
    first = probabilities[known].argmax(axis=1) == subtypes[known]
    return float(np.mean([first[subtypes[known] == kind].mean() for kind in np.unique(subtypes[known])]))


def choose_strength(probabilities: np.ndarray, subtypes: np.ndarray, shares: np.ndarray) -> float:
    """Return the strength with the best mean hit that costs no hits overall.

    probabilities (N, S), subtypes int (N,) with -1 where none is named, shares (N, S): those of the films that the
    member that answered learnt from. Nothing is adjusted where no film names its subtype.
    """
    known = subtypes >= 0
    if not known.any():
        return 0.0
    found = {s: probabilities[known] / shares[known] ** s for s in STRENGTHS}
    overall = {s: float((p.argmax(axis=1) == subtypes[known]).mean()) for s, p in found.items()}
    allowed = [s for s in STRENGTHS if overall[s] >= overall[0.0]]
    return max(allowed, key=lambda s: mean_hit(found[s], subtypes[known]))


def adjust(member: JointNet, shares: np.ndarray, strength: float) -> None:
    """Take strength * log(shares) off the member's subtype logits, in place; a member without subtypes stays."""
    if member.subtype is not None:
        with torch.no_grad():
            member.subtype.bias.sub_(strength * torch.from_numpy(np.log(shares)).float())
