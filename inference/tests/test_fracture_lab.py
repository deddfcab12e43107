"""The laboratory of the second task: films, split, how often a fracture is shown, a whole training."""

import csv
import json

import numpy as np
import pytest

from inference.__main__ import main
from inference.errors import DataError
from inference.imaging.prepare import fitted_square
from inference.lab.fracture.films import drawn, fracture_examples, load_fracture_split, load_outlines
from inference.lab.fracture.training import FractureTrainer
from inference.lab.recipes.experiment import Experiment, load_experiment
from inference.tests.toy import toy_fractures

TINY = """
name = "tiny"
network = "joint"
size = 64
epochs = 1
batch = 4
mask_weight = 1.0
positives = 0.75
keep = "last"
bfloat16 = false

[architecture]
subtypes = 0
outcomes = 1
frozen = 0
"""


@pytest.fixture
def root(tmp_path):
    return toy_fractures(tmp_path / "data")


def change(root, name, column, value, at=0):
    path = root / "fracatlas" / name
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows[at][column] = value
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_the_held_out_fold_validates_and_the_part_test_stands_apart(root):
    split = load_fracture_split(root, "fold2")
    assert [len(films) for films in (split.train, split.validation, split.test)] == [16, 4, 4]
    assert {film.part for film in split.validation} == {"fold2"}
    assert {film.part for film in split.test} == {"test"}


@pytest.mark.parametrize(
    ("name", "column", "value", "code"),
    [
        ("labels.csv", "label", "broken", "unknown_label"),
        ("labels.csv", "image_id", "F999", "missing_image"),
        ("labels.csv", "group_id", "11", "crossing_group"),
        ("folds.csv", "part", "elsewhere", "no_part"),
        ("labels.csv", "image_id", "F001", "duplicate_id"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(root, name, column, value, code):
    change(root, name, column, value)
    with pytest.raises(DataError) as refused:
        load_fracture_split(root)
    assert refused.value.code == code


def test_an_outline_covers_the_gap_on_the_square_that_the_film_was_fitted_into(root):
    split, outlines = load_fracture_split(root), load_outlines(root)
    found = fracture_examples(split.train[:2], outlines, 96)
    assert found.labels.tolist() == [1, 0]
    assert not found.masks[1].any()
    inside, outside = found.squares[0][found.masks[0] > 0], found.squares[0][30:36, 45:50]
    assert inside.mean() < 120 < outside.mean(), "the gap is dark, the shaft above it bright"


def test_the_polygons_of_several_fractures_are_all_drawn():
    _, frame = fitted_square(np.zeros((100, 50), np.uint8), 100)
    one = [[[0.1, 0.1], [0.3, 0.1], [0.3, 0.2], [0.1, 0.2]]]
    two = [[[0.6, 0.6], [0.9, 0.6], [0.9, 0.8], [0.6, 0.8]]]
    mask = drawn([one, two], frame, 100)
    assert mask[15, 35]
    assert mask[70, 62]
    assert not mask[40, 50]
    assert not mask[:, :25].any(), "beside the film"


def test_fractures_are_shown_as_often_as_the_recipe_says_and_each_before_any_twice(root, tmp_path):
    split, outlines = load_fracture_split(root), load_outlines(root)
    examples = fracture_examples(split.train, outlines, 64)
    experiment = Experiment(
        "tiny", "joint", architecture={"subtypes": 0, "outcomes": 1}, size=64, batch=4, positives=0.75
    )
    order = FractureTrainer(experiment, examples, examples, tmp_path / "run")._order().numpy()
    counts = np.bincount(order, minlength=16)
    assert len(order) == 16
    assert counts[examples.labels == 1].tolist() != [0] * 8
    assert (counts[examples.labels == 1].sum(), counts[examples.labels == 0].sum()) == (12, 4)
    assert counts[examples.labels == 1].min() == 1
    assert counts[examples.labels == 0].max() == 1


def test_settings_that_do_nothing_leave_the_hash_of_older_recipes_alone():
    assert "positives" not in Experiment("a", "joint").as_dict()
    assert "positives" in Experiment("a", "joint", positives=0.3).as_dict()


def test_a_training_writes_its_run_and_is_found_finished_the_second_time(root, tmp_path, capsys):
    (tmp_path / "tiny.toml").write_text(TINY)
    command = ["fracture", "train", "--recipe", "tiny", "--recipes", str(tmp_path), "--data", str(root)]
    command += ["--runs", str(tmp_path / "runs")]
    assert main(command) == 0
    run = json.loads((tmp_path / "runs" / "tiny-fracture-fold4" / "run.json").read_text())
    assert (run["protocol"], run["films"], run["fractured"]) == ("fracture", {"train": 16, "validation": 4}, 8)
    assert set(run["history"][-1]) == {"epoch", "train_loss", "macro_auroc", "dice"}
    assert main(command) == 0


def test_the_shipped_recipe_is_read_and_its_protocol_is_bound_to_the_known_table():
    from inference.lab.fracture.films import PROTOCOL
    from inference.lab.fracture.training import RECIPE, RECIPES

    recipe = load_experiment(RECIPES / f"{RECIPE}.toml")
    assert recipe.architecture == {"subtypes": 0, "outcomes": 1}
    assert PROTOCOL.read_text().count(" = ") == 6
