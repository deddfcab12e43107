"""Weights, card and notice of the second task, from one run and the fold that it never saw; test stays closed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from inference.acceptance.rule import AcceptanceRule, Bound
from inference.families.joint.network import JointNet
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.imaging.prepare import common_square
from inference.lab.cards.build import GATE_THRESHOLD, HASH_CHARACTERS, WEIGHTS_FILE, write_card
from inference.lab.data.folder import LabelledFilm, read_grey
from inference.lab.fracture.answers import FractureAnswers, ask
from inference.lab.fracture.films import LABELS, load_fracture_split, load_outlines
from inference.lab.fracture.fitting import FittedFinding, fit_finding, reference_of
from inference.lab.training.progress import say
from inference.lab.training.runs import Run, load_network
from inference.variants import TURNS, views_of_card
from inference.withholding import Distance

NAME = "bonescan-fracture"
OUTCOMES = ("no_fracture", "fracture")
VIEWS = TURNS
NOTICE = """BoneScan fracture model weights: notice

These weights were trained on FracAtlas (Abedeen, Rahman, Prottyasha, Ahmed, Chowdhury, Shatabda: "FracAtlas: A Dataset
for Fracture Classification, Localization and Segmentation of Musculoskeletal Radiographs", Scientific Data 2023,
doi 10.1038/s41597-023-02432-4), published under CC BY 4.0; the images were scaled down. They start from ImageNet
weights of torchvision (BSD-3-Clause). The gate beside them is that of bonescan-joint; its notice applies to it:
research and teaching, not for profit.

Not a medical device; not for diagnosis. No image of the training data is contained in, or distributed with, these
files. Cite the dataset when you publish results.

The program around the weights is licensed separately, under Apache-2.0.
"""
STATEMENTS: dict[str, Any] = {
    "modality": ["CR", "DX"],
    "task": "fracture",
    "outcome_rule": (
        "fracture if the calibrated probability reaches the cut-off, else no fracture; the logit is averaged over the "
        "four sides of the film, which is fitted into a square in its own proportions"
    ),
    "intended_use": (
        "Research. A second look at single plain radiographs of bone for fractures, for doctors who read the film "
        "themselves. It decides nothing and replaces no reading."
    ),
    "not_intended_for": [
        "diagnosis or treatment without a doctor",
        "excluding a fracture: a film without a finding may show one",
        "skull, spine, ribs and chest, which the training films do not show",
        "MR, CT, ultrasound, photographs of screens, and any image but a plain radiograph of bone",
    ],
    "limits": [
        "The films of the training data are mostly 373 x 454 pixels; hairline fractures are lost at that size.",
        "Three hospitals of one country. Another hospital's films may be judged worse.",
        "No patient identity is published; neighbouring films and look-alikes were kept together, which lowers leakage "
        "but cannot prove that there is none.",
        "Casts and implants are frequent among the fractures of the training data: see the figures by hardware.",
        "Cut-offs and conformal sets come from one held-out fold; no guarantee under a shift.",
    ],
    "saliency": {"method": "none", "status": "not shown", "reason": "The outline is what this family shows."},
    "training_data": {
        "name": "FracAtlas (films scaled to at most 512 px)",
        "citation": "Abedeen et al., Scientific Data 2023, doi 10.1038/s41597-023-02432-4",
        "licence": "CC BY 4.0",
        "start": "MobileNetV2 with ImageNet weights (torchvision mobilenet_v2-b0353104)",
    },
    "protocol": {
        "name": "fracture",
        "text": (
            "fracatlas/folds.csv: trained on four of the five development folds for a number of epochs fixed "
            "beforehand; calibration, sets and cut-off were fitted on the fold that the network had not seen. "
            "The part test had no say in any choice. No group of neighbouring or look-alike films crosses parts."
        ),
    },
    "licence": "Research use: see NOTICE beside the weights. The program is Apache-2.0.",
}
_WITHHELD = {
    "text": (
        "An answer is withheld when the class-conditional conformal set does not hold exactly the class that is "
        "called, when the film is unlike the training films, or when more than one of its four sides "
        "alone would be called otherwise. No guarantee under shift."
    ),
    "reasons": {
        "set_undecided": "The film's probability does not decide between fracture and none at the stated level.",
        "unlike_training": "The film differs from the films used to train the model.",
        "orientation": "The answer depends on how the film lies.",
    },
}


def load_finding(run: Run, recipes: Path) -> JointNet:
    """Return the network of a fracture run."""
    network, _ = load_network(run, recipes)
    assert isinstance(network, JointNet)
    return network.float().eval()


def held_out_answers(root: Path, run: Run, recipes: Path) -> tuple[JointNet, FractureAnswers]:
    """Return a run's network and what it says of the fold that it never saw."""
    network, split = load_finding(run, recipes), load_fracture_split(root, run.facts["held_out"])
    say(f"looking at {len(split.validation)} held-out films")
    views = views_of_card(VIEWS)
    return network, ask(network, split.validation, load_outlines(root), network.size, views)


