"""The laboratory on tiny data: it learns, goes on where it stopped, ships a pair that loads, names what is wrong."""

import dataclasses

import numpy as np
import pytest
import torch

from inference.errors import DataError
from inference.lab.augment import Augmentation, augment
from inference.lab.build import assemble
from inference.lab.commands import ORDER, train_one
from inference.lab.data import load_films, select
from inference.lab.evaluate import classify_films, figures_of, gate_figures
from inference.lab.experiment import EXPERIMENTS, Experiment, load_experiment
from inference.lab.results import write_documents
from inference.lab.synthetic import KINDS, synthetic_image
from inference.lab.tasks import load_not_bone
from inference.predictor import Predictor
from inference.tests.toy import toy_data

MILD = Augmentation(rotation=3, zoom=0.02, stretch=0.02, shift=0.02)


def tiny(name: str, **changes) -> Experiment:
    settings = {
        "widths": (8, 16, 16), "size": 48, "dense": 16, "dropout": 0.0, "epochs": 2, "batch": 12, "learning_rate": 3e-3,
        "averaging": 0.5, "bfloat16": False, "augmentation": MILD, "warm_up_epochs": 1,
    }  # fmt: skip
    if name in {"tumour", "malignant"}:
        settings["start_from"] = "outline"
    return Experiment(name=name, task=name, **(settings | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_data(tmp_path_factory.mktemp("lab") / "data")


@pytest.fixture(scope="module")
def shipped(data, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    experiments = {name: tiny(name, held_out_kinds=("snow",) if name == "gate" else ()) for name in ORDER}
    for name in ORDER:
        train_one(data, experiments[name], runs)
    out = runs / "weights"
    return assemble(data, runs, experiments, "9.9.9", out), out


def test_a_network_learns_what_is_plain_to_see(data, tmp_path):
    train_one(data, tiny("outline", epochs=1), tmp_path)
    progress = train_one(data, tiny("tumour", epochs=14), tmp_path)
    assert progress.best > 0.95


def test_an_interrupted_run_goes_on_to_the_same_end(data, tmp_path):
    whole = tiny("tumour", start_from="", epochs=3)
    straight = train_one(data, whole, tmp_path / "straight")
    hasty = dataclasses.replace(whole, budget_minutes=0.0)
    train_one(data, hasty, tmp_path / "broken")
    resumed = train_one(data, whole, tmp_path / "broken")
    assert resumed.history == straight.history


def test_a_checkpoint_of_other_settings_is_refused(data, tmp_path):
    train_one(data, tiny("tumour", start_from="", epochs=1), tmp_path)
    with pytest.raises(DataError) as refusal:
        train_one(data, tiny("tumour", start_from="", epochs=1, dense=17), tmp_path)
    assert refusal.value.code == "other_experiment"


def test_starting_from_a_run_that_is_not_there_is_refused(data, tmp_path):
    with pytest.raises(DataError, match="first"):
        train_one(data, tiny("malignant"), tmp_path)


def test_what_is_built_loads_and_answers(shipped):
    card, out = shipped
    predictor = Predictor.load(out)
    assert predictor.identity.sha256 == card["weights"]["sha256"]
    assert set(card["networks"]) == {"gate", "tumour", "malignant"}
    assert (out / "NOTICE").read_text().startswith("BoneScan model weights")


def test_figures_carry_intervals_and_fill_the_documents(shipped, data, tmp_path):
    card, out = shipped
    predictor = Predictor.load(out)
    films = select(load_films(data / "btxrd"), ("test",))
    probabilities, called = classify_films(predictor, films)
    labels = np.array([("normal", "benign", "malignant").index(film.label) for film in films])
    groups = np.array([film.group_id for film in films])
    figures = figures_of(labels, groups, probabilities, called)
    assert set(figures["macro_auroc"]) == {"estimate", "low", "high", "n"}
    assert figures["per_class"]["malignant"]["recall"] == figures["malignant_sensitivity"]
    figures["gate"] = gate_figures(predictor, data, films, ("snow",))
    assert figures["gate"]["refused_by_kind"]["snow"]["n"] == 10
    pages = write_documents({**card, "figures": figures}, tmp_path)
    assert all("macro auroc" in page.read_text() for page in pages)


def test_held_out_kinds_are_wholly_in_the_test_part(data):
    images = load_not_bone(data, ("snow",))
    assert {image.part for image in images if image.kind == "snow"} == {"test"}
    assert {image.part for image in images if image.kind == "static"} == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("labels.csv", "FILM003,normal", "FILM003,odd", "unknown_label"),
        ("labels.csv", "FILM003,normal", "FILM002,normal", "duplicate_id"),
        ("labels.csv", "FILM003,normal", "FILM999,normal", "no_part"),
        ("labels.csv", "image_id,label", "name,label", "missing_column"),
    ],
)
def test_bad_tables_are_named_before_training(tmp_path, file, old, new, code):
    root = toy_data(tmp_path / "data") / "btxrd"
    path = root / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as refusal:
        load_films(root)
    assert refusal.value.code == code
    assert file in refusal.value.message


def test_a_missing_image_is_named_with_its_row(tmp_path):
    root = toy_data(tmp_path / "data") / "btxrd"
    (root / "images" / "FILM005.png").unlink()
    with pytest.raises(DataError, match=r"labels.csv row 7.*FILM005"):
        load_films(root)


def test_an_empty_class_is_an_error(data):
    films = [film for film in load_films(data / "btxrd") if film.label != "malignant"]
    with pytest.raises(DataError, match="no malignant film"):
        select(films, ("fold0",))


def test_augmentation_repeats_with_its_generator_and_stays_in_range():
    images = torch.rand(5, 1, 40, 40)
    strong = Augmentation(blur=1.0, jpeg=1.0, noise=1.0, border=1.0, flip_vertical=0.5)
    first, second = (augment(images, strong, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == images.shape
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_no_strength_leaves_an_image_as_it_was():
    none = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(augment(images, none, torch.Generator().manual_seed(1)), images, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_made_images_are_repeatable_and_of_the_common_size(kind):
    first, second = (synthetic_image(kind, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (256, 256)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ORDER)
def test_shipped_experiments_can_be_read(name):
    assert load_experiment(EXPERIMENTS / f"{name}.toml").name == name


def test_an_unknown_setting_is_refused(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text('name = "a"\ntask = "gate"\nlearnig_rate = 1.0\n')
    with pytest.raises(DataError, match="learnig_rate"):
        load_experiment(path)
