"""Dull films are spread over the grey values; all others stay as they are, and nothing jumps between the two."""

import itertools

import numpy as np
import pytest

from inference.contrast import stretched


def film(low, high, seed=0):
    """A limb between two greys in a black frame, with a bright lead marker."""
    square = np.zeros((256, 256), dtype=np.uint8)
    ramp = np.linspace(low, high, 180)[:, None] + np.random.default_rng(seed).normal(0, 1, (180, 200))
    square[40:220, 30:230] = np.clip(ramp, low, high).astype(np.uint8)
    square[50:60, 40:60] = 255
    return square


def test_a_film_of_good_contrast_stays_as_it_is():
    good = film(5, 250)
    assert stretched(good) is good


@pytest.mark.parametrize(("low", "high"), [(10, 40), (60, 100), (20, 90), (120, 180)])
def test_a_dull_film_is_spread_and_its_frame_stays_black(low, high):
    dull = film(low, high)
    wide = stretched(dull)
    inside = wide[70:220, 30:230]
    assert np.ptp(np.percentile(inside, (1, 98.5))) >= 2 * np.ptp(np.percentile(dull[70:220, 30:230], (1, 98.5)))
    assert (wide[:40] == 0).all()
    assert wide.dtype == np.uint8


def test_the_order_of_grey_values_is_kept():
    dull = film(30, 80)
    order = np.argsort(dull, axis=None, kind="stable")
    assert (np.diff(stretched(dull).ravel()[order].astype(int)) >= 0).all()


def test_films_that_differ_by_one_grey_value_are_not_torn_apart():
    spans = [stretched(film(5, high)).astype(int) for high in range(150, 250, 2)]
    steps = [np.abs(after - before).mean() for before, after in itertools.pairwise(spans)]
    assert max(steps) < 4


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_an_even_film_has_nothing_to_stretch_and_does_not_fail(value):
    assert stretched(np.full((64, 64), value, dtype=np.uint8)).shape == (64, 64)


def test_stretching_twice_changes_little():
    once = stretched(film(20, 60))
    assert np.abs(stretched(once).astype(int) - once).mean() < 6
