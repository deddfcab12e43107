"""From trained runs to a shippable pair: one safetensors file and its card, calibrated on validation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save

from inference.calibration import (
    Calibration,
    OperatingPoint,
    between_threshold,
    class_probabilities,
    fit_calibration,
    youden_threshold,
)
from inference.errors import DataError
from inference.imaging.canonical import PREPROCESSING_VERSION
from inference.lab.data import VALIDATION_PARTS, Film, file_sha256, load_films, read_squares, select
from inference.lab.experiment import Experiment
from inference.lab.statements import NOTICE, STATEMENTS
from inference.lab.tasks import FILMS_FOLDER, load_examples, load_not_bone
from inference.lab.train import predict_logits, to_tensor
from inference.models.paper_cnn import PaperCNN, build

NAME = "bonescan-paper-cnn"
WEIGHTS_FILE = "model.safetensors"
CHOSEN_ON = "fold4 (validation), largest sensitivity + specificity"


def load_run(folder: Path, experiment: Experiment) -> PaperCNN:
    """Return the best network of a finished run."""
    path = folder / "best.safetensors"
    if not path.is_file():
        raise DataError("no_run", f"The run {folder.name} has no weights yet: train it first.")
    network = build(experiment.architecture)
    network.load_state_dict(load_file(path), strict=True)
    return network.eval()


def _network_entry(network: PaperCNN, experiment: Experiment, calibration: Calibration, run: Path) -> dict[str, Any]:
    progress = json.loads((run / "history.json").read_text(encoding="utf-8"))
    recipe = experiment.as_dict()
    return {
        "task": experiment.task,
        "architecture": experiment.architecture,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "calibration": {
            "method": "Platt scaling on validation",
            "scale": round(calibration.scale, 6),
            "bias": round(calibration.bias, 6),
        },
        "training": {
            "recipe": recipe,
            "optimiser": "Adam, binary cross-entropy, warm-up and cosine, exponential average of the weights",
            "epochs_run": progress["epoch"],
            "epoch_chosen": progress["best_epoch"],
            "minutes": round(progress["seconds"] / 60, 1),
            "command": f"python -m inference train --data DIR --only {experiment.name}",
            "history": progress["history"],
        },
    }


def _calibrate(network: PaperCNN, squares: np.ndarray, targets: np.ndarray) -> tuple[Calibration, np.ndarray]:
    logits = predict_logits(network, to_tensor(squares, network.size))
    return fit_calibration(logits, targets), logits


def _operating_point(films: list[Film], t: np.ndarray, m: np.ndarray) -> OperatingPoint:
    malignant = class_probabilities(t, m)[:, 2]
    is_malignant = np.array([film.label == "malignant" for film in films])
    is_tumour = np.array([film.label != "normal" for film in films])
    cut = {"malignant": youden_threshold(malignant, is_malignant), "tumour": youden_threshold(t, is_tumour)}
    return OperatingPoint("balanced", round(cut["malignant"], 4), round(cut["tumour"], 4), CHOSEN_ON)


def _gate_entry(root: Path, experiment: Experiment, network: PaperCNN, films: list[Film]) -> tuple[Calibration, dict]:
    _, validation = load_examples(root, experiment)
    calibration, logits = _calibrate(network, validation.squares, validation.targets)
    kinds = experiment.held_out_kinds
    real = [image for image in load_not_bone(root, kinds) if image.part == "validation"]
    accepted, refused = logits[: len(films)], logits[len(films) : len(films) + len(real)]
    threshold = float(calibration.probability(between_threshold(accepted, refused)))
    return calibration, {
        "threshold": round(threshold, 6),
        "chosen_on": "validation: half way between the lowest 1 % of bones and the top 1 % of others (logits)",
        "held_out_kinds": list(kinds),
        "blank_rule": "refused where the 1st and 99th percentile of grey differ by less than 10 of 255, or where the "
        "film is a smooth ramp (second differences on a 32 x 32 grid below 9)",
    }


def assemble(root: Path, runs: Path, experiments: dict[str, Experiment], version: str, out: Path) -> dict[str, Any]:
    """Write weights, card and notice to `out` and return the card. Reads training and validation parts only."""
    torch.set_num_threads(1)
    films = select(load_films(root / FILMS_FOLDER), VALIDATION_PARTS)
    squares = read_squares([film.path for film in films])
    networks = {name: load_run(runs / name, experiments[name]) for name in ("tumour", "malignant", "gate")}
    tumour = np.array([film.label != "normal" for film in films], dtype=float)
    malignant = np.array([film.label == "malignant" for film in films], dtype=float)
    among = tumour > 0
    calibrations = {"tumour": _calibrate(networks["tumour"], squares, tumour)[0]}
    calibrations["malignant"] = _calibrate(networks["malignant"], squares[among], malignant[among])[0]
    calibrations["gate"], gate = _gate_entry(root, experiments["gate"], networks["gate"], films)
    chance = {
        name: calibrations[name].probability(predict_logits(networks[name], to_tensor(squares, networks[name].size)))
        for name in ("tumour", "malignant")
    }
    tensors = {
        f"{name}.{key}": value.contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    data = save(tensors)
    folds = file_sha256(root / FILMS_FOLDER / "folds.csv")
    card = {
        "name": NAME,
        "version": version,
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "networks": {
            name: _network_entry(networks[name], experiments[name], calibrations[name], runs / name)
            for name in networks
        },
        "initialisation": {
            "text": "The convolutions of the tumour and malignant networks start from a run that marks lesions on a "
            "14 x 14 grid (training films and their masks only); the founding paper starts from random values.",
            "recipe": experiments["outline"].as_dict(),
        },
        "operating_point": _operating_point(films, chance["tumour"], chance["malignant"]).as_dict(),
        "gate": gate,
        **STATEMENTS,
        "protocol": {**STATEMENTS["protocol"], "folds_sha256": folds},
        "command": "python -m inference train --data DIR && python -m inference build --data DIR "
        "&& python -m inference evaluate --data DIR --write-card",
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS_FILE).write_bytes(data)
    (out / "NOTICE").write_text(NOTICE, encoding="utf-8")
    write_card(card, out)
    return card


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write the card as JSON, readable and with a last newline."""
    text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
