"""The gate: what it is trained on, how well it refuses kinds it never saw, and the command that makes it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from inference.errors import DataError
from inference.families.gate.network import READ_AFTER, GateNet, build
from inference.imaging.blank import is_blank
from inference.imaging.prepare import common_square
from inference.lab.data.folder import (
    TEST_PARTS,
    TRAIN_PARTS,
    VALIDATION_PARTS,
    LabelledFilm,
    data_root,
    file_sha256,
    load_films,
    read_grey,
    read_rows,
    read_squares,
)
from inference.lab.data.synthetic import KINDS, synthetic_squares
from inference.lab.gate.fitting import GateSettings, Material, fit_gate
from inference.lab.metrics.scores import wilson
from inference.lab.networks.pretrained import mobilenet_v2_state
from inference.lab.recipes.augment import Augmentation, geometry, tones

FILMS_FOLDER, GATE_FOLDER = "btxrd", "gate"
# The centre that the gate never fits: its films stand in for another source when the limits are set.
PROXY_CENTRE = "2"
MADE_SEED = 7
# What may happen to any image, bone or not, so that resolution, compression and borders tell nothing.
VARIED = Augmentation(
    rotation=15.0, zoom=0.25, stretch=0.25, shift=0.08, flip_vertical=0.3, brightness=0.12, contrast=0.35, gamma=0.4,
    blur=0.25, jpeg=0.25, noise=0.25, border=0.15, erasure=0.2,
)  # fmt: skip
# Chest films are stored in both polarities; a bone film rarely comes inverted, but then it is still a bone film.
BONE_INVERTED, OTHERS_INVERTED = 0.08, 0.3
LYING = 0.15
_BATCH = 32


@dataclass(frozen=True)
class NotBone:
    """One image that the gate must refuse; `part` is train, validation or test."""

    path: Path
    kind: str
    part: str


def load_not_bone(root: Path, held_out_kinds: tuple[str, ...] = ()) -> list[NotBone]:
    """Read gate/not_bone.csv and divide it: held-out kinds wholly into test, of the others a fixed share.

    The share goes by position within the kind (every fifth to test, every fifth to validation): no seed, never moves.
    """
    seen: dict[str, int] = {}
    images: list[NotBone] = []
    for number, row in enumerate(read_rows(root / GATE_FOLDER / "not_bone.csv", ("file", "kind")), start=2):
        path = root / GATE_FOLDER / "not_bone" / row["file"]
        if not path.is_file():
            raise DataError("missing_image", f"not_bone.csv row {number}: {row['file']} is missing.")
        position = seen.get(row["kind"], 0)
        seen[row["kind"]] = position + 1
        part = {0: "test", 1: "validation"}.get(position % 5, "train")
        images.append(NotBone(path, row["kind"], "test" if row["kind"] in held_out_kinds else part))
    return images


def start_trunk(net: GateNet) -> None:
    """Fill the trunk with ImageNet weights, rounded to 16 bits: as they will be stored."""
    state = mobilenet_v2_state()
    for stage, first, last in zip(net.stages, (0, *READ_AFTER[:-1]), READ_AFTER, strict=True):
        own = {}
        for key, value in state.items():
            if key.startswith("features."):
                number, rest = key.removeprefix("features.").split(".", 1)
                if first <= int(number) < last:
                    own[f"{int(number) - first}.{rest}"] = value.half().float() if value.is_floating_point() else value
        stage.load_state_dict(own, strict=True)


def varied(images: Tensor, inverted: float, generator: torch.Generator) -> Tensor:
    """Return a varied copy of float32 (N, 1, H, H): some lying on a side, some inverted, all moved and re-filed."""
    turns = torch.rand(len(images), generator=generator)
    turned = images.clone()
    for index, turn in enumerate(turns.tolist()):
        if turn < LYING:
            turned[index] = torch.rot90(images[index], 1 if turn < LYING / 2 else 3, (1, 2))
    copy = tones(geometry(turned, VARIED, generator), VARIED, generator)
    flipped = torch.rand(len(images), generator=generator) < inverted
    copy[flipped] = 1 - copy[flipped]
    return copy


def features_of(net: GateNet, squares: np.ndarray, seed: int | None = None, inverted: float = 0.0) -> Tensor:
    """Return features (N, D) of uint8 squares (N, 256, 256), of a varied copy of them where a seed is given."""
    generator = torch.Generator().manual_seed(seed) if seed is not None else None
    found = []
    with torch.inference_mode():
        for first in range(0, len(squares), _BATCH):
            images = torch.from_numpy(np.array(squares[first : first + _BATCH])).unsqueeze(1).float().div_(255)
            if generator is not None:
                images = varied(images, inverted, generator)
            small = functional.interpolate(images, size=(net.size, net.size), mode="bilinear", antialias=True)
            found.append(net.features(small))
    return torch.cat(found).clone()


def _centre_of(film: LabelledFilm) -> str:
    return film.attributes.get("centre", "")


def _bone_material(net: GateNet, films: list[LabelledFilm]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the features to fit and the sets that limit: the proxy centre, and the other films of fold4."""
    proxy = [film for film in films if _centre_of(film) == PROXY_CENTRE and film.part not in TEST_PARTS]
    others = [film for film in films if _centre_of(film) != PROXY_CENTRE]
    fitted = read_squares([film.path for film in others if film.part in TRAIN_PARTS])
    bone = torch.cat([features_of(net, fitted), features_of(net, fitted, 1, BONE_INVERTED)])
    kept = [[film for film in others if film.part in VALIDATION_PARTS], proxy]
    return bone, tuple(features_of(net, read_squares([film.path for film in part])) for part in kept if part)


