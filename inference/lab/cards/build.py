"""From trained members to a shippable pair: one safetensors file and its card, all cut-offs fitted out of fold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from inference.acceptance.rule import rule_for
from inference.acceptance.training_films import EXACT, EXACT_CHARACTERS, LOOKS, look_of
from inference.calibration import OUTCOMES, OperatingPoint
from inference.families.joint.network import JointNet
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.lab.cards.statements import HISTORY, NOTICE, STATEMENTS
from inference.lab.data.examples import SUBTYPES, load_examples
from inference.lab.data.folder import LabelledFilm, file_sha256, read_squares
from inference.lab.data.protocols import load_split
from inference.lab.metrics.subtypes import adjust, choose_strength, shares_of
from inference.lab.training.fitting import Steps, called, choose_points, fit_steps, mask_cut_off, specificity_cut_off
from inference.lab.training.oof import OutOfFold, collect, halves, load_member, training_features
from inference.lab.training.runs import Run, training_steps
from inference.shift.sample import FEATURES, KEY, draw_sample
from inference.withholding import ConformalSets, Distance, fit_conformal, fit_distance, reasons_to_withhold

NAME = "bonescan-joint"
WEIGHTS_FILE = "model.safetensors"
# Share of the held-out films that the distance may call unlike the training films.
_UNLIKE = 0.01
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Enough of a sha256 to recognise a film, at a quarter of the card's size.
HASH_CHARACTERS = EXACT_CHARACTERS
# The gate's logit is a margin: it lets pass what is not below zero.
GATE_THRESHOLD = 0.5


@dataclass(frozen=True)
class Fitted:
    """What the out-of-fold films gave: everything that the card fixes besides the weights."""

    steps: Steps
    points: dict[str, OperatingPoint]
    specificity_cut_offs: dict[str, float]
    mask_threshold: float
    smallest_area: float
    sets: ConformalSets
    distance: Distance
    furthest: float
    out_of_fold: dict[str, Any]


def fit(material: OutOfFold, held_features: np.ndarray, train_features: np.ndarray, level: float) -> Fitted:
    """Fit calibration on one half of the groups, conformal sets on the other, cut-offs on all."""
    first = halves(material.groups)
    logits = material.logits.mean(axis=1)
    steps = fit_steps(logits[first], material.labels[first])
    tumour, shares = steps.tumour_probability(logits), steps.probabilities(logits)
    folds = ", ".join(sorted({film.part for film in material.films}))
    points = choose_points(tumour, shares, material.labels, material.groups, f"out of fold ({folds})")
    sets = fit_conformal(material.labels[~first], shares[~first], level)
    distance = fit_distance(train_features)
    furthest = float(np.quantile(distance.of(held_features), 1 - _UNLIKE))
    shown = material.labels > 0
    mask_threshold = mask_cut_off(material.cells[shown], material.masks[shown])
    smallest = float(np.quantile(material.masks[shown].mean(axis=(1, 2)), 0.05)) / 2
    return Fitted(
        steps=steps,
        points=points,
        specificity_cut_offs={
            f"{wanted:.2f}": round(specificity_cut_off(shares[:, 2], material.labels, wanted), 5)
            for wanted in (0.90, 0.95)
        },
        mask_threshold=mask_threshold,
        smallest_area=round(smallest, 6),
        sets=sets,
        distance=distance,
        furthest=furthest,
        out_of_fold=_reference(material, steps, points["balanced"], sets, distance, held_features),
    )


def _quantiles(values: np.ndarray, unit: str) -> dict[str, Any]:
    found = np.quantile(values, _QUANTILES)
    return {
        "unit": unit,
        "quantiles": {f"{q:g}": round(float(v), 4) for q, v in zip(_QUANTILES, found, strict=True)},
        "n": len(values),
    }


def withheld_out_of_fold(
    material: OutOfFold, steps: Steps, point: OperatingPoint, sets: ConformalSets
) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Return the leaning (N,) of every held-out film and why its answer is withheld; the distance is left out here."""
    logits = material.logits.mean(axis=1)
    shares = steps.probabilities(logits)
    leaning = called(point, steps.tumour_probability(logits), shares)
    variants = np.stack(
        [
            called(point, steps.tumour_probability(variant), steps.probabilities(variant))
            for variant in material.logits.transpose(1, 0, 2)
        ]
    )
    reasons = [
        reasons_to_withhold(int(lean), members, variants[:, index].tolist(), 0.0, np.inf)
        for index, (lean, members) in enumerate(zip(leaning, sets.members(shares), strict=True))
    ]
    return leaning, reasons


