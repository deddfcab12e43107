"""A run is measured where it was not taught: cut-offs from home alone, turned films, other sources, a source probe."""

import json

import numpy as np
import pytest

from inference.__main__ import main
from inference.lab.data.protocols import load_split
from inference.lab.data.sources import load_sources
from inference.lab.evaluation.cases import Cases
from inference.lab.training.train import Look
from inference.lab.transfer.journeys import LEFT_OUT, joined, journey
from inference.lab.transfer.source_probe import probe_figures
from inference.lab.transfer.travel import CutOffs, measure_travel, travel_summary
from inference.tests.toy import toy_data, toy_sources


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return toy_sources(toy_data(tmp_path_factory.mktemp("travel") / "data"))


def dark_share(squares):
    """How much of the middle of upright films is dark: the holes of the toy lesions."""
    middle = squares[:, 20:236, 110:146].astype(float)
    return (np.abs(middle - 90) < 25).mean(axis=(1, 2))


def probe(squares):
    share = dark_share(squares)
    logits = np.stack([80 * share - 1, 80 * share - 4], axis=1)
    return Look(logits, None, None, np.stack([share, squares.mean(axis=(1, 2))], axis=1))


def test_cases_take_the_gravest_film_and_the_highest_score():
    cases = Cases.of(np.array(["a", "b", "a", "b"]), np.array([0, 1, 2, 0]))
    assert cases.labels.tolist() == [2, 1]
    assert cases.highest(np.array([0.9, 0.2, 0.1, 0.4])).tolist() == [0.9, 0.4]
    assert cases.gravest(np.array([1, 0, 0, 2])).tolist() == [1, 2]


def test_a_film_is_called_malignant_only_where_a_tumour_is_called():
    labels = np.repeat([0, 1, 2], 20)
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], 60)
    cuts = CutOffs(p, labels)
    called = cuts.called(np.array([[0.995, 0.0, 0.005], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    assert called.tolist() == [0, 2, 1]
    assert (cuts.called(p)[labels == 0] == 0).mean() == pytest.approx(0.85, abs=0.05)


def test_the_measurement_names_home_turns_and_every_source_and_never_reads_test(root):
    split = load_split(root / "btxrd", "patient")
    sources = load_sources(root, left_out=("hands", "bone_other_source"))
    found = measure_travel(journey(probe, split.validation, sources, sides=1))
    assert found["home"]["films"] == 12
    assert found["home"]["tumour_auroc"]["estimate"] > 0.9
    assert found["home"]["patients_by_class"] == {"normal": 2, "benign": 2, "malignant": 2}
    assert found["home"]["per_patient"]["tumour_auroc"]["estimate"] == 1.0
    assert set(found["turned"]) == {"90", "180", "270"}
    assert found["turned"]["180"]["macro_auroc"]["estimate"] > found["turned"]["90"]["macro_auroc"]["estimate"]
    parts = {name: (row["part"], row["films"]) for name, row in found["sources"].items()}
    assert parts == {
        "fracatlas": ("held-out fold", 6),
        "fractures": ("held-out fold", 2),
        "knees": ("held-out fold", 6),
        "hands": ("left out", 12),
        "bone_other_source": ("left out", 4),
    }
    assert found["worst_left_out"]["source"] in ("hands", "bone_other_source")
    assert "worst source left out" in travel_summary(found)
    json.dumps(found, allow_nan=False)


def test_seen_in_four_turns_no_outcome_hangs_on_how_a_film_lies(root):
    split = load_split(root / "btxrd", "patient")
    seen = journey(probe, split.validation, load_sources(root, names=("knees",)), sides=4)
    found = measure_travel(seen, four_turns=True)
    assert {row["outcome_changes"]["estimate"] for row in found["turned"].values()} == {0.0}
    alone = measure_travel(seen)
    assert max(row["outcome_changes"]["estimate"] for row in alone["turned"].values()) > 0


def test_several_runs_are_joined_out_of_fold_and_each_source_by_the_runs_that_never_saw_it(root):
    def constant(value):
        return lambda squares: Look(np.full((len(squares), 2), value), None, None, None)

    def went(held_out, value, *away):
        split = load_split(root / "btxrd", "patient", held_out)
        return journey(constant(value), split.validation, load_sources(root, left_out=away, held_out=held_out), sides=1)

    runs = [went("fold4", 1.0, "hands"), went("fold0", 2.0, "hands", "knees"), went("fold1", 4.0)]
    found = joined(runs)
    assert len(found.home.films) == sum(len(run.home.films) for run in runs)
    assert found.away["hands"].part == found.away["knees"].part == LEFT_OUT
    assert set(found.away["hands"].logits.ravel()) == {1.5}
    assert set(found.away["knees"].logits.ravel()) == {2.0}
    assert len(found.away["hands"].films) == 12
    assert found.away["fracatlas"].part == "held-out fold"


def test_without_a_source_left_out_there_is_no_worst_one(root):
    split = load_split(root / "btxrd", "patient")
    found = measure_travel(journey(probe, split.validation, load_sources(root, names=("knees",)), sides=1))
    assert found["worst_left_out"] is None


def test_the_source_probe_finds_a_scanner_and_finds_none_in_noise():
    rng = np.random.default_rng(4)
    plain = {name: rng.normal(size=(80, 12)) for name in ("home", "a", "b")}
    assert probe_figures(plain)["balanced_accuracy"] < 0.5
    plain["a"] = plain["a"] + 3 * np.eye(12)[0]
    found = probe_figures(plain)
    assert found["from_home"]["a"] > 0.95
    assert found["recalls"]["a"] > 0.9
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-3)


def test_the_command_measures_a_trained_run(root, tmp_path, capsys):
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    recipe = 'name = "tiny"\nnetwork = "joint"\nsize = 32\nepochs = 1\nbfloat16 = false\n[architecture]\nsubtypes = 0\n'
    (experiments / "tiny.toml").write_text(recipe + "[mixing]\nforeign = 4\n")
    common = ["--data", str(root), "--experiments", str(experiments)]
    train = ["train", "tiny", "--protocol", "patient", "--runs", str(tmp_path), "--leave-out", "hands"]
    assert main([*train, *common]) == 0
    out = tmp_path / "travel.json"
    run = str(tmp_path / "tiny-patient-fold4-without-hands")
    assert main(["travel", "--run", run, "--json", str(out), *common]) == 0
    assert "hands (left out)" in capsys.readouterr().out
    measured = json.loads(out.read_text())
    assert measured["sources"]["hands"]["part"] == "left out"
    assert main(["travel", "--run", run, "--json", str(out), *common]) == 0
    assert json.loads(out.read_text()) == measured
    facts = tmp_path / "tiny-patient-fold4-without-hands" / "run.json"
    told = json.loads(facts.read_text())
    del told["sources"]["train"]["fractures"]
    facts.write_text(json.dumps(told))
    assert main(["travel", "--run", run, "--json", str(out), *common]) == 0
    sources = json.loads(out.read_text())["sources"]
    assert {name for name, row in sources.items() if row["part"] == "left out"} == {"hands"}
    assert "fractures" not in sources