@dataclass(frozen=True)
class Refusable:
    """The images that must be refused as they are: kind, features (N, D), and whether they count as blank."""

    kinds: np.ndarray
    features: Tensor
    blank: np.ndarray


def gather(root: Path, net: GateNet, made_count: int) -> tuple[Material, Refusable]:
    """Read films and images and return their features by the trunk of `net`; no film of the test part is touched."""
    films = [film for film in load_films(root / FILMS_FOLDER) if film.part not in TEST_PARTS]
    images = load_not_bone(root)
    kinds = np.array([image.kind for image in images])
    bone, limit_sets = _bone_material(net, films)
    squares = read_squares([image.path for image in images])
    plain = features_of(net, squares)
    copies = [features_of(net, squares, seed, OTHERS_INVERTED) for seed in (1, 2)]
    made = features_of(net, synthetic_squares(made_count, MADE_SEED))
    made_kinds = np.array([KINDS[index % len(KINDS)] for index in range(made_count)])
    material = Material(bone, limit_sets, torch.cat([plain, *copies]), np.tile(kinds, 3), made, made_kinds)
    return material, Refusable(kinds, plain, np.array([is_blank(square) for square in squares]))


def _architecture(settings: GateSettings, material: Material) -> dict[str, int]:
    kinds = len(np.unique(material.kinds)) + len(np.unique(material.made_kinds))
    return {"size": settings.size, "components": settings.components, "kinds": kinds}


