"""Small weights, films and data folders made in code, for tests that need a model or a laboratory in seconds."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from inference.acceptance.rule import rule_for
from inference.families.gate.network import build as build_gate
from inference.families.joint.network import build as build_joint
from inference.families.paper_cnn.network import build
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.imaging.prepare import common_square
from inference.lab.cards.build import HASH_CHARACTERS, tensors_of
from inference.withholding import fit_distance

SMALL = {"widths": [4, 4], "size": 32, "dense": 8, "dropout": 0.0}


def toy_weights(folder: Path, *, gate_bias: float = 20.0, change: dict[str, torch.Tensor] | None = None) -> dict:
    """Write a matching pair of random weights and card; a large `gate_bias` lets every image pass the gate."""
    torch.manual_seed(3)
    tensors, networks = {}, {}
    for name in ("gate", "tumour", "malignant"):
        state = build(SMALL).state_dict()
        tensors |= {f"{name}.{key}": value.contiguous() for key, value in state.items()}
        bias = gate_bias if name == "gate" else 0.0
        networks[name] = {"architecture": SMALL, "calibration": {"scale": 1.0, "bias": bias}, "parameters": 1}
    data = save(tensors | (change or {}))
    card = {
        "name": "toy",
        "version": "0",
        "weights": {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest()},
        "preprocessing_version": PREPROCESSING_VERSION,
        "networks": networks,
        "operating_point": {"name": "balanced", "malignant": 0.3, "tumour": 0.5, "chosen_on": "nothing"},
        "gate": {"threshold": 0.5, "held_out_kinds": []},
        "acceptance": rule_for(None).as_dict(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return card


JOINT_SUBTYPES = ("osteochondroma", "osteosarcoma", "other mt")


def toy_joint(folder: Path, *, trained_on: tuple[np.ndarray, ...] = (), **changes: Any) -> dict:
    """Write a matching pair of the joint family: one random member, a gate that lets every image pass, a full card.

    `changes` replace entries of the card; `trained_on` are canonical images that stand in its list of training images.
    """
    torch.manual_seed(3)
    member_shape, gate_shape = {"size": 256, "subtypes": 3}, {"size": 64, "components": 2, "kinds": 1}
    member, gate = build_joint(member_shape), build_gate(gate_shape)
    gate.limits += 100.0
    distance = fit_distance(np.random.default_rng(1).normal(size=(40, member.read[1].in_features)), 4)
    data = save(tensors_of([member], gate.state_dict(), distance))
    point = {"malignant": 0.3, "tumour": 0.5, "chosen_on": "nothing"}
    card = {
        "name": "toy-joint",
        "version": "0",
        "family": "joint",
        "modality": ["CR", "DX"],
        "members": 1,
        "weights": {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "architecture": {"member": member_shape, "gate": gate_shape},
        "calibration": {"tumour": {"scale": 1.0, "bias": 0.0}, "malignant": {"scale": 1.0, "bias": 0.0}},
        "operating_points": {
            "balanced": {"name": "balanced", **point},
            "rule_out": {"name": "rule_out", **point, "malignant": 0.1},
        },
        "specificity_cut_offs": {"0.90": 0.4, "0.95": 0.5},
        "outline": {"threshold": 0.01, "smallest_area": 0.0},
        "subtypes": list(JOINT_SUBTYPES),
        "gate": {"threshold": 0.5},
        "withheld": {"level": 0.05, "cut_offs": [0.0, 0.0, 0.0], "distance": {"threshold": 1e9}},
        "saliency": {"method": "HiResCAM", "status": "shown"},
        "networks": {},
        "acceptance": rule_for(0.05).as_dict(),
        "training_images": [canonical_sha256(common_square(image))[:HASH_CHARACTERS] for image in trained_on],
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return card


def toy_film(seed: int, *, lesion: int = 0, side: int = 96) -> np.ndarray:
    """Return uint8 (side, side): a bright shaft on dark ground, with a dark hole of radius `lesion`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    film = np.where(np.abs(x - side / 2) < side / 6, 200.0, 40.0)
    if lesion:
        film[np.hypot(x - side / 2, y - rng.integers(side // 4, 3 * side // 4)) < lesion] = 90.0
    return np.clip(film + rng.normal(0, 6, film.shape), 0, 255).astype(np.uint8)


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def toy_labelled(root: Path, count: int = 6) -> Path:
    """Write a labelled folder of `count` films, a third of each class, and return it."""
    (root / "images").mkdir(parents=True)
    rows = []
    for index in range(count):
        film = toy_film(index, lesion=(0, 8, 14)[index % 3])
        Image.fromarray(film).save(root / "images" / f"A{index}.png")
        rows.append({"image_id": f"A{index}", "label": ("normal", "benign", "malignant")[index % 3]})
    _write_rows(root / "labels.csv", rows)
    return root


def toy_data(root: Path) -> Path:
    """Write a data folder in the form of the real one: 6 films of each class and part 12 images that are not bone."""
    films = root / "btxrd"
    for folder in (films / "images", films / "masks", films / "full_size", root / "gate" / "not_bone"):
        folder.mkdir(parents=True)
    labels, parts, patients, number = [], [], [], 0
    for part in ("fold0", "fold1", "fold2", "fold3", "fold4", "test"):
        for label, lesion in (("normal", 0), ("benign", 8), ("malignant", 14)):
            for _ in range(4):
                name = f"FILM{number:03d}"
                Image.fromarray(toy_film(number, lesion=lesion)).save(films / "images" / f"{name}.png")
                if lesion:
                    mask = np.zeros((96, 96), dtype=np.uint8)
                    mask[24:72, 34:62] = 255
                    Image.fromarray(mask).save(films / "masks" / f"{name}.png")
                labels.append({"image_id": name, "label": label, "group_id": str(number // 2)})
                parts.append({"image_id": name, "part": part})
                known = {"age": str(10 + number), "sex": "MF"[number % 2], "limb": "lower limb", "view": "frontal"}
                patients.append({"image_id": name, "patient_group": str(number // 2), **known})
                number += 1
    _write_rows(films / "labels.csv", labels)
    _write_rows(films / "folds.csv", parts)
    _write_rows(films / "folds_patient.csv", parts)
    _write_rows(films / "patients.csv", patients)
    rng = np.random.default_rng(1)
    rows = []
    for index in range(20):
        Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(root / "gate/not_bone" / f"{index}.png")
        rows.append({"file": f"{index}.png", "kind": "snow" if index % 2 else "static"})
    _write_rows(root / "gate" / "not_bone.csv", rows)
    return root


def toy_sources(root: Path) -> Path:
    """Write tumour-free films of other sources below a data folder, six of each part where a source has parts; of
    fracatlas two more of each part show a fracture."""
    tables: dict[str, dict[str, str]] = {
        "fracatlas": {"label": "not_fractured", "body_part": "leg", "near_gate": "0"},
        "knees": {"kellgren_lawrence": "0"},
        "hands": {"bone_age_months": "90", "male": "True"},
    }
    for number, (name, known) in enumerate(tables.items()):
        (root / name / "images").mkdir(parents=True)
        labels, parts = [], []
        for index in range(24 if name == "fracatlas" else 18):
            image_id = f"{name[0].upper()}{index:02d}"
            film = toy_film(500 + 50 * number + index)[:, : 96 - 12 * number]
            Image.fromarray(film).save(root / name / "images" / f"{image_id}.png")
            group, group_part = str(index // 2), index // 2 - 9
            about = {"image_id": image_id, "group_id": group, "patient_group": group, **known}
            labels.append(about | ({"label": "fractured"} if index >= 18 else {}))
            parts.append(
                {"image_id": image_id, "part": ("fold0", "fold4", "test")[index // 6 if index < 18 else group_part]}
            )
        _write_rows(root / name / "labels.csv", labels)
        _write_rows(root / name / "folds.csv", parts)
    folder = root / "gate" / "bone_other_source"
    folder.mkdir(parents=True)
    for index in range(4):
        Image.fromarray(toy_film(900 + index)).save(folder / f"normal_{index}.png")
    return root


FINDING_OUTCOMES = ("no_fracture", "fracture")


def toy_finding(folder: Path, **changes: Any) -> dict:
    """Write a matching pair of the family of one finding, random; `changes` replace entries of its card."""
    torch.manual_seed(5)
    shape, gate_shape = {"size": 64, "subtypes": 0, "outcomes": 1}, {"size": 64, "components": 2, "kinds": 1}
    network, gate = build_joint(shape), build_gate(gate_shape)
    gate.limits += 100.0
    distance = fit_distance(np.random.default_rng(1).normal(size=(40, network.read[1].in_features)), 4)
    tensors = {f"network.{key}": value.contiguous() for key, value in network.state_dict().items()}
    tensors |= tensors_of([], gate.state_dict(), distance)
    data = save(tensors)
    card = {
        "name": "toy-finding",
        "version": "0",
        "family": "finding",
        "task": "fracture",
        "modality": ["CR", "DX"],
        "outcomes": list(FINDING_OUTCOMES),
        "weights": {"file": "model.safetensors", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "architecture": {"network": shape, "gate": gate_shape},
        "calibration": {"finding": {"scale": 1.0, "bias": 0.0}},
        "operating_points": {"balanced": {"name": "balanced", "finding": 0.0, "chosen_on": "nothing"}},
        "outline": {"threshold": 0.01, "smallest_area": 0.0},
        "gate": {"threshold": 0.5},
        "withheld": {"level": 0.05, "cut_offs": [2.0, 0.0], "distance": {"threshold": 1e9}},
        "saliency": {"status": "not shown"},
        "networks": {},
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return card


def toy_fractures(root: Path) -> Path:
    """Write a folder of fractures: two films of each part and label; a fracture is a dark gap in the shaft."""
    folder = root / "fracatlas"
    (folder / "images").mkdir(parents=True)
    labels, parts, outlines, number = [], [], {}, 0
    for part in ("fold0", "fold1", "fold2", "fold3", "fold4", "test"):
        for label in ("fractured", "not_fractured") * 2:
            name = f"F{number:03d}"
            film = toy_film(700 + number, side=96)[:, 8:88].copy()
            if label == "fractured":
                film[40:46, 20:60] = 40
                outlines[name] = [[[[0.25, 0.4], [0.75, 0.4], [0.75, 0.5], [0.25, 0.5]]]]
            Image.fromarray(film).save(folder / "images" / f"{name}.png")
            known = {"body_part": "leg", "view": "frontal", "group_id": str(number // 2), "near_gate": "0"}
            labels.append({"image_id": name, "label": label, **known})
            parts.append({"image_id": name, "part": part})
            number += 1
    _write_rows(folder / "labels.csv", labels)
    _write_rows(folder / "folds.csv", parts)
    (folder / "outlines.json.gz").write_bytes(gzip.compress(json.dumps(outlines).encode()))
    return root
