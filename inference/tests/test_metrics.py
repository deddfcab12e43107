"""Figures against known values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from inference.lab.metrics import scores as metrics
from inference.lab.metrics.resampling import Resampling, aurocs, average_precisions, calibration_errors


def test_auroc_agrees_with_a_second_implementation_ties_included():
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 12, 300) / 10
    targets = rng.random(300) < 0.3
    assert metrics.auroc(targets, scores) == pytest.approx(roc_auc_score(targets, scores))


def test_auroc_of_one_class_is_no_number():
    assert np.isnan(metrics.auroc(np.zeros(4), np.arange(4.0)))


def test_macro_auroc_is_the_mean_of_one_against_rest():
    labels = np.array([0, 1, 2, 0, 1, 2])
    probabilities = np.eye(3)[labels]
    probabilities[5] = [1, 0, 0]
    parts = [roc_auc_score(labels == k, probabilities[:, k]) for k in range(3)]
    assert metrics.macro_auroc(labels, probabilities) == pytest.approx(np.mean(parts))


def plain_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Top-label error over equally wide bins by its definition (Guo et al. 2017, section 2)."""
    stated, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((stated * bins).astype(int), bins - 1)
    inside = [place == index for index in range(bins)]
    return sum(among.mean() * abs(right[among].mean() - stated[among].mean()) for among in inside if among.any())


def test_ece_is_the_gap_between_said_and_true():
    probabilities = np.tile([0.8, 0.2, 0.0], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    found = calibration_errors(np.ones((1, 10)), probabilities.argmax(axis=1) == labels, probabilities.max(axis=1))
    assert found[0] == pytest.approx(0.2)
    assert plain_calibration_error(labels, probabilities) == pytest.approx(0.2)


def test_brier_is_zero_for_certain_truth_and_two_for_certain_error():
    assert metrics.brier(np.array([0, 2]), np.eye(3)[[0, 2]]) == 0
    assert metrics.brier(np.array([1, 1]), np.eye(3)[[0, 2]]) == 2


def test_wilson_matches_the_published_example():
    figure = metrics.wilson(15, 148)  # Newcombe 1998, table I
    assert figure["low"] == pytest.approx(0.0624, abs=1e-4)
    assert figure["high"] == pytest.approx(0.1605, abs=1e-4)


def test_resamples_keep_groups_whole_and_strata_as_large():
    groups = np.array([1, 1, 2, 2, 3, 4])
    labels = np.array([0, 2, 0, 0, 0, 2])
    for indices in metrics.group_resamples(groups, labels, 50, seed=1):
        for pair in ((0, 1), (2, 3)):
            assert (indices == pair[0]).sum() == (indices == pair[1]).sum()
        assert sum(np.isin(indices, [0, 5])) == 2


def test_weighted_ranks_agree_with_copies_of_the_films_and_with_a_second_implementation():
    rng = np.random.default_rng(4)
    scores = rng.integers(0, 15, 200) / 10
    targets = rng.random(200) < 0.3
    weights = rng.integers(0, 4, (5, 200)).astype(float)
    found, precision = aurocs(weights, targets, scores), average_precisions(weights, targets, scores)
    for row in range(5):
        copies = np.repeat(np.arange(200), weights[row].astype(int))
        assert found[row] == pytest.approx(metrics.auroc(targets[copies], scores[copies]))
        assert found[row] == pytest.approx(roc_auc_score(targets, scores, sample_weight=weights[row]))
        assert precision[row] == pytest.approx(average_precision_score(targets[copies], scores[copies]))


def test_a_missing_class_makes_no_ranking():
    assert np.isnan(aurocs(np.ones((2, 4)), np.ones(4, dtype=bool), np.arange(4.0))).all()
    assert np.isnan(aurocs(np.ones((1, 0)), np.zeros(0, dtype=bool), np.zeros(0))).all()
    assert np.isnan(average_precisions(np.ones((1, 3)), np.zeros(3, dtype=bool), np.arange(3.0))).all()


def test_the_weighted_calibration_error_is_the_plain_one_at_weight_one():
    rng = np.random.default_rng(5)
    p = rng.dirichlet([1, 1, 1], 150)
    labels = rng.integers(0, 3, 150)
    weights = np.stack([np.ones(150), rng.integers(0, 3, 150)])
    copies = np.repeat(np.arange(150), weights[1].astype(int))
    found = calibration_errors(weights, p.argmax(axis=1) == labels, p.max(axis=1))
    assert found[0] == pytest.approx(plain_calibration_error(labels, p))
    assert found[1] == pytest.approx(plain_calibration_error(labels[copies], p[copies]))


def test_weights_draw_whole_groups_and_as_many_of_each_class():
    groups = np.array(["a", "a", "b", "b", "c", "d"])
    labels = np.array([0, 2, 0, 0, 0, 2])
    drawn = Resampling.draw(groups, labels, 200)
    assert (drawn.weights[0] == 1).all()
    assert (drawn.weights[:, 0] == drawn.weights[:, 1]).all()
    assert (drawn.weights[:, 2] == drawn.weights[:, 3]).all()
    assert (drawn.weights[:, 0] + drawn.weights[:, 5] == 2).all()  # two groups hold a malignant film
    assert (drawn.weights[:, 2] + drawn.weights[:, 4] == 2).all()
    assert len(np.unique(drawn.weights[1:, 0])) == 3


def test_grouping_widens_the_interval_of_films_that_resemble_their_group():
    rng = np.random.default_rng(6)
    groups = np.arange(400) // 20
    hits = rng.random(20)[groups] > 0.5
    labels = np.zeros(400, dtype=int)
    grouped = Resampling.draw(groups, labels, 500).share(hits)
    alone = Resampling.draw(np.arange(400), labels, 500).share(hits)
    assert grouped["estimate"] == alone["estimate"]
    assert grouped["high"] - grouped["low"] > 2 * (alone["high"] - alone["low"])


@given(st.integers(0, 10_000), st.floats(0.15, 0.85))
@settings(max_examples=25, deadline=None)
def test_an_interval_of_a_share_encloses_it_and_stays_a_share(seed, chance):
    rng = np.random.default_rng(seed)
    hits = rng.random(300) < chance
    found = Resampling.draw(np.arange(300) // 3, rng.integers(0, 3, 300), 200, seed).share(hits)
    assert 0 <= found["low"] <= found["estimate"] <= found["high"] <= 1
    assert found["low"] < found["high"]


def test_a_share_of_nought_is_not_certain_and_counts_groups_not_films():
    labels = np.full(40, 2)
    drawn = Resampling.draw(np.arange(40) // 8, labels, 100)
    never = drawn.share(np.zeros(40, dtype=bool))
    assert (never["estimate"], never["low"], never["n"]) == (0.0, 0.0, 40)
    assert never["high"] == metrics.wilson(0, 5)["high"]
    always = drawn.share(np.ones(40, dtype=bool))
    assert always["low"] == metrics.wilson(5, 5)["low"]


def test_a_share_among_nobody_is_no_figure():
    drawn = Resampling.draw(np.arange(4), np.zeros(4, dtype=int), 20)
    assert drawn.share(np.ones(4, dtype=bool), np.zeros(4, dtype=bool)) == {
        "estimate": None,
        "low": None,
        "high": None,
        "n": 0,
    }


def test_a_mean_leaves_out_what_is_no_number():
    drawn = Resampling.draw(np.arange(4), np.zeros(4, dtype=int), 20)
    found = drawn.mean(np.array([1.0, np.nan, 3.0, np.nan]))
    assert found["estimate"] == 2.0
    assert found["n"] == 2
