"""Batches of several sources: balanced, resumable, with lesions that bring their class and bone that brings none."""

import dataclasses

import numpy as np
import pytest
import torch

from inference.errors import DataError
from inference.lab.data.examples import load_examples
from inference.lab.data.protocols import load_split
from inference.lab.data.sources import load_sources
from inference.lab.recipes.augment import Augmentation, geometry
from inference.lab.recipes.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.recipes.mixing import Mixing
from inference.lab.training.mixed import MixedTrainer
from inference.lab.training.rows import train_row
from inference.lab.training.runs import load_network, read_run
from inference.tests.toy import toy_data, toy_sources

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return toy_sources(toy_data(tmp_path_factory.mktemp("mixed") / "data"))


@pytest.fixture(scope="module")
def split(root):
    return load_split(root / "btxrd", "patient")


@pytest.fixture(scope="module")
def sources(root):
    return load_sources(root, left_out=("hands", "bone_other_source"))


def tiny(**changes):
    settings = {
        "name": "tiny", "network": "joint", "size": 32, "epochs": 2, "batch": 12, "bfloat16": False, "mask_weight": 1.0,
        "architecture": {"subtypes": 0, "frozen": 0}, "augmentation": STILL, "mixing": Mixing(foreign=4),
    }  # fmt: skip
    return Experiment(**(settings | changes))


def trainer(split, sources, folder, **mixing):
    experiment = tiny(mixing=Mixing(**{"foreign": 4} | mixing))
    examples = load_examples(split.train), load_examples(split.validation)
    return MixedTrainer(experiment, *examples, folder, sources=sources.train)


def test_every_own_film_comes_once_an_epoch_and_the_sources_alike_often(split, sources, tmp_path):
    made = trainer(split, sources, tmp_path)
    assert made.own_batch == 8
    assert made.steps_per_epoch == 6
    assert made.chances.sum() == pytest.approx(1)
    assert made.chances[: len(sources.train[0].films)].sum() == pytest.approx(1 / 3)


def test_a_moved_lesion_brings_its_class_and_outline(split, sources, tmp_path):
    made = trainer(split, sources, tmp_path, foreign=10, lesion_foreign=1.0, lesion_own=0.0, healthy_own=0.0)
    own = torch.arange(2)
    batch = made._picked(own)
    foreign = batch.labels[2:]
    assert len(foreign) == 10
    assert (foreign > 0).sum() >= 5
    assert np.array_equal(batch.masks[2:].any(axis=(1, 2)), foreign > 0)


def test_moved_healthy_bone_changes_the_film_and_nothing_that_is_taught(split, sources, tmp_path):
    shares = {"lesion_foreign": 0.0, "lesion_own": 0.0, "healthy_foreign": 1.0, "healthy_own": 1.0}
    made = trainer(split, sources, tmp_path, **shares, healthy_tumour=1.0)
    own = torch.arange(8)
    batch = made._picked(own)
    assert np.array_equal(batch.labels[:8], made.train_examples.labels[:8])
    assert not batch.labels[8:].any()
    assert np.array_equal(batch.masks[:8], made.train_examples.masks[:8])
    assert not batch.masks[8:].any()
    changed = (batch.squares[:8] != made.films[:8]).any(axis=(1, 2))
    assert changed.any()


def test_the_films_in_memory_are_never_altered(split, sources, tmp_path):
    made = trainer(split, sources, tmp_path, lesion_foreign=1.0, lesion_own=1.0)
    before, masks = made.films.copy(), made.train_examples.masks.copy()
    for first in range(0, 40, 8):
        made._picked(torch.arange(first, first + 8))
    assert np.array_equal(before, made.films)
    assert np.array_equal(masks, made.train_examples.masks)


def test_an_interrupted_mixed_run_goes_on_to_the_same_end_and_names_its_sources(split, sources, tmp_path):
    whole = tiny(epochs=2)
    straight = train_row(whole, split, tmp_path / "straight", sources=sources)
    train_row(dataclasses.replace(whole, budget_minutes=0.0), split, tmp_path / "broken", sources=sources)
    resumed = train_row(whole, split, tmp_path / "broken", sources=sources)
    assert resumed.facts["history"] == straight.facts["history"]
    assert straight.key == "tiny-patient-fold4-without-hands-bone_other_source"
    assert straight.facts["sources"]["train"] == {"fracatlas": 6, "fractures": 2, "knees": 6}
    assert straight.facts["command"].endswith("--leave-out hands bone_other_source")


def test_a_recipe_that_mixes_needs_sources_and_another_takes_none(split, sources, tmp_path):
    with pytest.raises(DataError, match="recipe that mixes"):
        train_row(tiny(), split, tmp_path)
    with pytest.raises(DataError, match="recipe that mixes"):
        train_row(tiny(mixing=None), split, tmp_path, sources=sources)


def test_a_mixed_recipe_is_read_again_from_its_file(split, sources, tmp_path):
    recipe = 'name = "tiny"\nnetwork = "joint"\nsize = 32\nepochs = 1\nbfloat16 = false\n[architecture]\nsubtypes = 0\n'
    (tmp_path / "tiny.toml").write_text(recipe + "[mixing]\nforeign = 3\n")
    experiment = load_experiment(tmp_path / "tiny.toml")
    run = train_row(experiment, split, tmp_path, sources=sources)
    _, again = load_network(read_run(run.folder), tmp_path)
    assert again.mixing == Mixing(foreign=3)


def test_settings_of_a_younger_date_leave_the_hash_of_older_recipes_as_it_was():
    settings = load_experiment(EXPERIMENTS / "joint.toml").as_dict()
    assert "mixing" not in settings
    assert {"quarter_turns", "letterbox"}.isdisjoint(settings["augmentation"])
    assert load_experiment(EXPERIMENTS / "joint.toml").sha256.startswith("49237817838c")


def test_quarter_turns_turn_film_and_mask_alike_and_lose_nothing():
    strengths = dataclasses.replace(STILL, quarter_turns=1.0)
    images = torch.rand(12, 1, 16, 16)
    found = geometry(torch.cat([images, images], dim=1), strengths, torch.Generator().manual_seed(3))
    turns = set()
    for before, after in zip(images[:, 0], found, strict=True):
        same = [k for k in range(4) if torch.allclose(torch.rot90(before, k), after[0], atol=1e-4)]
        assert len(same) == 1
        assert torch.equal(after[0], after[1])
        turns |= set(same)
    assert len(turns) > 2


def test_a_letterbox_shrinks_the_film_and_leaves_black_bars():
    strengths = dataclasses.replace(STILL, letterbox=1.0)
    found = geometry(torch.ones(20, 1, 40, 40), strengths, torch.Generator().manual_seed(3))
    black = (found[:, 0] < 0.01).float().mean(dim=(1, 2))
    assert float(black.max()) <= 0.56
    assert (black > 0.05).sum() > 12
    assert torch.equal(found[:, 0, 20, 20], torch.ones(20))
