"""When an answer stands: the rule as one table over leaning, conformal set, distance and views."""

import itertools

import numpy as np
import pytest

from inference.prediction import SET_UNDECIDED, UNLIKE_TRAINING, UNSTABLE
from inference.withholding import ConformalSets, reasons_to_withhold

SETS = list(itertools.product([False, True], repeat=3))
FURTHEST = 2.0
# Distances below, at, just beyond and a fifth beyond the limit, and whether each is too far.
DISTANCES = [(0.0, False), (1.999, False), (2.0, False), (np.nextafter(2.0, 3.0), True), (2.4, True), (1e9, True)]
VIEWS = [((), 0), ((0, 0), 0), ((1, 1), 0), ((2,), 0), ((0, 1, 2), 0), ((0, 1), 1), ((1, 2, 0), 1), ((2, 2), 1)]


@pytest.mark.parametrize("leaning", range(3))
@pytest.mark.parametrize("members", SETS)
def test_an_answer_stands_only_where_set_distance_and_views_all_say_so(leaning, members):
    for (distance, far), (views, allowed) in itertools.product(DISTANCES, VIEWS):
        reasons = reasons_to_withhold(leaning, np.array(members), views, distance, FURTHEST, (UNSTABLE, allowed))
        expected = []
        if members != tuple(k == leaning for k in range(3)):
            expected.append(SET_UNDECIDED)
        if far:
            expected.append(UNLIKE_TRAINING)
        if len([view for view in views if view != leaning]) > allowed:
            expected.append(UNSTABLE)
        assert reasons == tuple(expected), (members, distance, views, allowed)


def test_a_set_of_exactly_another_class_withholds():
    """Never *normal* where the set says *malignant*, although it has one member."""
    assert reasons_to_withhold(0, np.array([False, False, True]), (), 0.0, 1.0) == (SET_UNDECIDED,)


@pytest.mark.parametrize("k", range(3))
def test_a_class_whose_probability_equals_its_cut_off_is_in_the_set(k):
    cut_offs = [0.5, 0.25, 0.125]
    sets = ConformalSets(0.1, (0.5, 0.25, 0.125))
    chances = np.zeros(3)
    chances[k] = cut_offs[k]
    assert sets.members(chances).tolist() == [place == k for place in range(3)]
    chances[k] = np.nextafter(cut_offs[k], 0)
    assert not sets.members(chances).any()
