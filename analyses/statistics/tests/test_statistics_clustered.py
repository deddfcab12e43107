"""Intervals clustered by patient: against formulas written otherwise, and by how often they hold the truth."""

from math import sqrt

import numpy as np
import pytest

from analyses.statistics.clustered import clustered_auc, clustered_share
from analyses.statistics.rates import wilson


def test_the_score_interval_is_that_of_the_textbook():
    # Newcombe, Stat Med 1998;17:857, table I: 81/263, 15/148, 0/20, 1/29.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_one_case_each_is_the_plain_interval():
    hits = np.array([True] * 15 + [False] * 133)
    # The ratio's variance has units/(units - 1), so the size is a hair below n.
    found = clustered_share(hits, np.arange(148))
    assert (found.low, found.high) == pytest.approx(wilson(15 / 148, 147), abs=1e-9)


def test_a_patient_counted_three_times_tells_no_more_than_once():
    once = np.array([True] * 40 + [False] * 20)
    thrice = clustered_share(np.repeat(once, 3), np.repeat(np.arange(60), 3))
    alone = clustered_share(once, np.arange(60))
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high), abs=1e-9)
    assert (thrice.n, thrice.clusters, thrice.hits) == (180, 60, 120)


def test_where_all_agree_the_number_of_patients_stands_for_the_size():
    found = clustered_share(np.ones(12, bool), np.repeat(np.arange(4), 3))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(1.0, 4)[0])
    assert clustered_share(np.array([], bool), np.array([])) is None


def loops_auc(scores, positive, clusters):
    """Obuchowski 1997 with plain loops over pairs and clusters."""
    ill = [i for i in range(len(scores)) if positive[i]]
    well = [i for i in range(len(scores)) if not positive[i]]

    def better(i, j):
        return 1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0

    area = sum(better(i, j) for i in ill for j in well) / (len(ill) * len(well))
    v10 = {i: sum(better(i, j) for j in well) / len(well) for i in ill}
    v01 = {j: sum(better(i, j) for i in ill) / len(ill) for j in well}
    names = sorted(set(clusters))
    tens = [sum(v10[i] - area for i in ill if clusters[i] == name) for name in names]
    ones = [sum(v01[j] - area for j in well if clusters[j] == name) for name in names]
    i10, i01 = len({clusters[i] for i in ill}), len({clusters[j] for j in well})
    s10 = i10 / ((i10 - 1) * len(ill)) * sum(t * t for t in tens)
    s01 = i01 / ((i01 - 1) * len(well)) * sum(o * o for o in ones)
    s11 = len(names) / (len(names) - 1) * sum(t * o for t, o in zip(tens, ones, strict=True))
    return area, s10 / len(ill) + s01 / len(well) + 2 * s11 / (len(ill) * len(well))


def made(rng, patients, spread=1.0):
    """Scores with a patient's own shift; a patient may bring positives and negatives."""
    clusters = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    positive = rng.random(len(clusters)) < 0.4
    scores = 1.2 * positive + spread * rng.normal(size=patients)[clusters] + rng.normal(size=len(clusters))
    return np.round(scores, 1), positive, clusters


def test_area_and_interval_equal_those_of_plain_loops():
    scores, positive, clusters = made(np.random.default_rng(3), 40)
    area, variance = loops_auc(scores.tolist(), positive.tolist(), clusters.tolist())
    found = clustered_auc(scores, positive, clusters)
    assert found.estimate == pytest.approx(area, abs=1e-12)
    half = 1.959963984540054 * sqrt(variance) / (area * (1 - area))
    middle = np.log(area / (1 - area))
    assert found.low == pytest.approx(1 / (1 + np.exp(half - middle)), abs=1e-12)
    assert found.high == pytest.approx(1 / (1 + np.exp(-half - middle)), abs=1e-12)
    assert found.n == min(positive.sum(), (~positive).sum())


def test_a_perfect_area_still_has_a_lower_bound():
    found = clustered_auc(np.array([1, 2, 3, 4.0]), np.array([0, 0, 1, 1], bool), np.arange(4))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low < 0.5
    assert clustered_auc(np.array([1, 2.0]), np.array([1, 1], bool), np.arange(2)) is None


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(20)
    area_truth = np.mean([clustered_auc(*made(rng, 4000)).estimate for _ in range(5)])
    runs, shares, plain, areas = 600, 0, 0, 0
    for _ in range(runs):
        clusters = np.repeat(np.arange(60), rng.integers(1, 5, 60))
        own = rng.beta(0.8 * 2, 0.2 * 2, 60)  # intraclass correlation 1/3 around 0.8
        hits = rng.random(len(clusters)) < own[clusters]
        found = clustered_share(hits, clusters)
        shares += found.low <= 0.8 <= found.high
        low, high = wilson(hits.mean(), len(hits))
        plain += low <= 0.8 <= high
        found = clustered_auc(*made(rng, 60))
        areas += found.low <= area_truth <= found.high
    assert 0.925 <= shares / runs <= 0.98
    assert 0.925 <= areas / runs <= 0.98
    assert plain < shares, "without clusters the interval must be too narrow"