def _reference(
    material: OutOfFold,
    steps: Steps,
    point: OperatingPoint,
    sets: ConformalSets,
    distance: Distance,
    held_features: np.ndarray,
) -> dict[str, Any]:
    """Return the reference distributions of inputs and outputs on the held-out films, and a sample of the films.

    `held_features` (N1, D) are the first member's of its own held-out films, which stand first in the material: the
    portal's features are the first member's as well.
    """
    logits = material.logits.mean(axis=1)
    shares = steps.probabilities(logits)
    leaning, reasons = withheld_out_of_fold(material, steps, point, sets)
    withheld = np.array([bool(codes) for codes in reasons])
    own = len(held_features)
    features = distance.coordinates(held_features)[:, :FEATURES]
    sample = draw_sample(material.labels[:own], shares[:own][:, [0, 2]], features, material.groups[:own])
    return {
        "grey mean": _quantiles(material.grey[:, 0], "of 255"),
        "grey spread": _quantiles(material.grey[:, 1], "standard deviation, of 255"),
        "distance from the training films": _quantiles(distance.of(held_features), "standard deviations"),
        "probability of malignant": _quantiles(shares[:, 2], ""),
        "probability of normal": _quantiles(shares[:, 0], ""),
        "shares": {
            "unit": "share of held-out films",
            "values": {
                **{f"leaning {name}": round(float((leaning == k).mean()), 4) for k, name in enumerate(OUTCOMES)},
                "withheld": round(float(withheld.mean()), 4),
                **{
                    f"{name} withheld": round(float(withheld[material.labels == k].mean()), 4)
                    for k, name in enumerate(OUTCOMES)
                },
            },
            "n": len(material.labels),
        },
        KEY: sample.as_dict(),
    }


def tensors_of(members: list[Any], gate: dict[str, Tensor], distance: Distance) -> dict[str, Tensor]:
    """Return all tensors of the weights file: members in half precision, gate as trained, distance in single."""
    tensors = {}
    for number, member in enumerate(members):
        for key, value in member.state_dict().items():
            stored = value.half() if value.is_floating_point() else value
            tensors[f"members.{number}.{key}"] = stored.contiguous()
    tensors |= {f"gate.{key}": value.contiguous() for key, value in gate.items()}
    tensors["distance.mean"] = torch.from_numpy(distance.mean.astype(np.float32))
    tensors["distance.basis"] = torch.from_numpy(np.ascontiguousarray(distance.basis.astype(np.float32)))
    return tensors


