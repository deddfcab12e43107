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
from inference.families.joint.network import JointNet
from inference.imaging.canonical import PREPROCESSING_VERSION, canonical_sha256
from inference.lab.cards.fitted import UNLIKE, Away, fit
from inference.lab.cards.statements import HISTORY, NOTICE, STATEMENTS
from inference.lab.data.examples import SUBTYPES, load_examples
from inference.lab.data.folder import LabelledFilm, file_sha256, read_squares
from inference.lab.data.protocols import load_split
from inference.lab.data.sources import SOURCES, TEST_PART, load_source
from inference.lab.metrics.subtypes import adjust, choose_strength, shares_of
from inference.lab.training.oof import OutOfFold, collect, load_member, training_features
from inference.lab.training.runs import Run, training_steps
from inference.lab.transfer.journeys import FILMS_FOLDER, LEFT_OUT, joined, journey_of
from inference.use.body_parts import OUTSIDE_NAMES
from inference.use.rules import RADIOGRAPHS
from inference.variants import QUARTER_TURNS, SMALL_CHANGES, TURNS
from inference.withholding import Distance

NAME = "bonescan-joint"
WEIGHTS_FILE = "model.safetensors"
# Enough of a sha256 to recognise a film, at a quarter of the card's size.
HASH_CHARACTERS = EXACT_CHARACTERS
# The gate's logit is a margin: it lets pass what is not below zero.
GATE_THRESHOLD = 0.5


def _gate_statement(facts: dict[str, Any]) -> dict[str, Any]:
    """What the card says of the gate; one that was trained on several sources names them."""
    said = dict(STATEMENTS["gate"])
    if facts.get("sources"):
        said["chosen_on"] = f"fold4 of each source of bone films: {', '.join(facts['sources'])}"
    return said


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


@dataclass(frozen=True)
class Plan:
    """What a version is made of: `runs` ship, `also` only help to fit; films lie below `root`, the gate in `gate`."""

    root: Path
    runs: list[Run]
    also: list[Run]
    experiments: Path
    gate: Path
    version: str
    level: float

    @property
    def folder(self) -> Path:
        return self.root / FILMS_FOLDER

    @property
    def travels(self) -> bool:
        """Whether the members saw films of other sources: then they judge all four sides, and cut-offs hold away."""
        return bool(self.runs[0].facts["recipe"].get("mixing"))

    @property
    def views(self) -> str:
        return TURNS if self.travels else SMALL_CHANGES

    def away(self) -> Away | None:
        """What the runs say of the places that they never saw; None where their recipe knows no places."""
        if not self.travels:
            return None
        sides = len(QUARTER_TURNS)
        found = joined([journey_of(run, self.root, self.experiments, sides) for run in (*self.runs, *self.also)])
        return Away(self.views, {n: s.logits.mean(axis=1) for n, s in found.away.items() if s.part == LEFT_OUT})


