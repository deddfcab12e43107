"""From trained members to a card, and from a folder to figures: what is refused, what is stamped, what is written."""

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from inference.__main__ import main
from inference.errors import DataError
from inference.families.gate.network import build as build_gate
from inference.imaging.prepare import common_square
from inference.lab.cards.build import tensors_of
from inference.lab.cards.fitted import fit
from inference.lab.data.folder import load_films
from inference.lab.data.sources import load_source
from inference.lab.evaluation.evaluate import model_folder, refuse_training_images, write_measurement
from inference.lab.gate.training import save_gate
from inference.lab.metrics.perturb import PERTURBATIONS, perturbed
from inference.lab.training.oof import OutOfFold, collect, halves, training_features
from inference.lab.training.outputs import Outputs
from inference.lab.training.runs import read_run
from inference.predictor import Predictor
from inference.tests.toy import toy_data, toy_film, toy_joint, toy_labelled, toy_sources

RECIPE = """
name = "tiny"
title = "a tiny joint network"
network = "joint"
size = 64
epochs = 1
batch = 12
bfloat16 = false
mask_weight = 1.0
subtype_weight = 0.1
keep = "last"
[architecture]
subtypes = 9
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """A data folder, a folder of recipes, and one trained run."""
    root = tmp_path_factory.mktemp("laboratory")
    toy_data(root / "data")
    (root / "recipes").mkdir()
    (root / "recipes" / "tiny.toml").write_text(RECIPE)
    status = main(["train", "tiny", *_places(root)])
    assert status == 0
    return root


def _places(root):
    return [f"--data={root / 'data'}", f"--experiments={root / 'recipes'}", f"--runs={root / 'runs'}"]


def test_a_run_is_measured_on_its_test_list_but_not_on_a_leaking_one_unless_told(laboratory, tmp_path, capsys):
    # Films made by one rule look alike: the toy split is condemned for its twins.
    run, out, page = laboratory / "runs" / "tiny-grouped-fold4", tmp_path / "out.json", tmp_path / "out.html"
    words = ["evaluate", f"--run={run}", *_places(laboratory)[:2], f"--json={out}", f"--html={page}", "--no-flips"]
    assert main(words) == 2
    assert "--allow-leaking" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "--allow-leaking"]) == 0
    measured = json.loads(out.read_text())
    assert next(iter(measured)) == "macro_auroc"
    assert set(measured["macro_auroc"]) == {"estimate", "low", "high", "n"}
    assert measured["films"] == 12
    assert measured["leaking"] is True
    assert measured["protocol"] == "grouped"
    assert measured["outline"]["dice"]["n"] == 8
    assert measured["times_measured"] == 1
    assert "LEAKING" in page.read_text()
    assert "<svg" in page.read_text()
    write_measurement(measured, out)
    assert json.loads(out.read_text())["times_measured"] == 2


def test_members_and_gate_become_a_model_that_loads_and_knows_its_training_images(laboratory, tmp_path):
    gate = tmp_path / "gate"
    gate.mkdir()
    shape = {"size": 64, "components": 2, "kinds": 1}
    save_gate(build_gate(shape), gate / "gate.safetensors")
    (gate / "gate.json").write_text(json.dumps({"architecture": shape, "settings": {}}))
    words = ["build", *_places(laboratory), "--members", "tiny-grouped-fold4", f"--gate={gate}", "--version=9.9"]
    assert main([*words, f"--out={tmp_path}", "--level=0.2"]) == 0
    folder = tmp_path / "bonescan-joint-9.9"
    predictor = Predictor.load(folder)
    assert set(predictor.points) == {"balanced", "rule_out"}
    assert (folder / "NOTICE").read_text().startswith("BoneScan model weights")
    films = load_films(laboratory / "data" / "btxrd")
    with pytest.raises(DataError, match=r"are training images"):
        refuse_training_images(folder, films, allowed=False)
    assert refuse_training_images(folder, films, allowed=True)
    assert not refuse_training_images(folder, [film for film in films if film.part == "test"], allowed=False)


def test_runs_that_mix_sources_become_a_model_that_sees_four_sides_and_asks_for_the_tumour_first(tmp_path):
    root = toy_sources(toy_data(tmp_path / "data"))
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "tiny.toml").write_text(
        RECIPE.replace("[arch", 'preparation = "stretch"\n[arch') + "[mixing]\nforeign = 4\n"
    )
    common = [f"--data={root}", f"--experiments={recipes}", f"--runs={tmp_path}"]
    for fold, away in (("fold4", "hands"), ("fold0", "knees")):
        words = ["train", "tiny", "--protocol=patient", f"--held-out={fold}", "--leave-out", away]
        assert main([*words, *common]) == 0
    gate = tmp_path / "gate"
    gate.mkdir()
    shape = {"size": 64, "components": 2, "kinds": 1}
    save_gate(build_gate(shape), gate / "gate.safetensors")
    (gate / "gate.json").write_text(json.dumps({"architecture": shape, "settings": {}}))
    words = ["build", "--members", "tiny-patient-fold4-without-hands", "--also", "tiny-patient-fold0-without-knees"]
    assert main([*words, *common, f"--gate={gate}", "--version=9.9", f"--out={tmp_path}", "--level=0.2"]) == 0
    predictor = Predictor.load(tmp_path / "bonescan-joint-9.9")
    card = predictor.card
    assert (card["views"], card["preparation"], card["members"]) == ("quarter_turns", "stretch", 1)
    assert all(point.tumour_first for point in predictor.points.values())
    assert "--also tiny-patient-fold0-without-knees" in card["command"]
    films = [film for film in load_source(root, "fractures").films if film.part != "test"]
    with pytest.raises(DataError, match=r"are training images"):
        refuse_training_images(tmp_path / "bonescan-joint-9.9", films, allowed=False)
    square = common_square(toy_film(3))
    answers = [predictor.judge(np.ascontiguousarray(np.rot90(square, side)), "balanced") for side in range(4)]
    assert len({answer.leaning for answer in answers}) == 1
    assert len({answer.withheld_reasons for answer in answers}) == 1


def test_answers_kept_beside_a_run_are_asked_for_anew_once_its_weights_or_films_are_others(laboratory, tmp_path):
    folder, recipes = laboratory / "data" / "btxrd", laboratory / "recipes"
    run = read_run(shutil.copytree(laboratory / "runs" / "tiny-grouped-fold4", tmp_path / "tiny-grouped-fold4"))

    def found():
        return collect(folder, [run], recipes)[0].logits, training_features(folder, run, recipes)

    def kept():
        return [(run.folder / name).read_bytes() for name in ("held_out.npz", "training_features.npz")]

    first, stored = found(), kept()
    found()
    assert kept() == stored
    weights = load_file(run.folder / "weights.safetensors")
    save_file({name: value * 0.9 for name, value in weights.items()}, run.folder / "weights.safetensors")
    second = found()
    assert not any(np.array_equal(old, new) for old, new in zip(first, second, strict=True))
    for name in ("held_out.npz", "training_features.npz"):
        with np.load(run.folder / name) as file:
            other = {**file, "image_ids": np.array(["another film"])}
        blank = {key: value * 0 if value.dtype.kind == "f" else value for key, value in other.items()}
        np.savez(run.folder / name, **blank)
    assert all(np.array_equal(old, new) for old, new in zip(second, found(), strict=True))


def test_a_level_below_one_in_twenty_is_refused(laboratory, capsys):
    words = ["build", *_places(laboratory), "--members", "tiny-grouped-fold4", "--gate=x", "--version=9"]
    assert main([*words, "--level=0.01"]) == 2
    assert "0.05" in capsys.readouterr().err


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Six films measured with an installed model at both operating points, once by one process and once by two."""
    root = tmp_path_factory.mktemp("answered")
    toy_joint(root / "model")
    folder = toy_labelled(root / "films")
    words = ["evaluate", f"--images={folder}", f"--labels={folder / 'labels.csv'}", f"--model={root / 'model'}"]
    for name, workers in (("balanced", 1), ("rule_out", 2)):
        places = [f"--json={root / name}.json", f"--outputs={root / name}.npz"]
        assert main([*words, *places, f"--operating-point={name}", f"--workers={workers}", "--no-flips"]) == 0
    return root


