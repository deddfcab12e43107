"""What a network is taught: classes in two steps, outlines, subtypes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from inference.families.joint.network import Answer
from inference.lab.recipes.experiment import Experiment

# A lesion covers one cell in a hundred: its cells count more.
_CELL_WEIGHT = 3.0


@dataclass(frozen=True)
class Targets:
    """`labels` (N,) 0 normal, 1 benign, 2 malignant; `masks` (N, 1, H, W) in [0, 1] or None; `subtypes` (N,) or -1."""

    labels: Tensor
    masks: Tensor | None
    subtypes: Tensor

    def to(self, device: torch.device) -> Targets:
        """Return the same targets on another device."""
        masks = None if self.masks is None else self.masks.to(device)
        return Targets(self.labels.to(device), masks, self.subtypes.to(device))


def _focal(loss: Tensor, gamma: float) -> Tensor:
    """Lin et al. 2017: weigh each cross-entropy with (1 - p) ** gamma, p the probability of what is true."""
    return loss * (1 - torch.exp(-loss.detach())) ** gamma if gamma else loss


def classes_loss(logits: Tensor, labels: Tensor, experiment: Experiment) -> Tensor:
    """Binary cross-entropy of tumour over all films and of malignant over tumour films; logits (N, 2).

    A network of one finding answers logits (N, 1): it is taught the first alone.
    """
    tumour = (labels > 0).float()
    first = functional.binary_cross_entropy_with_logits(logits[:, 0], tumour, reduction="none")
    if logits.shape[1] == 1:
        return _focal(first, experiment.focal).mean()
    weight = logits.new_tensor(experiment.malignant_weight)
    second = functional.binary_cross_entropy_with_logits(
        logits[:, 1], (labels == 2).float(), pos_weight=weight, reduction="none"
    )
    second = (_focal(second, experiment.focal) * tumour).sum() / tumour.sum().clamp(min=1)
    return _focal(first, experiment.focal).mean() + second


def mask_loss(cells: Tensor, masks: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per cell plus Dice per tumour film (Milletari et al. 2016); cells (N, h, w), masks (N, 1, H, W)."""
    wanted = functional.adaptive_avg_pool2d(masks, (cells.shape[-2], cells.shape[-1]))[:, 0]
    weight = cells.new_tensor(_CELL_WEIGHT)
    # A mean over all cells would drown a lesion of a few cells; the factor brings the term to the size of the others.
    entropy = 10 * functional.binary_cross_entropy_with_logits(cells, wanted, pos_weight=weight)
    chance = torch.sigmoid(cells)
    overlap = 2 * (chance * wanted).sum(dim=(1, 2)) + 1
    dice = 1 - overlap / (chance.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2)) + 1)
    tumour = (labels > 0).float()
    return entropy + (dice * tumour).sum() / tumour.sum().clamp(min=1)


def total_loss(answer: Answer, targets: Targets, experiment: Experiment) -> Tensor:
    """Return the weighted sum of what this network answers and this experiment asks for."""
    loss = experiment.classes_weight * classes_loss(answer.logits.float(), targets.labels, experiment)
    if answer.masks is not None and targets.masks is not None and experiment.mask_weight:
        loss = loss + experiment.mask_weight * mask_loss(answer.masks.float(), targets.masks, targets.labels)
    known = targets.subtypes >= 0
    if answer.subtypes is not None and experiment.subtype_weight and bool(known.any()):
        named = functional.cross_entropy(answer.subtypes.float()[known], targets.subtypes[known])
        loss = loss + experiment.subtype_weight * named
    return loss
