"""Logits to probabilities, probabilities to outcomes."""

import numpy as np
import pytest

from inference.calibration import (
    Calibration,
    OperatingPoint,
    class_probabilities,
    fit_calibration,
    sigmoid,
    youden_threshold,
)


def test_fitting_finds_the_scale_and_bias_that_made_the_data():
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, 40_000)
    targets = (rng.random(40_000) < sigmoid(0.5 * logits - 1.0)).astype(float)
    fitted = fit_calibration(logits, targets)
    assert fitted.scale == pytest.approx(0.5, abs=0.02)
    assert fitted.bias == pytest.approx(-1.0, abs=0.05)


def test_perfectly_separated_logits_do_not_end_in_certainty():
    fitted = fit_calibration(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert 0.5 < fitted.probability(3.0) < 0.99


def test_calibration_keeps_the_order():
    probabilities = Calibration(0.7, -0.2).probability(np.array([-1.0, 0.0, 2.0]))
    assert (np.diff(probabilities) > 0).all()


def test_class_probabilities_sum_to_one():
    shares = class_probabilities(np.array([0.0, 0.4, 1.0]), np.array([0.9, 0.25, 0.5]))
    assert np.allclose(shares.sum(axis=-1), 1)
    assert np.allclose(shares[1], [0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    ("tumour", "malignant", "outcome"),
    [
        (0.9, 0.3, "malignant"),
        (0.2, 0.3, "malignant"),
        (0.9, 0.29, "benign"),
        (0.5, 0.0, "benign"),
        (0.49, 0, "normal"),
    ],
)
def test_malignancy_is_asked_first_and_cut_offs_count_as_reached(tumour, malignant, outcome):
    assert OperatingPoint("balanced", 0.3, 0.5, "").outcome(tumour, malignant) == outcome


@pytest.mark.parametrize(
    ("tumour", "malignant", "outcome"), [(0.9, 0.3, "malignant"), (0.49, 0.3, "normal"), (0.9, 0.29, "benign")]
)
def test_where_the_tumour_is_asked_first_nothing_below_its_cut_off_is_malignant(tumour, malignant, outcome):
    assert OperatingPoint("balanced", 0.3, 0.5, "", tumour_first=True).outcome(tumour, malignant) == outcome


def test_a_point_is_written_as_the_older_cards_wrote_it_unless_it_asks_for_the_tumour_first():
    assert "tumour_first" not in OperatingPoint("balanced", 0.3, 0.5, "").as_dict()
    assert OperatingPoint("balanced", 0.3, 0.5, "", tumour_first=True).as_dict()["tumour_first"] is True


def test_youden_puts_the_cut_off_between_the_classes():
    threshold = youden_threshold(np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 0, 1, 1]))
    assert threshold == pytest.approx(0.4)
