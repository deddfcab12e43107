"""The family of one finding: what it answers, when it withholds, and that outlines lie on the film."""

import numpy as np
import pytest

from inference.calibration import FindingPoint
from inference.errors import WeightsError
from inference.imaging.prepare import fitted_square
from inference.outline import on_film, regions_of
from inference.prediction import SET_UNDECIDED, UNLIKE_TRAINING
from inference.predictor import Predictor
from inference.tests.toy import FINDING_OUTCOMES, toy_film, toy_finding
from inference.withholding import fit_conformal

FILM = toy_film(3, side=160)[:, 20:120]


def loaded(tmp_path, **changes) -> Predictor:
    toy_finding(tmp_path / "toy", **changes)
    return Predictor.load(tmp_path / "toy")


def test_a_film_that_reaches_the_cut_off_shows_the_finding_with_its_outline(tmp_path):
    found = loaded(tmp_path).predict(FILM)
    assert (found.outcome, found.leaning, found.withheld_reasons) == ("fracture", "fracture", ())
    assert tuple(found.probabilities) == FINDING_OUTCOMES
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.operating_point == {"name": "balanced", "finding": 0.0, "chosen_on": "nothing"}
    assert found.regions
    assert (found.saliency, found.subtypes) == (None, ())


def test_a_film_below_the_cut_off_shows_none_and_has_no_outline(tmp_path):
    points = {"balanced": {"name": "balanced", "finding": 1.1, "chosen_on": "nothing"}}
    withheld = {"level": 0.05, "cut_offs": [0.0, 2.0], "distance": {"threshold": 1e9}}
    found = loaded(tmp_path, operating_points=points, withheld=withheld).predict(FILM)
    assert (found.outcome, found.regions, found.prediction_set) == ("no_fracture", (), ("no_fracture",))


def test_an_undecided_set_and_an_unlike_film_withhold_the_answer_and_keep_the_leaning(tmp_path):
    withheld = {"level": 0.05, "cut_offs": [0.0, 0.0], "distance": {"threshold": -1.0}}
    found = loaded(tmp_path, withheld=withheld).predict(FILM)
    assert (found.outcome, found.leaning) == ("withheld", "fracture")
    assert found.withheld_reasons == (SET_UNDECIDED, UNLIKE_TRAINING)


def test_a_blank_film_is_not_analysable(tmp_path):
    found = loaded(tmp_path).predict(np.full((80, 60), 7, np.uint8))
    assert (found.outcome, found.gate.reason_code) == ("not_analysable", "blank_image")


def test_a_point_that_is_asked_for_but_not_on_the_card_is_the_balanced_one(tmp_path):
    assert loaded(tmp_path).point("rule_out") == FindingPoint("balanced", 0.0, "nothing")


def test_a_card_without_its_outcomes_or_with_other_networks_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="incomplete"):
        loaded(tmp_path, outcomes=["fracture"])
    shape = {"network": {"size": 64, "subtypes": 3, "outcomes": 2}, "gate": {"size": 64, "components": 2, "kinds": 1}}
    with pytest.raises(WeightsError, match="fit"):
        loaded(tmp_path, architecture=shape)


@pytest.mark.parametrize("shape", [(50, 200), (200, 50), (64, 64), (1, 300), (512, 300)])
def test_a_fitted_film_keeps_its_proportions_and_its_places(shape):
    film = np.full(shape, 255, np.uint8)
    square, frame = fitted_square(film, 64)
    assert square.shape == (64, 64)
    rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    assert max(len(rows), len(columns)) == 64
    assert len(rows) / len(columns) == pytest.approx(shape[0] / shape[1], rel=0.05) or min(shape) == 1
    assert (columns[0] / 64, rows[0] / 64) == (frame.left, frame.top)
    for place in ((0.0, 0.0), (1.0, 1.0), (0.3, 0.8)):
        assert frame.on_film(*frame.on_square(*place)) == pytest.approx(place)


def test_a_region_of_the_square_lies_where_the_film_shows_it():
    cells = np.zeros((64, 64), np.float32)
    _, frame = fitted_square(np.zeros((100, 50), np.uint8), 64)
    left, top = frame.on_square(0.5, 0.5)
    cells[round(top * 64) : round(top * 64) + 8, round(left * 64) : round(left * 64) + 8] = 1.0
    cells[0:3, 0:3] = 1.0
    (region,) = on_film(regions_of(cells, 0.5, 0.0), frame)
    x0, y0, x1, y1 = region.box
    assert (x0, y0) == pytest.approx((0.5, 0.5), abs=0.03)
    assert (x1 - x0, y1 - y0) == pytest.approx((0.25, 0.125), abs=0.04)
    assert region.area == pytest.approx(0.25 * 0.125, rel=0.3)


def test_conformal_sets_of_two_classes_miss_the_stated_share():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 4000)
    present = np.clip(rng.normal(0.3 + 0.4 * labels, 0.2), 0, 1)
    shares = np.stack([1 - present, present], axis=1)
    members = fit_conformal(labels, shares, 0.1).members(shares)
    assert members.shape == (4000, 2)
    assert members[np.arange(4000), labels].mean() == pytest.approx(0.9, abs=0.01)
