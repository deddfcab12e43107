"""What is measured: maps of random weights that depend on the film, and cut-offs that a card really holds."""

import numpy as np
import torch

from inference.calibration import OperatingPoint
from inference.families.joint.model import folded
from inference.families.joint.network import build
from inference.imaging.prepare import common_square
from inference.lab.evaluation.subjects import attributions, randomised, thresholds_of
from inference.tests.toy import toy_film

SHAPE = {"size": 256, "subtypes": 3}


def films():
    found = np.stack([common_square(toy_film(seed)) for seed in (1, 2)])
    found[1] = np.rot90(found[1])
    return found


def likeness(maps):
    first, second = (one.ravel().astype(float) for one in maps)
    return np.corrcoef(first, second)[0, 1]


def test_two_films_get_two_maps_of_random_weights_whether_norms_are_folded_away_or_not():
    torch.manual_seed(5)
    network, bare = build(SHAPE).eval(), folded(build(SHAPE).eval())
    for one in (network, bare):
        maps = attributions(randomised(one), films(), np.array([1, 1]))
        assert maps.max(axis=(1, 2)).tolist() == [255, 255]
        assert likeness(maps) < 0.9
        assert maps[0].argmax() != maps[1].argmax()


def test_random_weights_are_the_same_each_time_and_owe_nothing_to_what_was_learnt():
    network, other = (build(SHAPE).eval() for _ in range(2))
    before = torch.get_rng_state()
    first, again, third = (randomised(one).state_dict() for one in (network, network, other))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in first.items():
        assert torch.equal(value, again[name])
        assert torch.equal(value, third[name])


def test_a_card_that_aimed_at_no_specificity_has_no_cut_off_for_one():
    point = OperatingPoint("balanced", 0.3, 0.5, "validation")
    bare = thresholds_of({}, point)
    assert (bare.malignant, bare.specificity_90, bare.specificity_95) == (0.3, None, None)
    aimed = thresholds_of({"specificity_cut_offs": {"0.90": 0.4, "0.95": 0.6}}, point)
    assert (aimed.specificity_90, aimed.specificity_95) == (0.4, 0.6)
