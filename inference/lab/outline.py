"""Where the convolutions start from: before it learns classes, a network learns to mark lesions on a coarse grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from inference.errors import DataError
from inference.lab.augment import geometry, grey_values
from inference.lab.data import TRAIN_PARTS, VALIDATION_PARTS, Film, load_films, read_grey, read_squares, select
from inference.lab.experiment import Experiment
from inference.lab.tasks import FILMS_FOLDER, TUMOURS, Examples
from inference.lab.train import Trainer
from inference.models.paper_cnn import PaperCNN

_RARE = 3.0


class OutlineCNN(PaperCNN):
    """The paper's blocks with one 1x1 convolution on top: lesion and malignant lesion per cell of the last map."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment.widths, experiment.size, experiment.dense, experiment.dropout)
        self.outline = nn.Conv2d(experiment.widths[-1], 2, 1)
        nn.init.normal_(self.outline.weight, std=0.01)
        assert self.outline.bias is not None
        nn.init.constant_(self.outline.bias, -4.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2, h, w)."""
        return self.outline(self.features(images))


def read_masks(root: Path, films: list[Film], size: int) -> np.ndarray:
    """Return uint8 (N, size, size) in {0, 1}; no tumour, empty mask; a tumour without a mask is an error."""
    masks = np.zeros((len(films), size, size), dtype=np.uint8)
    for index, film in enumerate(films):
        if film.label not in TUMOURS:
            continue
        found = sorted((root / FILMS_FOLDER / "masks").glob(f"{film.image_id}.*"))
        if not found:
            raise DataError("missing_mask", f"masks/ has no file for the tumour film {film.image_id}.")
        mask = Image.fromarray((read_grey(found[0]) > 0).astype(np.uint8) * 255)
        masks[index] = np.asarray(mask.resize((size, size), Image.Resampling.BOX)) > 0
    return masks


def load_outlines(root: Path, experiment: Experiment) -> tuple[Examples, Examples, np.ndarray, np.ndarray]:
    """Return training and validation examples (target: tumour), the training masks and which of them are malignant."""
    films = load_films(root / FILMS_FOLDER)
    train, validation = select(films, TRAIN_PARTS), select(films, VALIDATION_PARTS)
    examples = [
        Examples(
            read_squares([film.path for film in part]), np.array([f.label in TUMOURS for f in part], dtype=np.float32)
        )
        for part in (train, validation)
    ]
    malignant = np.array([film.label == "malignant" for film in train])
    return examples[0], examples[1], read_masks(root, train, experiment.size), malignant


class OutlineTrainer(Trainer):
    """Trains the blocks on masks (N, size, size); validation asks whether the brightest cell tells tumour from none."""

    def __init__(
        self,
        experiment: Experiment,
        train: Examples,
        validation: Examples,
        folder: Path,
        masks: np.ndarray,
        malignant: np.ndarray,
    ) -> None:
        self._masks = torch.from_numpy(masks)
        self._malignant = torch.from_numpy(malignant).float().view(-1, 1, 1, 1)
        super().__init__(experiment, train, validation, folder)

    def make_network(self) -> PaperCNN:
        return OutlineCNN(self.experiment).to(memory_format=torch.channels_last)

    def loss(self, chosen: Tensor) -> Tensor:
        """Return the cell-wise cross-entropy: each film counts alike, cells with a lesion a few times more."""
        strengths = self.experiment.augmentation
        pair = torch.cat([self.train_images[chosen], self._masks[chosen].unsqueeze(1).float()], dim=1)
        pair = geometry(pair, strengths, self.generator)
        images = grey_values(pair[:, :1], strengths, self.generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.experiment.bfloat16):
            logits = self.network(images.contiguous(memory_format=torch.channels_last)).float()
        lesion = (functional.adaptive_max_pool2d(pair[:, 1:], logits.shape[-2:]) > 0.5).float()
        wanted = torch.cat([lesion, lesion * self._malignant[chosen]], dim=1)
        rare = torch.tensor([_RARE, 2 * _RARE]).view(2, 1, 1)
        return 10 * functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=rare)

    def validation_logits(self) -> np.ndarray:
        self.averaged.eval()
        with torch.inference_mode():
            parts = [
                self.averaged(part.contiguous(memory_format=torch.channels_last))[:, 0].amax(dim=(1, 2))
                for part in self.validation_images.split(64)
            ]
        return torch.cat(parts).double().numpy()
