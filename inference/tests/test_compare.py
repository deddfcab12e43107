"""Two models on the same films: what differs is found, what does not is not, and pairing pays."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import DataError
from inference.lab.evaluation.compare import compare, two_sided_p
from inference.lab.evaluation.figures import figures
from inference.lab.evaluation.lesions import read_truth
from inference.tests.lab_films import THRESHOLDS, made_films, made_outputs

RESAMPLES = 300


def test_a_model_against_itself_differs_by_nothing():
    films = made_films(None)
    outputs = made_outputs(films)
    found = compare(films, outputs, outputs, THRESHOLDS, THRESHOLDS, RESAMPLES)
    for row in found["figures"].values():
        assert row["difference"]["estimate"] == row["difference"]["low"] == row["difference"]["high"] == 0
        assert row["p"] == 1.0


def test_a_better_model_is_found_better_and_the_signs_turn_with_the_order():
    films = made_films(None, count=240)
    poor, good = made_outputs(films, skill=0.4), made_outputs(films, skill=2.5, seed=3)
    found = compare(films, poor, good, THRESHOLDS, THRESHOLDS, RESAMPLES)["figures"]
    back = compare(films, good, poor, THRESHOLDS, THRESHOLDS, RESAMPLES)["figures"]
    for name in ("macro_auroc", "malignant_auroc", "accuracy", "sensitivity_at_specificity_0.90"):
        assert found[name]["difference"]["low"] > 0
        assert found[name]["p"] < 0.02
        assert back[name]["difference"]["estimate"] == pytest.approx(-found[name]["difference"]["estimate"])
        assert back[name]["difference"]["high"] < 0
    assert found["brier"]["difference"]["high"] < 0


def test_each_side_of_a_comparison_is_what_figures_say_of_it(tmp_path):
    films = made_films(tmp_path, count=60)
    a, b = made_outputs(films), made_outputs(films, seed=5)
    found = compare(films, a, b, THRESHOLDS, THRESHOLDS, 50)["figures"]
    for side, outputs in (("a", a), ("b", b)):
        said = figures(films, outputs, THRESHOLDS, 50)
        assert found["macro_auroc"][side] == said["macro_auroc"]
        assert found["cancers_called_normal"][side] == said["cancers_called_normal"]
        assert found["dice"][side] == said["outline"]["dice"]
        assert (
            found["sensitivity_at_specificity_0.95"][side] == said["sensitivity_at_specificity"]["0.95"]["sensitivity"]
        )


def test_a_model_without_a_cut_off_for_a_specificity_is_compared_at_none():
    films = made_films(None, count=60)
    outputs = made_outputs(films)
    bare = replace(THRESHOLDS, specificity_90=None, specificity_95=None)
    for pair in ((THRESHOLDS, bare), (bare, THRESHOLDS)):
        found = compare(films, outputs, outputs, *pair, 20)["figures"]
        assert "accuracy" in found
        assert not [name for name in found if "specificity_" in name]


def test_each_model_keeps_its_own_thresholds(tmp_path):
    films = made_films(tmp_path)
    outputs = replace(made_outputs(films), masks=read_truth(films).cells * np.float16(0.5))
    high = replace(THRESHOLDS, mask=0.6, specificity_95=0.9)
    found = compare(films, outputs, outputs, THRESHOLDS, high, RESAMPLES)["figures"]
    assert found["dice"]["a"]["estimate"] == 1
    assert found["dice"]["b"]["estimate"] == 0
    assert found["sensitivity_at_specificity_0.95"]["difference"]["estimate"] < 0
    assert found["macro_auroc"]["difference"]["estimate"] == 0


def test_pairing_narrows_the_interval_of_models_that_err_alike():
    films = made_films(None, count=240)
    a = made_outputs(films, full=False)
    noise = np.random.default_rng(1).normal(scale=0.05, size=a.probabilities.shape)
    b = replace(a, probabilities=np.clip(a.probabilities + noise, 0, 1))
    row = compare(films, a, b, resamples=RESAMPLES)["figures"]["macro_auroc"]
    width = {side: row[side]["high"] - row[side]["low"] for side in ("a", "b", "difference")}
    assert width["difference"] < 0.5 * width["a"]


def test_without_thresholds_nothing_is_said_at_a_specificity():
    films = made_films(None)
    found = compare(films, made_outputs(films), made_outputs(films, seed=4), resamples=50)
    assert not any("specificity_0" in name for name in found["figures"])
    assert "dice" not in found["figures"]
    json.dumps(found, allow_nan=False)


def test_films_of_one_class_give_no_difference_of_ranking():
    films = [film for film in made_films(None) if film.label == "benign"]
    row = compare(films, made_outputs(films), made_outputs(films, seed=4), resamples=50)["figures"]["macro_auroc"]
    assert row["difference"]["estimate"] is None
    assert row["p"] is None


def test_models_that_answered_other_films_cannot_be_compared():
    films = made_films(None)
    with pytest.raises(DataError):
        compare(films, made_outputs(films), made_outputs(films[1:]))


@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_p_is_a_probability_that_does_not_depend_on_the_sign(values):
    differences = np.array(values)
    assert 0 < two_sided_p(differences) <= 1
    assert two_sided_p(differences) == two_sided_p(-differences)


def test_p_by_hand():
    assert two_sided_p(np.array([0.2, *([0.1] * 99)])) == 0.02
    assert two_sided_p(np.array([0.2, *([0.1] * 94), *([-0.1] * 5)])) == 0.12
