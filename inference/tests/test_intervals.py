"""Intervals hold what they promise, by simulation: few patients, several films each, figures near their end."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from inference.intervals import (
    auroc_interval,
    auroc_parts,
    calibration_error,
    few_groups,
    macro_auroc_interval,
    share_interval,
    t_quantile,
)
from inference.lab.metrics.scores import auroc, macro_auroc


def patients(rng, count):
    """Return the patient of each film: one to several films each, unevenly, as in a hospital."""
    sizes = np.maximum(1, np.round(rng.lognormal(0.6, 0.7, count))).astype(int)
    return np.repeat(np.arange(count), sizes)


def alike(rng, groups, likeness=0.5):
    """Return standard normal scores (N,) whose correlation within a patient is `likeness`."""
    own = rng.normal(size=groups.max() + 1)[groups]
    return math.sqrt(likeness) * own + math.sqrt(1 - likeness) * rng.normal(size=len(groups))


@pytest.mark.parametrize("degrees", [1, 2, 3, 5, 11, 40])
def test_the_quantile_of_t_is_that_of_the_table(degrees):
    assert t_quantile(degrees) == pytest.approx(t.ppf(0.975, degrees), abs=5e-3)


@pytest.mark.parametrize("count", [7, 12, 40])
@pytest.mark.parametrize("truth", [0.5, 0.8, 0.95])
def test_the_interval_of_a_share_covers_it_with_few_patients(count, truth):
    rng, inside, rounds = np.random.default_rng(count), 0, 300
    for _ in range(rounds):
        groups = patients(rng, count)
        _, low, high = share_interval(alike(rng, groups) < norm.ppf(truth), groups)
        inside += low <= truth <= high
    assert inside / rounds >= 0.92


def test_a_share_of_nought_or_one_is_never_certain():
    groups = np.repeat(np.arange(8), 3)
    assert share_interval(np.zeros(24, dtype=bool), groups)[2] > 0.3
    assert share_interval(np.ones(24, dtype=bool), groups)[1] < 0.7
    assert math.isnan(share_interval(np.zeros(0, dtype=bool), np.zeros(0, dtype=int))[0])


@pytest.mark.parametrize(("positive", "negative"), [(7, 40), (12, 100), (40, 120)])
@pytest.mark.parametrize("truth", [0.8, 0.95])
def test_the_interval_of_an_auroc_covers_it_with_few_patients(positive, negative, truth):
    rng, inside, rounds = np.random.default_rng(positive), 0, 200
    for _ in range(rounds):
        first, second = patients(rng, positive), patients(rng, negative)
        groups = np.concatenate([first, second + positive])
        targets = np.arange(len(groups)) < len(first)
        scores = alike(rng, groups, 0.6) + targets * norm.ppf(truth) * math.sqrt(2)
        _, low, high = auroc_interval(targets, scores, groups)
        inside += low <= truth <= high
    assert inside / rounds >= 0.90


def test_a_perfect_ranking_of_few_patients_is_not_certain_and_one_class_gives_none():
    targets = np.arange(30) < 10
    area, low, high = auroc_interval(targets, targets.astype(float), np.arange(30) // 2)
    assert (area, high) == (1.0, 1.0)
    assert low < 0.65
    assert math.isnan(auroc_interval(np.ones(4, dtype=bool), np.arange(4.0), np.arange(4))[0])


def test_the_area_is_the_share_of_pairs_in_order_ties_counting_half():
    rng = np.random.default_rng(3)
    targets, scores = rng.random(80) < 0.3, rng.integers(0, 6, 80).astype(float)
    area, parts = auroc_parts(targets, scores)
    assert area == pytest.approx(auroc(targets, scores))
    assert parts.sum() == pytest.approx(0, abs=1e-12)


def test_the_macro_area_lies_in_its_interval_and_narrows_with_patients():
    rng = np.random.default_rng(5)
    widths = []
    for count in (60, 600):
        labels = rng.integers(0, 3, count)
        p = rng.dirichlet([1, 1, 1], count) + 0.3 * np.eye(3)[labels]
        area, low, high = macro_auroc_interval(labels, p, np.arange(count) // 2)
        assert area == pytest.approx(macro_auroc(labels, p))
        assert low < area < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15])
def test_the_interval_of_the_calibration_error_covers_it_nought_included(shift):
    rng, inside, rounds, errors = np.random.default_rng(8), 0, 150, []
    for _ in range(rounds):
        groups = patients(rng, 120)
        stated = np.clip(rng.uniform(0.5, 0.95, 120)[groups] + rng.uniform(-0.05, 0.05, len(groups)), 0, 0.99)
        right = norm.cdf(alike(rng, groups)) < stated - shift
        found = calibration_error(right, stated, groups)
        inside += found.low <= shift <= found.high
        errors.append((found.estimate, found.found))
    assert inside / rounds >= 0.90
    estimate, binned = np.mean(errors, axis=0)
    assert abs(estimate - shift) < abs(binned - shift) + 0.01
    assert found.by_chance > 0


def test_too_few_groups_are_named():
    assert few_groups({"normal": 30, "benign": 20}) is None
    assert "7 with malignant films" in few_groups({"normal": 30, "malignant": 7})
