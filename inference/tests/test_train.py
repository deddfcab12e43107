"""Training on tiny data: it learns, goes on where it stopped, and names what is wrong before hours are spent."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from inference.errors import DataError
from inference.lab.data.examples import load_examples
from inference.lab.data.protocols import load_split
from inference.lab.data.synthetic import KINDS, synthetic_image
from inference.lab.recipes.augment import Augmentation, geometry, tones
from inference.lab.recipes.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.training.rows import train_row
from inference.lab.training.runs import load_network, read_run
from inference.lab.training.train import Trainer
from inference.tests.toy import toy_data

MILD = Augmentation(rotation=3, zoom=0.02, stretch=0.02, shift=0.02)


def tiny(**changes) -> Experiment:
    settings = {
        "name": "tiny", "network": "joint", "size": 32, "epochs": 2, "batch": 12, "learning_rate": 3e-3,
        "averaging": 0.5, "bfloat16": False, "augmentation": MILD, "warm_up_epochs": 0.5, "mask_weight": 1.0,
        "architecture": {"subtypes": 0, "frozen": 0},
    }  # fmt: skip
    return Experiment(**(settings | changes))


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return load_split(toy_data(tmp_path_factory.mktemp("lab") / "data") / "btxrd", "grouped")


def test_a_joint_network_learns_what_is_plain_to_see(split, tmp_path):
    run = train_row(tiny(epochs=8), split, tmp_path)
    history = run.facts["history"]
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert run.facts["epochs"] == 8
    assert (run.folder / "history.svg").read_text().startswith("<svg")


def test_an_interrupted_run_goes_on_to_the_same_end(split, tmp_path):
    whole = tiny(epochs=3)
    straight = train_row(whole, split, tmp_path / "straight")
    hasty = dataclasses.replace(whole, budget_minutes=0.0)
    train_row(hasty, split, tmp_path / "broken")
    resumed = train_row(whole, split, tmp_path / "broken")
    assert resumed.facts["history"] == straight.facts["history"]


def _weights(run):
    return load_file(run.folder / "weights.safetensors")


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_budget_that_ends_between_validations_still_leaves_validated_weights(split, tmp_path, keep):
    short = tiny(epochs=3, validate_every=3, budget_minutes=0.0, keep=keep)
    cut = train_row(short, split, tmp_path / "broken")
    assert cut.facts["epoch_kept"] == cut.facts["epochs"] == 1
    assert "macro_auroc" in cut.facts["history"][-1]
    once = _weights(cut)
    whole = dataclasses.replace(short, budget_minutes=40.0)
    straight, resumed = train_row(whole, split, tmp_path / "straight"), train_row(whole, split, tmp_path / "broken")
    assert resumed.facts["history"] == straight.facts["history"]
    assert all(torch.equal(value, _weights(straight)[name]) for name, value in _weights(resumed).items())
    assert any(not torch.equal(value, once[name]) for name, value in _weights(resumed).items())


def test_where_the_last_epoch_counts_the_budget_keeps_the_last_one(split, tmp_path):
    trainer = _trainer(tiny(epochs=5, validate_every=2, keep="last"), split, tmp_path)
    ends = iter([False, False, False, True])
    trainer._ends = lambda: next(ends)
    progress = trainer.run()
    assert progress.best_epoch == progress.epoch == 3
    kept = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(value, trainer.averaged.state_dict()[name]) for name, value in kept.items())


def test_where_the_best_epoch_counts_a_budget_adds_no_epoch_to_choose_from(split, tmp_path):
    trainer = _trainer(tiny(epochs=5, validate_every=2), split, tmp_path)
    ends = iter([False, False, False, True])
    trainer._ends = lambda: next(ends)
    progress = trainer.run()
    assert (progress.epoch, progress.best_epoch) == (3, 2)


def _trainer(experiment, split, folder):
    return Trainer(experiment, load_examples(split.train), load_examples(split.validation), folder)


def test_a_second_stage_says_what_the_run_below_it_took(split, tmp_path):
    first = train_row(tiny(epochs=1), split, tmp_path)
    assert "minutes_below" not in first.facts
    facts = {**first.facts, "minutes": 12.5, "minutes_below": 2.0}
    (first.folder / "run.json").write_text(json.dumps(facts))
    second = train_row(tiny(name="second", start_from="tiny", epochs=1), split, tmp_path)
    assert second.facts["minutes_below"] == 14.5


def test_without_weight_decay_every_weight_still_learns(split, tmp_path):
    run = train_row(tiny(epochs=1, weight_decay=0.0, optimiser="adam"), split, tmp_path)
    assert run.facts["epochs"] == 1


def test_a_checkpoint_of_other_settings_is_refused(split, tmp_path):
    train_row(tiny(epochs=1), split, tmp_path)
    with pytest.raises(DataError) as refusal:
        train_row(tiny(epochs=1, batch=11), split, tmp_path)
    assert refusal.value.code == "other_experiment"


def test_smaller_films_come_first_where_the_recipe_says_so(split, tmp_path):
    run = train_row(tiny(epochs=2, small_epochs=1, small_size=32, size=64), split, tmp_path)
    assert run.facts["epochs"] == 2


def test_a_run_is_read_with_its_recipe_and_refused_after_the_recipe_changed(split, tmp_path):
    recipe = 'name = "tiny"\nnetwork = "joint"\nsize = 32\nepochs = 1\nbfloat16 = false\n[architecture]\nsubtypes = 0\n'
    (tmp_path / "tiny.toml").write_text(recipe)
    run = train_row(load_experiment(tmp_path / "tiny.toml"), split, tmp_path)
    network, experiment = load_network(read_run(run.folder), tmp_path)
    assert not network.training
    assert experiment.epochs == 1
    (tmp_path / "tiny.toml").write_text(recipe.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(DataError, match="has changed"):
        load_network(read_run(run.folder), tmp_path)


def test_a_run_says_what_it_was_trained_on(split, tmp_path):
    run = train_row(tiny(epochs=1), split, tmp_path)
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["split_sha256"] == split.sha256
    assert facts["films"] == {"train": len(split.train), "validation": len(split.validation)}
    assert "--protocol grouped" in facts["command"]


def test_a_run_that_never_ended_is_named(tmp_path):
    with pytest.raises(DataError, match="train it first"):
        read_run(tmp_path)


def test_a_loss_that_is_no_number_stops_the_training(split, tmp_path):
    with pytest.raises(DataError, match="lower its rate"):
        train_row(tiny(learning_rate=1e30, epochs=4), split, tmp_path)


def varied(images: torch.Tensor, strengths: Augmentation, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return tones(geometry(images, strengths, generator), strengths, generator)


def test_augmentation_repeats_with_its_generator_and_stays_in_range():
    images = torch.rand(5, 1, 40, 40)
    strong = Augmentation(blur=1.0, jpeg=1.0, noise=1.0, border=1.0, flip_vertical=0.5, inversion=0.5, erasure=1.0)
    first, second = (varied(images, strong, seed=4) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == images.shape
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_no_strength_leaves_an_image_as_it_was():
    none = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(varied(images, none, seed=1), images, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_made_images_are_repeatable_and_of_the_common_size(kind):
    first, second = (synthetic_image(kind, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (256, 256)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXPERIMENTS.glob("*.toml")))
def test_shipped_experiments_can_be_read(name):
    assert load_experiment(EXPERIMENTS / f"{name}.toml").name == name


def test_an_unknown_setting_is_refused(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text('name = "a"\nnetwork = "joint"\nlearnig_rate = 1.0\n')
    with pytest.raises(DataError, match="learnig_rate"):
        load_experiment(path)


def test_an_experiment_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(DataError, match="joint"):
        load_experiment(EXPERIMENTS / "jiont.toml")
