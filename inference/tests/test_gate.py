"""The gate on toy data with a random trunk: it repeats, refuses kinds it never saw, stores and loads strictly."""

import argparse
import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from inference.errors import DataError
from inference.families.gate.network import FEATURES, GateNet, build
from inference.lab.data.folder import load_films
from inference.lab.gate import training as gate
from inference.lab.gate.fitting import GateSettings, fit_gate
from inference.lab.gate.looks import varied
from inference.tests.toy import toy_data, toy_film

SMALL = GateSettings(size=64, components=8, steps=15, made=12)


def random_trunk(net: GateNet) -> None:
    torch.manual_seed(5)
    for stage in net.stages:
        for name, value in stage.state_dict().items():
            if name.endswith("weight") and value.ndim == 4:
                value.copy_(torch.randn_like(value) * (2 / value[0].numel()) ** 0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_data(tmp_path_factory.mktemp("gate") / "data")


@pytest.fixture(scope="module")
def trained(data):
    return gate.train_gate(data, SMALL, random_trunk)


@pytest.fixture(scope="module")
def gathered(data):
    """The folder read a second time: a trunk, what a gate is fitted to, and what it must refuse."""
    trunk = build({"size": SMALL.size, "components": 1, "kinds": 1}).eval().requires_grad_(False)
    random_trunk(trunk)
    return trunk, *gate.gather(data, trunk, SMALL.made)


def test_it_tells_films_from_noise_and_from_kinds_it_never_saw(data, trained):
    net, facts = trained
    films = [film for film in load_films(data / "btxrd") if film.part == "test"]
    figures = gate.gate_figures(lambda grey: gate.passes(net, grey), data, films)
    assert figures["bone_refused"]["estimate"] < 0.4
    assert facts["left_out"]["whole"]["estimate"] > 0.9
    assert set(facts["left_out"]["by_kind"]) == {"snow", "static"}
    assert {"estimate", "low", "high", "n"} == set(facts["left_out"]["whole"])


def test_the_same_folder_gives_the_same_gate(gathered, trained):
    trunk, material, _ = gathered
    net, facts = trained
    again = build(facts["architecture"]).eval().requires_grad_(False)
    again.stages.load_state_dict(trunk.stages.state_dict())
    fit_gate(again, material, SMALL)
    first = net.state_dict()
    assert all(torch.equal(value, first[key]) for key, value in again.state_dict().items())


def test_a_kind_left_out_leaves_no_trace_in_the_gate_that_judges_it(gathered, trained):
    trunk, material, images = gathered
    changed = material.others.clone()
    changed[torch.from_numpy(material.kinds == "snow")] += 3.0
    other = dataclasses.replace(material, others=changed)
    own = images.kinds == "snow"
    snow = gate.Refusable(images.kinds[own], images.features[torch.from_numpy(own)], images.blank[own])
    assert gate.left_out(other, snow, SMALL, trunk)["by_kind"]["snow"] == trained[1]["left_out"]["by_kind"]["snow"]
    assert "snow" not in material.without("snow").kinds


def test_what_is_stored_loads_strictly_and_answers_the_same(trained, tmp_path):
    net, facts = trained
    gate.save_gate(net, tmp_path / "gate.safetensors")
    loaded = build(facts["architecture"]).eval()
    loaded.load_state_dict(load_file(tmp_path / "gate.safetensors"), strict=True)
    images = torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        assert loaded(images).shape == (3,)
        assert torch.allclose(loaded(images), net(images), atol=0.05)
    with pytest.raises(RuntimeError, match="size mismatch"):
        build({**facts["architecture"], "kinds": 1}).load_state_dict(net.state_dict(), strict=True)
    assert (tmp_path / "gate.safetensors").stat().st_size < 5e6


def test_features_do_not_depend_on_the_batch(trained):
    squares = np.stack([np.resize(toy_film(seed, side=256), (256, 256)) for seed in range(3)])
    together = gate.features_of(trained[0], squares)
    assert together.shape == (3, FEATURES)
    assert torch.allclose(together[1:2], gate.features_of(trained[0], squares[1:2]), atol=1e-3)


def test_the_logit_is_the_least_of_the_three_margins(trained):
    net, _ = trained
    features = gate.features_of(net, np.stack([toy_film(seed, side=256) for seed in range(2)]))
    with torch.no_grad():
        margins = (net.limits - net.oddness(features)) / net.scales
    assert margins.shape == (2, 3)
    assert torch.equal(net.judge(features), margins.min(dim=1).values)


def test_a_blank_image_never_passes(trained):
    assert not gate.passes(trained[0], np.full((90, 70), 128, np.uint8))


def test_varied_copies_repeat_stay_in_range_and_are_inverted_as_often_as_told():
    images = torch.rand(6, 1, 48, 48) * 0.2
    first, second = (varied(images, 1.0, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second)
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert float(first.mean()) > 0.5 > float(varied(images, 0.0, torch.Generator().manual_seed(2)).mean())


def test_held_out_kinds_are_wholly_in_the_test_part(data):
    images = gate.load_not_bone(data, ("snow",))
    assert {image.part for image in images if image.kind == "snow"} == {"test"}
    assert {image.part for image in images if image.kind == "static"} == {"train", "validation", "test"}


def test_a_missing_image_is_named_with_its_row(tmp_path):
    root = toy_data(tmp_path / "data")
    (root / "gate" / "not_bone" / "3.png").unlink()
    with pytest.raises(DataError, match=r"row 5: 3.png") as refusal:
        gate.load_not_bone(root)
    assert refusal.value.code == "missing_image"


def test_the_command_writes_weights_and_figures(data, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gate, "train_gate", lambda root: (trained[0], dict(trained[1])))
    parser = argparse.ArgumentParser()
    gate.add_gate(parser.add_subparsers())
    options = parser.parse_args(["gate", "--data", str(data), "--out", str(tmp_path / "out")])
    assert options.run(options) == 0
    told = json.loads((tmp_path / "out" / "gate.json").read_text())
    assert told["sha256"] == gate.file_sha256(tmp_path / "out" / "gate.safetensors")
    assert told["figures"]["left_out"]["whole"]["n"] == 20
    assert json.loads(capsys.readouterr().out) == told["figures"]
