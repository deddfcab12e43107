"""What is fitted out of fold keeps what it states: sensitivity, specificity and coverage, at home and away."""

import numpy as np
import pytest

from inference.calibration import OUTCOMES, OperatingPoint
from inference.lab.training.fitting import (
    called,
    choose_points,
    rule_out_cut_off,
    specificity_cut_off,
    travelling_cut_off,
    tumour_cut_off,
)
from inference.withholding import fit_conformal, fit_distance


def test_the_specificity_cut_off_reaches_what_it_aims_at():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    scores = rng.normal(labels, 1.0)
    cut = specificity_cut_off(scores, labels, 0.9)
    assert (scores[labels != 2] < cut).mean() >= 0.9
    assert (scores[labels != 2] < cut).mean() < 0.91


def test_ruling_out_reaches_its_sensitivity_and_the_second_cut_off_keeps_normals():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 120)
    malignant = 1 / (1 + np.exp(-rng.normal(labels * 2.0 - 3, 1.0)))
    tumour = 1 / (1 + np.exp(-rng.normal((labels > 0) * 2.0 - 1, 1.0)))
    groups = np.arange(360) // 3
    cut = rule_out_cut_off(malignant, labels, groups)
    assert (malignant[labels == 2] >= cut).mean() >= 0.90
    second = tumour_cut_off(tumour, malignant, labels, cut)
    normal = labels == 0
    assert ((tumour < second) & (malignant < cut))[normal].mean() == pytest.approx(0.85, abs=0.01)
    shares = np.stack([1 - tumour, tumour * (1 - malignant), tumour * malignant], axis=1)
    points = choose_points(tumour, shares, labels, groups, "made films")
    assert points["rule_out"].malignant <= points["balanced"].malignant


def test_rounding_the_rule_out_cut_off_loses_no_film_that_it_was_chosen_to_keep():
    lost = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1, 2], 40)
        malignant = rng.random(120) * 0.2 + (labels == 2) * rng.random(120) * 0.6
        shares = np.stack([1 - malignant, np.zeros(120), malignant], axis=1)
        cut = rule_out_cut_off(malignant, labels, np.arange(120))
        point = choose_points(malignant, shares, labels, np.arange(120), "made films")["rule_out"]
        assert cut - 1e-5 < point.malignant <= cut
        lost += round(cut, 5) > cut
    assert lost


def test_conformal_sets_cover_each_class_at_their_level():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 400)
    raised = np.exp(rng.normal(0, 1, (1200, 3)) + 1.5 * np.eye(3)[labels])
    shares = raised / raised.sum(axis=1, keepdims=True)
    sets = fit_conformal(labels[::2], shares[::2], 0.1)
    inside = sets.members(shares[1::2])[np.arange(600), labels[1::2]]
    for k in range(3):
        assert inside[labels[1::2] == k].mean() == pytest.approx(0.9, abs=0.05)


def test_with_places_the_worst_one_is_covered_as_stated_and_a_handful_of_films_is_no_place():
    rng = np.random.default_rng(0)
    labels = np.zeros(900, dtype=int)
    places = np.repeat(["here", "there", "a few"], [600, 290, 10])
    p = np.clip(rng.normal(np.select([places == "here", places == "there"], [0.8, 0.6], 0.05), 0.1), 0, 1)
    shares = np.stack([p, 1 - p, np.zeros(900)], axis=1)
    plain, by_place = fit_conformal(labels, shares, 0.1), fit_conformal(labels, shares, 0.1, places)
    worst = p[places == "there"]
    assert (worst >= plain.cut_offs[0]).mean() < 0.85
    assert (worst >= by_place.cut_offs[0]).mean() == pytest.approx(0.9, abs=0.02)
    assert by_place.cut_offs[0] > 0.3


def test_the_cut_off_that_travels_is_set_by_the_place_with_the_most_false_alarms():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    tumour = np.clip(rng.normal(np.where(labels > 0, 0.7, 0.3), 0.1), 0, 1)
    away = {"quiet": rng.uniform(0, 0.2, 100), "loud": np.clip(rng.normal(0.5, 0.1, 100), 0, 1), "few": np.ones(10)}
    cut, place = travelling_cut_off(tumour, labels, away)
    assert place == "loud"
    assert (away["loud"] <= cut).mean() == pytest.approx(0.85, abs=0.01)
    shares = np.stack([1 - tumour, tumour * 0.5, tumour * 0.5], axis=1)
    points = choose_points(tumour, shares, labels, np.arange(600), "made films", away)
    assert all(point.tumour_first and point.tumour == round(cut, 5) for point in points.values())
    assert "set by loud" in points["balanced"].chosen_on
    quiet = choose_points(tumour, shares, labels, np.arange(600), "made films", {"quiet": away["quiet"]})
    assert "set by home" in quiet["balanced"].chosen_on


@pytest.mark.parametrize("first", [True, False])
def test_many_films_are_called_as_one_film_is(first):
    rng = np.random.default_rng(0)
    tumour, share = rng.random(200), rng.random(200)
    point = OperatingPoint("balanced", 0.3, 0.5, "", tumour_first=first)
    shares = np.stack([1 - tumour, tumour * (1 - share), tumour * share], axis=1)
    names = [point.outcome(t, m) for t, m in zip(tumour, shares[:, 2], strict=True)]
    assert [OUTCOMES[k] for k in called(point, tumour, shares)] == names


def test_too_few_films_of_a_class_leave_it_in_every_set():
    sets = fit_conformal(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), 0.05)
    assert sets.cut_offs == (0.0, 0.0, 0.0)


def test_the_distance_is_one_for_training_films_and_more_for_others():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 20)) @ rng.normal(size=(20, 20))
    distance = fit_distance(features, 8)
    assert distance.of(features).mean() == pytest.approx(1.0, abs=0.1)
    assert distance.of(features + 30).mean() > 3
