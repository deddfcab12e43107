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
from inference.lab.gate.left_out import (
    BONE_SOURCES,
    Refusable,
    bone_of,
    films_of_source,
    leave_out_in_turn,
    sources_of,
)
from inference.lab.gate.looks import BONE_INVERTED, OTHERS_INVERTED, features_of
from inference.lab.metrics.scores import wilson
from inference.lab.networks.pretrained import mobilenet_v2_state

FILMS_FOLDER, GATE_FOLDER = "btxrd", "gate"
# The centre that the gate never fits: its films stand in for another source when the limits are set.
PROXY_CENTRE = "2"
MADE_SEED = 7
# With bone films of several sources; chosen by what was left out, kinds and sources together.
FOR_SOURCES = GateSettings(penalty=3e-2, tails=(0.003, 0.0005, 0.0005))


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


def gather(root: Path, net: GateNet, made_count: int) -> tuple[Material, Refusable]:
    """Read films and images and return their features by the trunk of `net`; no film of the test part is touched."""
    films = [film for film in load_films(root / FILMS_FOLDER) if film.part not in TEST_PARTS]
    bone, limit_sets = _bone_material(net, films)
    others, refusable = _others(root, net)
    return Material(bone, limit_sets, *others, *_made(net, made_count)), refusable


def _others(root: Path, net: GateNet) -> tuple[tuple[Tensor, np.ndarray], Refusable]:
    """Return what is not bone, with two varied copies, and its kinds; and the same as it is, to be refused."""
    images = load_not_bone(root)
    kinds = np.array([image.kind for image in images])
    squares = read_squares([image.path for image in images])
    plain = features_of(net, squares)
    copies = [features_of(net, squares, seed, OTHERS_INVERTED) for seed in (1, 2)]
    blank = np.array([is_blank(square) for square in squares])
    return (torch.cat([plain, *copies]), np.tile(kinds, 3)), Refusable(kinds, plain, blank)


def _made(net: GateNet, count: int) -> tuple[Tensor, np.ndarray]:
    kinds = np.array([KINDS[index % len(KINDS)] for index in range(count)])
    return features_of(net, synthetic_squares(count, MADE_SEED)), kinds


def _architecture(settings: GateSettings, material: Material) -> dict[str, int]:
    kinds = len(np.unique(material.kinds)) + len(np.unique(material.made_kinds))
    return {"size": settings.size, "components": settings.components, "kinds": kinds}


def train_gate_on_sources(
    root: Path,
    sources: tuple[str, ...],
    settings: GateSettings | None = None,
    start: Callable[[GateNet], None] = start_trunk,
) -> tuple[GateNet, dict[str, Any]]:
    """Train the gate on bone films of several sources; fold4 of each sets the limits, part test is never looked at.

    Returns it with facts as `train_gate` does; `left_out` also holds every source left out in turn, and names the
    worst kind and the worst source.
    """
    began = time.monotonic()
    settings = settings or FOR_SOURCES
    trunk = _trunk(settings, start)
    films = [films_of_source(root, name, trunk) for name in sources]
    others, refusable = _others(root, trunk)
    made, made_kinds = _made(trunk, settings.made)
    material = Material(*bone_of(films), *others, made, made_kinds, *sources_of(films))
    net = _fitted(material, settings, trunk)
    pairs = zip(material.limit_sources, material.limit_sets, strict=True)
    facts = {
        "architecture": _architecture(settings, material),
        "settings": asdict(settings),
        "sources": {one.name: {"fitted": one.fitted, "limits": int(one.limits.sum())} for one in films},
        "fitted": {"bone": sum(one.fitted for one in films), "not_bone": len(refusable.kinds), "made": len(made)},
        "limit_sets_refused": {name: _share(net.judge(rows) < 0) for name, rows in pairs},
        "left_out": leave_out_in_turn(films, material, refusable, lambda part: _fitted(part, settings, trunk)),
        "seconds": round(time.monotonic() - began, 1),
    }
    return net, facts


def _trunk(settings: GateSettings, start: Callable[[GateNet], None]) -> GateNet:
    trunk = build({"size": settings.size, "components": 1, "kinds": 1}).eval().requires_grad_(False)
    start(trunk)
    return trunk


def train_gate(
    root: Path, settings: GateSettings | None = None, start: Callable[[GateNet], None] = start_trunk
) -> tuple[GateNet, dict[str, Any]]:
    """Train the gate on a data folder; the same folder gives the same gate.

    Returns it with facts: settings, counts, seconds, and under `left_out` the share refused of each kind of image by
    a gate that never saw the kind (blank images included, as in the portal).
    """
    began = time.monotonic()
    settings = settings or GateSettings()
    trunk = _trunk(settings, start)
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
    gate.add_argument(
        "--bone", nargs="+", choices=BONE_SOURCES, default=["btxrd"],
        help="sources of bone films to train on; with several, each is left out in turn (default: btxrd alone)",
    )  # fmt: skip
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
    several = tuple(dict.fromkeys(options.bone)) != ("btxrd",)
    net, facts = train_gate_on_sources(root, tuple(dict.fromkeys(options.bone))) if several else train_gate(root)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "gate.safetensors"
    save_gate(net, path)
    films = [film for film in load_films(root / FILMS_FOLDER) if film.part in TEST_PARTS]
    figures = {"left_out": facts.pop("left_out"), **gate_figures(lambda grey: passes(net, grey), root, films)}
    told = {"sha256": file_sha256(path), **facts, "figures": figures}
    (options.out / "gate.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))
    return 0