def assemble(
    folder: Path, runs: list[Run], experiments: Path, gate: Path, version: str, level: float, out: Path
) -> dict[str, Any]:
    """Write weights, card and notice to `out`/<name>-<version> and return the card; test parts are never opened."""
    torch.set_num_threads(1)
    material, held_features = collect(folder, runs, experiments)
    fitted = fit(material, held_features, training_features(folder, runs[0], experiments), level)
    members = [load_member(run, experiments) for run in runs]
    strength = adjust_subtypes(folder, runs, members, material)
    gate_facts = json.loads((gate / "gate.json").read_text(encoding="utf-8"))
    data = save(tensors_of(members, load_file(gate / "gate.safetensors"), fitted.distance))
    card = {
        "name": NAME,
        "version": version,
        "family": "joint",
        "made_at": datetime.now(UTC).date().isoformat(),
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "members": len(members),
        "architecture": {"member": _architecture(runs[0]), "gate": gate_facts["architecture"]},
        "calibration": fitted.steps.as_dict(),
        "operating_points": {name: point.as_dict() for name, point in fitted.points.items()},
        "specificity_cut_offs": fitted.specificity_cut_offs,
        "outline": {"threshold": fitted.mask_threshold, "smallest_area": fitted.smallest_area},
        "subtypes": list(SUBTYPES),
        "subtype_adjustment": {"strength": strength, **STATEMENTS["subtype_adjustment"]},
        "gate": {"threshold": GATE_THRESHOLD, **STATEMENTS["gate"], "settings": gate_facts["settings"]},
        "withheld": {
            **fitted.sets.as_dict(),
            "distance": {
                "threshold": round(fitted.furthest, 4),
                "chosen_on": f"{1 - _UNLIKE:.2f} of the first member's held-out films",
            },
            **STATEMENTS["withheld"],
        },
        "networks": {f"member {number + 1}": _network_entry(run) for number, run in enumerate(runs)},
        "reference": fitted.out_of_fold,
        "acceptance": rule_for(fitted.sets.level).as_dict(),
        **{key: value for key, value in STATEMENTS.items() if key not in ("withheld", "gate", "subtype_adjustment")},
        "protocol": {**STATEMENTS["protocol"], "folds_sha256": file_sha256(folder / "folds.csv")},
        "history": [
            *HISTORY,
            {"version": version, "date": datetime.now(UTC).date().isoformat(), "text": STATEMENTS["change"]},
        ],
        **training_prints(folder, runs),
        "command": _command(runs, version, level),
    }
    target = out / f"{NAME}-{version}"
    target.mkdir(parents=True, exist_ok=True)
    (target / WEIGHTS_FILE).write_bytes(data)
    (target / "NOTICE").write_text(NOTICE, encoding="utf-8")
    write_card(card, target)
    return card


def adjust_subtypes(folder: Path, runs: list[Run], members: list[JointNet], material: OutOfFold) -> float:
    """Free the members' subtype logits, in place, of how often they saw each; return the out-of-fold strength."""
    splits = [load_split(folder, run.facts["protocol"], run.facts["held_out"]) for run in runs]
    shares = [shares_of(load_examples(split.train).subtypes, len(SUBTYPES)) for split in splits]
    answered = np.concatenate(
        [np.tile(own, (len(split.validation), 1)) for own, split in zip(shares, splits, strict=True)]
    )
    strength = choose_strength(material.subtypes, load_examples(material.films).subtypes, answered)
    for member, own in zip(members, shares, strict=True):
        adjust(member, own, strength)
    return strength


def _architecture(run: Run) -> dict[str, Any]:
    return {"size": run.facts["recipe"]["size"], **run.facts["recipe"]["architecture"]}


def _network_entry(run: Run) -> dict[str, Any]:
    facts = run.facts
    return {
        "architecture": {"network": "MobileNetV2 encoder, pyramid decoder, two-step head", **_architecture(run)},
        "parameters": facts["parameters"],
        "training": {
            "recipe": facts["recipe"],
            "held_out": facts["held_out"],
            "epochs_run": facts["epochs"],
            "epoch_chosen": facts["epoch_kept"],
            "minutes": facts["minutes"],
            **({"minutes_below": facts["minutes_below"]} if "minutes_below" in facts else {}),
            "command": facts["command"],
            "history": facts["history"],
        },
    }


def _command(runs: list[Run], version: str, level: float) -> str:
    trained = " && ".join(
        step
        for run in runs
        for step in training_steps(run.facts["command"], run.facts["experiment"], run.facts["recipe"]["start_from"])
    )
    names = " ".join(run.key for run in runs)
    return (
        f"{trained} && python -m inference gate --data DIR --out runs/gate && python -m inference build --data DIR "
        f"--members {names} --gate runs/gate --level {level:g} --version {version}"
    )


def training_prints(folder: Path, runs: list[Run]) -> dict[str, list[str]]:
    """Return what every film that any member or any cut-off has seen is known by: ``training_images``, the first
    characters of the sha256 of its square, and ``training_looks``; each sorted, so that neither tells of the other."""
    films: dict[str, LabelledFilm] = {}
    for run in runs:
        split = load_split(folder, run.facts["protocol"], run.facts["held_out"])
        films |= {film.image_id: film for film in (*split.train, *split.validation)}
    squares = read_squares([film.path for film in films.values()])
    exact = sorted({canonical_sha256(square)[:HASH_CHARACTERS] for square in squares})
    return {EXACT: exact, LOOKS: sorted({look_of(square) for square in squares})}


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write the card as JSON, readable and with a last newline."""
    text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