def fit_run(root: Path, run: Run, recipes: Path, level: float) -> tuple[JointNet, FractureAnswers, FittedFinding]:
    """Return network, held-out answers and what they fix; the training films give the distance."""
    network, held = held_out_answers(root, run, recipes)
    split = load_fracture_split(root, run.facts["held_out"])
    say(f"reading features of {len(split.train)} training films")
    train = ask(network, split.train, {}, network.size, views_of_card(VIEWS))
    fitted = fit_finding(held, train.features, level, f"held out ({run.facts['held_out']})")
    return network, held, fitted


def tensors_of_finding(network: JointNet, gate: dict[str, Tensor], distance: Distance) -> dict[str, Tensor]:
    """Return all tensors of the weights file: network and gate in half precision, distance in single."""

    def half(value: Tensor) -> Tensor:
        return (value.half() if value.is_floating_point() else value).contiguous()

    tensors = {f"network.{key}": half(value) for key, value in network.state_dict().items()}
    tensors |= {f"gate.{key}": half(value) for key, value in gate.items()}
    tensors["distance.mean"] = torch.from_numpy(distance.mean).float()
    tensors["distance.basis"] = torch.from_numpy(distance.basis).float().contiguous()
    return tensors


def gate_of(model: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the gate's tensors and the card of an installed model of tumours: both tasks have the same gate."""
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    tensors = load_file(model / card["weights"]["file"])
    return {key.removeprefix("gate."): value for key, value in tensors.items() if key.startswith("gate.")}, card


def acceptance_rule(level: float) -> AcceptanceRule:
    """Return the rule of a site's acceptance; sensitivity is bounded by the site, which has few fractures."""
    bounds = (
        Bound("false_alarms", 0.25, 0.35),
        Bound("withheld", 0.40, 0.50),
        Bound("gate_refusals", 0.05, 0.10),
        Bound("coverage", round(0.95 - level, 4), round(0.85 - level, 4)),
    )
    return AcceptanceRule(100, 1, bounds, aim_false_alarms=0.15, aim_malignant=0.02)


def training_hashes(films: list[LabelledFilm]) -> list[str]:
    """Return the first characters of the sha256 of every square that the network or a cut-off has seen."""
    return sorted({canonical_sha256(common_square(read_grey(film.path)))[:HASH_CHARACTERS] for film in films})


def assemble_fracture(
    root: Path, run: Run, recipes: Path, gate_from: Path, version: str, level: float, out: Path
) -> dict[str, Any]:
    """Write weights, card and notice to `out`/<name>-<version> and return the card."""
    torch.set_num_threads(1)
    network, held, fitted = fit_run(root, run, recipes, level)
    split = load_fracture_split(root, run.facts["held_out"])
    gate, gate_card = gate_of(gate_from)
    data = save(tensors_of_finding(network, gate, fitted.distance))
    facts, today = run.facts, datetime.now(UTC).date().isoformat()
    card = {
        "name": NAME,
        "version": version,
        "family": "finding",
        "made_at": today,
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "outcomes": list(OUTCOMES),
        "views": VIEWS,
        "architecture": {
            "network": {"size": facts["recipe"]["size"], **facts["recipe"]["architecture"]},
            "gate": gate_card["architecture"]["gate"],
        },
        "calibration": {
            "finding": {"scale": round(fitted.step.scale, 6), "bias": round(fitted.step.bias, 6)},
        },
        "operating_points": {fitted.point.name: fitted.point.as_dict()},
        "outline": {"threshold": fitted.mask_threshold, "smallest_area": fitted.smallest_area},
        "gate": {"threshold": GATE_THRESHOLD, "method": f"that of {gate_card['name']} {gate_card['version']}"},
        "withheld": {
            **fitted.sets.as_dict(),
            "distance": {"threshold": round(fitted.furthest, 4), "chosen_on": "held-out films"},
            **_WITHHELD,
        },
        "networks": {"network": _network(facts)},
        "reference": reference_of(held, fitted, views_of_card(VIEWS)),
        **STATEMENTS,
        "acceptance": acceptance_rule(level).as_dict(),
        "history": [{"version": version, "date": today, "text": "The first model of fractures."}],
        "training_images": training_hashes([*split.train, *split.validation]),
        "command": f"{facts['command']} && python -m inference fracture build --run RUN --gate-from MODEL --data DIR",
    }
    target = out / f"{NAME}-{version}"
    target.mkdir(parents=True, exist_ok=True)
    (target / WEIGHTS_FILE).write_bytes(data)
    (target / "NOTICE").write_text(NOTICE, encoding="utf-8")
    write_card(card, target)
    return card


def _network(facts: dict[str, Any]) -> dict[str, Any]:
    training = {name: facts[name] for name in ("recipe", "held_out", "minutes", "command", "history")}
    return {
        "architecture": {"network": "MobileNetV2 encoder, pyramid decoder, one outcome"},
        "parameters": facts["parameters"],
        "training": {**training, "epochs_run": facts["epochs"], "epoch_chosen": facts["epoch_kept"]},
        "labels": list(LABELS),
    }
