"""The laboratory of the second task: films, split, how often a fracture is shown, a whole training."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from inference.__main__ import main
from inference.acceptance.rule import rule_of
from inference.card import load_card, task_of
from inference.errors import DataError
from inference.imaging.prepare import fitted_square
from inference.lab.data.folder import read_grey
from inference.lab.fracture.boxes import average_precision, overlap
from inference.lab.fracture.films import drawn, fracture_examples, load_fracture_split, load_outlines
from inference.lab.fracture.training import FractureTrainer
from inference.lab.recipes.experiment import Experiment, load_experiment
from inference.prediction import Region
from inference.predictor import Predictor
from inference.tests.toy import toy_film, toy_fractures, toy_joint

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


@pytest.fixture
def trained(root, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    given = ["--recipes", str(tmp_path), "--data", str(root)]
    assert main(["fracture", "train", "--recipe", "tiny", *given, "--runs", str(tmp_path / "runs")]) == 0
    return ["--run", str(tmp_path / "runs" / "tiny-fracture-fold4"), *given]


def test_a_run_is_measured_and_built_into_a_model_that_answers(root, trained, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    toy_sources_of_hands(root)
    assert main(["fracture", "measure", *trained, "--json", str(figures), "--sources", "hands"]) == 0
    found = json.loads(figures.read_text())
    assert found["films"] == {"fracture": 2, "no fracture": 2}
    assert set(found["outlines"]) >= {"dice", "hits", "box_ap50_fractured_films"}
    assert found["false_alarms_elsewhere"]["hands"]["n"] == 3
    toy_joint(tmp_path / "tumours")
    build = ["fracture", "build", *trained, "--gate-from", str(tmp_path / "tumours"), "--version", "0.1"]
    assert main([*build, "--out", str(tmp_path / "models")]) == 0
    folder = tmp_path / "models" / "bonescan-fracture-0.1"
    assert (folder / "NOTICE").read_text().count("CC BY 4.0") == 1
    card = load_card(folder)
    assert (task_of(card), card["outcomes"], len(card["training_images"])) == (
        "fracture",
        ["no_fracture", "fracture"],
        20,
    )
    assert rule_of(card).least_tumour_free == 100
    predictor = Predictor.load(folder)
    answer = predictor.predict(read_grey(root / "fracatlas" / "images" / "F000.png"))
    assert answer.outcome in ("fracture", "no_fracture", "withheld")
    held = json.loads((folder / "card.json").read_text())["reference"]["probability of fracture"]
    assert held["n"] == 4


def test_a_level_that_no_set_can_keep_is_refused(trained, tmp_path):
    assert main(["fracture", "measure", *trained, "--json", str(tmp_path / "x"), "--level", "0"]) == 2


def test_twins_across_parts_are_found(root, capsys):
    copy = (root / "fracatlas" / "images" / "F000.png").read_bytes()
    (root / "fracatlas" / "images" / "F023.png").write_bytes(copy)
    assert main(["fracture", "leakage", "--data", str(root)]) == 3


def toy_sources_of_hands(root):
    folder = root / "hands"
    (folder / "images").mkdir(parents=True)
    rows = ["image_id,part"]
    for index in range(3):
        Image.fromarray(toy_film(80 + index)).save(folder / "images" / f"H{index}.png")
        rows.append(f"H{index},fold0")
    (folder / "folds.csv").write_text("\n".join(rows))
    (folder / "labels.csv").write_text("image_id\nH0\nH1\nH2\n")


def test_overlap_and_average_precision_agree_with_figures_worked_out_by_hand():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (1, 1, 2, 2)) == 0
    box = (0.1, 0.1, 0.3, 0.3)
    right, wrong = Region((), box, 0.04, 0.6), Region((), (0.6, 0.6, 0.9, 0.9), 0.09, 0.9)
    assert average_precision([(right,)], [[box]]) == 1
    # Two true boxes, one found at rank 2 behind a false one: precision .5 up to recall .5, none beyond.
    assert average_precision([(wrong, right), ()], [[box], [box]]) == pytest.approx(0.5 * 51 / 101)
    assert average_precision([(right, right)], [[box]]) == 1, "the second finds nothing new, behind the first"
    assert np.isnan(average_precision([()], [[]]))
    assert average_precision([()], [[box]]) == 0


def test_the_shipped_recipe_is_read_and_its_protocol_is_bound_to_the_known_table():
    from inference.lab.fracture.films import PROTOCOL
    from inference.lab.fracture.training import RECIPE, RECIPES

    recipe = load_experiment(RECIPES / f"{RECIPE}.toml")
    assert recipe.architecture == {"subtypes": 0, "outcomes": 1}
    assert PROTOCOL.read_text().count(" = ") == 6
