"""Training of row 7: the common trainer with lesions as objects instead of cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from inference.lab.networks.losses import Targets
from inference.lab.networks.mask_rcnn import MaskNet
from inference.lab.training.train import Trainer

# A lesion of fewer pixels in a direction is no box for a detector.
_SMALLEST = 3
_MOST = 6


def objects(masks: np.ndarray, labels: np.ndarray) -> list[dict[str, Tensor]]:
    """Return torchvision's targets of N films: each connected part of masks bool (N, H, W) is a lesion of its film's
    label (1 benign, 2 malignant); the largest six count. A normal film has none."""
    return [_objects(mask, int(label)) for mask, label in zip(masks, labels, strict=True)]


def _objects(mask: np.ndarray, label: int) -> dict[str, Tensor]:
    from scipy import ndimage  # training only: the portal does without it

    numbers, _ = ndimage.label(mask if label else np.zeros_like(mask), structure=np.ones((3, 3)))
    areas = np.bincount(numbers.ravel())[1:]
    parts = [numbers == number + 1 for number in np.argsort(-areas)[:_MOST]]
    boxes, kept = [], []
    for part in parts:
        down, right = np.nonzero(part)
        box = (right.min(), down.min(), right.max() + 1, down.max() + 1)
        if min(box[2] - box[0], box[3] - box[1]) >= _SMALLEST:
            boxes.append(box)
            kept.append(part)
    stacked = np.stack(kept) if kept else np.zeros((0, *mask.shape), dtype=bool)
    return {
        "boxes": torch.tensor(np.array(boxes, dtype=np.float32).reshape(-1, 4)),
        "labels": torch.full((len(kept),), label, dtype=torch.int64),
        "masks": torch.from_numpy(stacked.astype(np.uint8)),
    }


class MaskTrainer(Trainer):
    """Trains a MaskNet; checkpoints, budget, averaging and validation are the common ones."""

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """Return torchvision's detection losses of this batch, added up."""
        assert isinstance(self.network, MaskNet)
        taught = [{name: value.to(images.device) for name, value in film.items()} for film in self._objects(targets)]
        return self.network.loss(images, taught)

    @staticmethod
    def _objects(targets: Targets) -> list[dict[str, Tensor]]:
        assert targets.masks is not None
        return objects(targets.masks[:, 0].cpu().numpy() >= 0.5, targets.labels.cpu().numpy())
