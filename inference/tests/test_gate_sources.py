"""The gate on bone films of several sources: each source and each kind left out leaves no trace, the worst is named."""

import argparse
import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from inference.families.gate.network import build
from inference.lab.gate import left_out, training
from inference.lab.gate.fitting import GateSettings, _bone_shares, fit_gate
from inference.tests.test_gate import random_trunk
from inference.tests.toy import toy_data, toy_sources

SMALL = GateSettings(size=64, components=8, steps=15, made=12)
SOURCES = ("btxrd", "knees", "hands", "bone_other_source")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_sources(toy_data(tmp_path_factory.mktemp("gate") / "data"))


@pytest.fixture(scope="module")
def trained(data):
    return training.train_gate_on_sources(data, SOURCES, SMALL, random_trunk)


@pytest.fixture(scope="module")
def trunk():
    return training._trunk(SMALL, random_trunk)


@pytest.fixture(scope="module")
def films(data, trunk):
    return [left_out.films_of_source(data, name, trunk) for name in SOURCES]


def test_every_kind_and_every_source_is_left_out_and_the_worst_is_named_with_its_interval(trained):
    found = trained[1]["left_out"]
    assert set(found["by_source"]) == set(found["auroc_by_source"]) == set(SOURCES)
    assert set(found["by_kind"]) == set(found["auroc_by_kind"]) == {"snow", "static"}
    for group, worst, name in (("by_source", "worst_source", "source"), ("by_kind", "worst_kind", "kind")):
        shares = {key: figure["estimate"] for key, figure in found[group].items()}
        extreme = max if name == "source" else min
        assert found[worst]["estimate"] == extreme(shares.values()) == shares[found[worst][name]]
        assert found[worst]["low"] <= found[worst]["estimate"] <= found[worst]["high"]
    assert all(0 <= figure["low"] <= figure["high"] <= 1 for figure in found["auroc_by_kind"].values())


def test_no_film_of_the_part_test_is_fitted_sets_a_limit_or_is_counted(data, films):
    knees = next(one for one in films if one.name == "knees")
    assert len(knees.features) == len(knees.train) == 12  # six of fold0, six of fold4; six of test are left
    assert (knees.fitted, int(knees.limits.sum())) == (6, 6)
    assert not (knees.train & knees.limits).any()


def test_a_source_without_parts_is_dealt_out(films):
    other = next(one for one in films if one.name == "bone_other_source")
    assert (len(other.features), other.fitted, int(other.limits.sum())) == (4, 4, 0)


def test_a_source_left_out_leaves_no_trace_not_even_in_the_limits(films, trunk):
    material = material_of(films)
    spoilt = [
        dataclasses.replace(one, features=one.features + 9, varied=one.varied - 9) if one.name == "knees" else one
        for one in films
    ]
    first, second = (fitted(of.without_source("knees"), trunk) for of in (material, material_of(spoilt)))
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert "knees" not in material.without_source("knees").limit_sources
    assert not torch.equal(fitted(material, trunk).centre, first.centre)


def test_a_small_source_counts_more_per_film(films):
    material = material_of(films)
    shares = _bone_shares(material, SMALL).numpy()
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    by_film = {name: float(shares[material.bone_sources == name][0]) for name in SOURCES}
    sizes = {name: int((material.bone_sources == name).sum()) for name in SOURCES}
    assert sorted(by_film, key=by_film.get) == sorted(sizes, key=sizes.get, reverse=True)


def test_what_several_sources_gave_loads_like_every_gate(trained, tmp_path):
    net, facts = trained
    training.save_gate(net, tmp_path / "gate.safetensors")
    loaded = build(facts["architecture"]).eval()
    loaded.load_state_dict(load_file(tmp_path / "gate.safetensors"), strict=True)


def test_the_command_says_which_sources_it_learnt_from(data, trained, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        training, "train_gate_on_sources", lambda root, names: asked.append(names) or (trained[0], dict(trained[1]))
    )
    parser = argparse.ArgumentParser()
    training.add_gate(parser.add_subparsers())
    options = parser.parse_args(["gate", "--data", str(data), "--out", str(tmp_path), "--bone", *SOURCES])
    assert options.run(options) == 0
    assert asked == [SOURCES]
    told = json.loads((tmp_path / "gate.json").read_text())
    assert told["figures"]["left_out"]["worst_source"]["source"] in SOURCES
    assert told["sources"]["knees"] == {"fitted": 6, "limits": 6}
    assert json.loads(capsys.readouterr().out) == told["figures"]


def material_of(films):
    others = torch.randn(20, films[0].features.shape[1], generator=torch.Generator().manual_seed(1))
    kinds = np.array(["static"] * 20)
    bone, limits = left_out.bone_of(films)
    made = others[:6] + 1
    return training.Material(bone, limits, others, kinds, made, np.array(["plain"] * 6), *left_out.sources_of(films))


def fitted(material, trunk):
    net = build({"size": SMALL.size, "components": SMALL.components, "kinds": 2}).eval().requires_grad_(False)
    net.stages.load_state_dict(trunk.stages.state_dict())
    fit_gate(net, material, SMALL)
    return net