def test_an_installed_model_is_measured_with_the_gate_off_and_on(answered):
    measured = json.loads((answered / "balanced.json").read_text())
    assert next(iter(measured)) == "macro_auroc"
    assert measured["gate"]
    assert "with_gate" in measured
    assert measured["model"]["name"] == "toy-joint"
    assert measured["withheld"]["share"]["estimate"] is not None


def test_two_workers_give_the_same_answers_as_one(answered):
    one, two = (Outputs.load(answered / f"{name}.npz") for name in ("balanced", "rule_out"))
    assert one.image_ids == two.image_ids
    assert len(np.unique(one.probabilities, axis=0)) == 6
    assert np.array_equal(one.probabilities, two.probabilities)
    assert np.array_equal(one.masks, two.masks)


def test_training_images_are_refused_and_stamped_when_allowed(tmp_path, capsys):
    folder, out = toy_labelled(tmp_path / "films", count=3), tmp_path / "out.json"
    toy_joint(tmp_path / "model", trained_on=(toy_film(0),))
    words = ["evaluate", f"--images={folder}", f"--model={tmp_path / 'model'}", f"--json={out}"]
    words += ["--no-flips", "--workers=1"]
    assert main(words) == 2
    assert "A0" in capsys.readouterr().err
    page = tmp_path / "page.html"
    assert main([*words, "--allow-leaking", f"--html={page}"]) == 0
    assert json.loads(out.read_text())["leaking"] is True
    assert "LEAKING" in page.read_text()