def train_gate(
    root: Path, settings: GateSettings | None = None, start: Callable[[GateNet], None] = start_trunk
) -> tuple[GateNet, dict[str, Any]]:
    """Train the gate on a data folder; the same folder gives the same gate.

    Returns it with facts: settings, counts, seconds, and under `left_out` the share refused of each kind of image by
    a gate that never saw the kind (blank images included, as in the portal).
    """
    began = time.monotonic()
    settings = settings or GateSettings()
    trunk = build({"size": settings.size, "components": 1, "kinds": 1}).eval().requires_grad_(False)
    start(trunk)
    material, images = gather(root, trunk, settings.made)
    net = _fitted(material, settings, trunk)
    facts = {
        "architecture": _architecture(settings, material),
        "settings": asdict(settings),
        "fitted": {"bone": len(material.bone) // 2, "not_bone": len(images.kinds), "made": len(material.made)},
        "limit_sets_refused": [_share(net.judge(films) < 0) for films in material.limit_sets],
        "left_out": left_out(material, images, settings, trunk),
        "seconds": round(time.monotonic() - began, 1),
    }
    return net, facts


def _fitted(material: Material, settings: GateSettings, trunk: GateNet) -> GateNet:
    net = build(_architecture(settings, material)).eval().requires_grad_(False)
    net.stages.load_state_dict(trunk.stages.state_dict())
    fit_gate(net, material, settings)
    return net


def left_out(material: Material, images: Refusable, settings: GateSettings, trunk: GateNet) -> dict[str, Any]:
    """Fit a gate without each kind in turn and count what it refuses of that kind."""
    refused = np.zeros(len(images.kinds), dtype=bool)
    for kind in np.unique(images.kinds):
        own = images.kinds == kind
        net = _fitted(material.without(kind), settings, trunk)
        refused[own] = (net.judge(images.features[torch.from_numpy(own)]) < 0).numpy() | images.blank[own]
    by_kind = {str(kind): _share(refused[images.kinds == kind]) for kind in np.unique(images.kinds)}
    return {"whole": _share(refused), "by_kind": by_kind}


def _share(refused: Tensor | np.ndarray) -> dict[str, Any]:
    return wilson(int(refused.sum()), len(refused))


def passes(net: GateNet, canonical: np.ndarray) -> bool:
    """True where a canonical image, uint8 (H, W), is neither blank nor refused: the portal's own rule."""
    square = common_square(canonical)
    if is_blank(square):
        return False
    with torch.inference_mode():
        return bool(net.judge(features_of(net, square[None])) >= 0)


def gate_figures(check: Callable[[np.ndarray], bool], root: Path, films: list[LabelledFilm]) -> dict[str, Any]:
    """Return the shares of bone films that a gate refuses: of `films`, of the same inverted, of another source.

    `check` says of a canonical image whether it passes. The other source is for tests only: nothing is chosen on it.
    """
    greys = [read_grey(film.path) for film in films]
    elsewhere = sorted((root / GATE_FOLDER / "bone_other_source").glob("*.*"))
    centres = np.array([_centre_of(film) for film in films])
    refused = np.array([not check(grey) for grey in greys])
    return {
        "bone_refused": _share(refused),
        "bone_of_the_proxy_centre_refused": _share(refused[centres == PROXY_CENTRE]),
        "inverted_bone_refused": _share(np.array([not check(255 - grey) for grey in greys])),
        "bone_of_another_source_refused": _share(np.array([not check(read_grey(path)) for path in elsewhere])),
    }


def add_gate(commands: argparse._SubParsersAction) -> None:
    """Add `gate` to the parser of `python -m inference`."""
    gate = commands.add_parser("gate", help="train the gate, and measure it on kinds that it never saw")
    gate.add_argument("--data", type=Path, help="data folder (default: the variable BONESCAN_DATA)")
    gate.add_argument("--out", type=Path, required=True, help="folder for gate.safetensors and gate.json")
    gate.set_defaults(run=_gate)


def save_gate(net: GateNet, path: Path) -> None:
    """Write the trunk in 16 bits, which it was rounded to before fitting, and the fitted buffers in 32."""
    tensors = {}
    for key, value in net.state_dict().items():
        halved = key.startswith("stages.") and value.is_floating_point()
        tensors[key] = (value.half() if halved else value).contiguous()
    save_file(tensors, path)


def _gate(options: argparse.Namespace) -> int:
    torch.set_num_threads(1)
    root = data_root(options.data)
    net, facts = train_gate(root)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "gate.safetensors"
    save_gate(net, path)
    films = [film for film in load_films(root / FILMS_FOLDER) if film.part in TEST_PARTS]
    figures = {"left_out": facts.pop("left_out"), **gate_figures(lambda grey: passes(net, grey), root, films)}
    told = {"sha256": file_sha256(path), **facts, "figures": figures}
    (options.out / "gate.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))
    return 0
