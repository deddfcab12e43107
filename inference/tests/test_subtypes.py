"""The ranking of subtypes, freed of how often each was seen."""

import numpy as np
import pytest
import torch

from inference.families.joint.network import JointNet
from inference.lab.metrics.subtypes import adjust, choose_strength, mean_hit, shares_of


def test_shares_count_named_subtypes_only_and_are_never_zero():
    shares = shares_of(np.array([0, 0, 0, 1, -1]), 3)
    assert shares == pytest.approx(np.array([4, 2, 1]) / 7)


def test_a_common_subtype_that_drowns_a_rare_one_is_held_back():
    shares = np.tile([0.9, 0.1], (4, 1))
    answers = np.array([[0.9, 0.1], [0.9, 0.1], [0.7, 0.3], [0.7, 0.3]])
    truth = np.array([0, 0, 1, 1])
    assert mean_hit(answers, truth) == 0.5
    strength = choose_strength(answers, truth, shares)
    assert strength > 0
    assert mean_hit(answers / shares**strength, truth) == 1.0


def test_nothing_is_adjusted_where_that_would_cost_hits_overall():
    shares = np.tile([0.9, 0.1], (5, 1))
    answers = np.array([[0.55, 0.45]] * 4 + [[0.52, 0.48]])
    assert choose_strength(answers, np.array([0, 0, 0, 0, 1]), shares) == 0.0


def test_films_without_a_named_subtype_have_no_say():
    answers, shares = np.array([[0.9, 0.1], [0.2, 0.8]]), np.tile([0.5, 0.5], (2, 1))
    assert mean_hit(answers, np.array([-1, 1])) == 1.0
    assert choose_strength(answers, np.array([-1, 1]), shares) == 0.0
    assert choose_strength(answers, np.array([-1, -1]), shares) == 0.0


def test_the_adjusted_member_answers_with_divided_shares():
    torch.manual_seed(1)
    member = JointNet(size=64, subtypes=3).eval()
    shares = np.array([0.7, 0.2, 0.1])
    film = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = torch.softmax(member(film).subtypes, dim=1).numpy()[0]
    adjust(member, shares, 0.5)
    with torch.inference_mode():
        after = torch.softmax(member(film).subtypes, dim=1).numpy()[0]
    wanted = before / shares**0.5
    assert after == pytest.approx(wanted / wanted.sum(), abs=1e-5)


def test_a_member_without_subtypes_is_left_alone():
    adjust(JointNet(size=64, subtypes=0), np.array([0.5, 0.5]), 1.0)
