"""Figures against known values."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from inference.lab import metrics


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


def test_ece_is_the_gap_between_said_and_true():
    probabilities = np.tile([0.8, 0.2, 0.0], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(0.2)


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


def test_an_interval_encloses_its_estimate_and_says_n():
    rng = np.random.default_rng(0)
    hits = rng.random(200) < 0.7
    groups = np.arange(200) // 4
    drawn = metrics.group_resamples(groups, np.zeros(200, dtype=int), 300, seed=1)
    figure = metrics.with_interval(lambda i: float(hits[i].mean()), 200, drawn)
    assert figure["low"] < figure["estimate"] < figure["high"]
    assert figure["n"] == 200