def assemble(plan: Plan, out: Path) -> dict[str, Any]:
    """Write weights, card and notice to `out`/<name>-<version> and return the card; test parts are never opened."""
    torch.set_num_threads(1)
    folder, runs, experiments, version = plan.folder, plan.runs, plan.experiments, plan.version
    material, held_features = collect(folder, [*runs, *plan.also], experiments, plan.views)
    learnt = training_features(folder, runs[0], experiments, plan.views)
    fitted = fit(material, held_features, learnt, plan.level, plan.away())
    members = [load_member(run, experiments) for run in runs]
    strength = adjust_subtypes(folder, [*runs, *plan.also], members, material)
    gate_facts = json.loads((plan.gate / "gate.json").read_text(encoding="utf-8"))
    data = save(tensors_of(members, load_file(plan.gate / "gate.safetensors"), fitted.distance))
    card = {
        "name": NAME,
        "version": version,
        "family": "joint",
        "made_at": datetime.now(UTC).date().isoformat(),
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        "preprocessing_version": PREPROCESSING_VERSION,
        "members": len(members),
        **_looking(plan),
        "architecture": {"member": _architecture(runs[0]), "gate": gate_facts["architecture"]},
        "calibration": fitted.steps.as_dict(),
        "operating_points": {name: point.as_dict() for name, point in fitted.points.items()},
        "specificity_cut_offs": fitted.specificity_cut_offs,
        "outline": {"threshold": fitted.mask_threshold, "smallest_area": fitted.smallest_area},
        "subtypes": list(SUBTYPES),
        "subtype_adjustment": {"strength": strength, **STATEMENTS["subtype_adjustment"]},
        "gate": {"threshold": GATE_THRESHOLD, **_gate_statement(gate_facts), "settings": gate_facts["settings"]},
        "intended_for": {"modalities": list(RADIOGRAPHS), "body_parts_refused": list(OUTSIDE_NAMES)},
        "withheld": {
            **fitted.sets.as_dict(),
            "distance": {
                "threshold": round(fitted.furthest, 4),
                "chosen_on": f"{1 - UNLIKE:.2f} of the first member's held-out films",
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
        **training_prints(plan),
        "command": _command(plan),
    }
    target = out / f"{NAME}-{version}"
    target.mkdir(parents=True, exist_ok=True)
    (target / WEIGHTS_FILE).write_bytes(data)
    (target / "NOTICE").write_text(NOTICE, encoding="utf-8")
    write_card(card, target)
    return card


def adjust_subtypes(folder: Path, runs: list[Run], members: list[JointNet], material: OutOfFold) -> float:
    """Free the members' subtype logits, in place, of how often they saw each; return the out-of-fold strength.

    `runs` are those of the members, then those that only help to fit.
    """
    splits = [load_split(folder, run.facts["protocol"], run.facts["held_out"]) for run in runs]
    shares = [shares_of(load_examples(split.train).subtypes, len(SUBTYPES)) for split in splits]
    answered = np.concatenate(
        [np.tile(own, (len(split.validation), 1)) for own, split in zip(shares, splits, strict=True)]
    )
    strength = choose_strength(material.subtypes, load_examples(material.films).subtypes, answered)
    for member, own in zip(members, shares, strict=False):
        adjust(member, own, strength)
    return strength


def _looking(plan: Plan) -> dict[str, str]:
    """How a film is prepared and seen, where it is not as the first versions did it."""
    preparation = plan.runs[0].facts["recipe"]["preparation"]
    return ({"views": plan.views} if plan.travels else {}) | (
        {"preparation": preparation} if preparation != "none" else {}
    )


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


def _command(plan: Plan) -> str:
    trained = " && ".join(
        step
        for run in (*plan.runs, *plan.also)
        for step in training_steps(run.facts["command"], run.facts["experiment"], run.facts["recipe"]["start_from"])
    )
    names = " ".join(run.key for run in plan.runs)
    also = f" --also {' '.join(run.key for run in plan.also)}" if plan.also else ""
    return (
        f"{trained} && python -m inference gate --data DIR --out runs/gate && python -m inference build --data DIR "
        f"--members {names}{also} --gate runs/gate --level {plan.level:g} --version {plan.version}"
    )


def training_prints(plan: Plan) -> dict[str, list[str]]:
    """Return what every film that any member or any cut-off has seen is known by: ``training_images``, the first
    characters of the sha256 of its square, and ``training_looks``; each sorted, so that neither tells of the other."""
    films: dict[str, LabelledFilm] = {}
    for run in (*plan.runs, *plan.also):
        split = load_split(plan.folder, run.facts["protocol"], run.facts["held_out"])
        films |= {film.image_id: film for film in (*split.train, *split.validation)}
    if plan.travels:
        # Of every place some member trained, or some cut-off was set, on all but the part test.
        for source in (load_source(plan.root, name) for name in SOURCES):
            films |= {f"{source.name}/{film.image_id}": film for film in source.films if film.part != TEST_PART}
    squares = read_squares([film.path for film in films.values()])
    exact = sorted({canonical_sha256(square)[:HASH_CHARACTERS] for square in squares})
    return {EXACT: exact, LOOKS: sorted({look_of(square) for square in squares})}


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write the card as JSON, readable and with a last newline."""
    text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