def test_an_unknown_model_is_answered_with_those_that_are_installed():
    with pytest.raises(DataError, match="bonescan-paper-cnn"):
        model_folder("no-such-model")


def test_evaluating_nothing_says_what_to_name(tmp_path, capsys):
    assert main(["evaluate", f"--json={tmp_path / 'x.json'}"]) == 2
    assert "--images" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_a_perturbation_changes_a_film_a_little_and_always_alike(name):
    from inference.imaging.prepare import common_square

    squares = common_square(toy_film(2))[None]
    first, second = perturbed(squares, name), perturbed(squares, name)
    assert np.array_equal(first, second)
    assert first.shape == squares.shape
    assert first.dtype == np.uint8
    assert not np.array_equal(first, squares)


def test_calibration_and_sets_are_fitted_on_different_groups_and_tensors_are_stored_in_half_precision():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 60)
    groups = np.arange(180) // 3
    logits = np.stack([(labels > 0) * 3 - 1.5, (labels == 2) * 3 - 1.5], axis=1) + rng.normal(size=(180, 2))
    material = OutOfFold(
        films=[], labels=labels, groups=groups, logits=np.repeat(logits[:, None], 3, axis=1),
        cells=np.zeros((180, 64, 64), np.float32), subtypes=np.zeros((180, 9)),
        masks=np.eye(64, dtype=bool)[None].repeat(180, 0), grey=np.zeros((180, 2)),
    )  # fmt: skip
    features = rng.normal(size=(50, 12))
    fitted = fit(material, features, features, 0.1)
    first = halves(groups)
    assert set(groups[first]).isdisjoint(groups[~first])
    assert fitted.points["balanced"].malignant > 0
    assert fitted.sets.level == 0.1
    tensors = tensors_of([], {}, fitted.distance)
    assert set(tensors) == {"distance.mean", "distance.basis"}


def test_two_stored_answers_to_the_same_films_are_compared(answered, tmp_path):
    stored = [str(answered / f"{name}.npz") for name in ("balanced", "rule_out")]
    out = tmp_path / "compare.json"
    assert main(["compare", *stored, f"--images={answered / 'films'}", f"--json={out}"]) == 0
    found = json.loads(out.read_text())
    assert (found["a"], found["b"]) == ("balanced", "rule_out")
    assert found["figures"]["macro_auroc"]["difference"]["estimate"] == 0
    command = json.loads((answered / "rule_out.json").read_text())["command"]
    assert "--operating-point rule_out" in command
    assert str(answered) not in command


def test_figures_without_a_name_are_refused(answered, capsys):
    assert main(["describe", str(answered / "model"), "figures.json"]) == 2
    assert "NAME=FILE" in capsys.readouterr().err
