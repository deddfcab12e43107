"""Made films and answers for the tests of figures, comparison and report: small, seeded, with outlines on disk."""

from pathlib import Path

import numpy as np
from PIL import Image

from inference.calibration import OUTCOMES
from inference.lab.data.folder import LabelledFilm
from inference.lab.training.outputs import Outputs, Thresholds

THRESHOLDS = Thresholds(
    malignant=0.4, tumour=0.5, specificity_90=0.3, specificity_95=0.5, mask=0.5, subtype_names=("x", "y")
)
SIDE = 128


def square(x, y, side, size=SIDE):
    """Return uint8 (size, size) with 255 in a square."""
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[y : y + side, x : x + side] = 255
    return mask


def made_films(folder: Path | None, count=120, per_group=4, seed=1):
    """Return films of three classes in groups of one class; tumours have a square outline where `folder` is given."""
    rng = np.random.default_rng(seed)
    films = []
    for index in range(count):
        label = OUTCOMES[(index // per_group) % 3]
        attributes = {"centre": str(1 + (index // per_group) % 2), "subtype": "", "site": "knee"}
        mask_path = None
        if label != "normal":
            attributes |= {"subtype": "xy"[index % 2], "site": ""}
            if folder is not None:
                mask_path = folder / f"{index}.png"
                x, y = rng.integers(0, SIDE - 40, 2)
                Image.fromarray(square(x, y, int(rng.choice([3, 10, 20, 36])))).save(mask_path)
        films.append(
            LabelledFilm(f"f{index}", label, f"g{index // per_group}", "test", Path("none"), attributes, mask_path)
        )
    return films


def made_outputs(films, skill=1.5, seed=2, full=True):
    """Return answers that are right more often than not; `full` adds everything that an approach can say."""
    rng = np.random.default_rng(seed)
    labels = np.array([OUTCOMES.index(film.label) for film in films])
    count = len(films)
    logits = rng.normal(size=(count, 3))
    logits[np.arange(count), labels] += skill
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    called = np.where(p[:, 2] >= THRESHOLDS.malignant, 2, np.where(1 - p[:, 0] >= THRESHOLDS.tumour, 1, 0))
    outputs = Outputs([film.image_id for film in films], p, called)
    if not full:
        return outputs
    withheld = p.max(axis=1) < 0.5
    extra = {
        "withheld": withheld,
        "reasons": [["set_undecided"] if held else [] for held in withheld],
        "refused": np.arange(count) == 0,
        "prediction_sets": p > 0.1,
        "masks": rng.random((count, 64, 64)).astype(np.float16) ** 12,
        "saliency": rng.integers(0, 255, (count, 16, 16)).astype(np.uint8),
        "saliency_random": rng.integers(0, 255, (count, 16, 16)).astype(np.uint8),
        "perturbed": {"blur": np.where(np.arange(count) % 10 == 0, (called + 1) % 3, called), "noise": called.copy()},
        "subtypes": rng.dirichlet([1, 1], count),
        "ms_per_image": 20.0,
    }
    return Outputs(**{**outputs.__dict__, **extra})
