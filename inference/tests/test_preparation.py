"""Preparation changes contrast and grain, and nothing else."""

import numpy as np
import pytest

from inference.lab.data.preparation import clahe, denoise, prepare
from inference.lab.recipes.experiment import PREPARATIONS


@pytest.fixture
def faint() -> np.ndarray:
    """A dark film (256, 256) with a faint step in one corner."""
    film = np.random.default_rng(3).normal(60, 2, (256, 256))
    film[200:, 200:] += 8
    return film.astype(np.uint8)


def test_clahe_spreads_a_faint_step_without_tearing_parts_apart(faint):
    found = clahe(faint).astype(float)
    before = faint[210:, 210:].mean() - faint[210:, 100:190].mean()
    assert found[210:, 210:].mean() - found[210:, 100:190].mean() > 1.3 * before
    # A seam between two parts would show as a jump of column means.
    assert np.abs(np.diff(found[:190].mean(axis=0))).max() < 4


def test_clahe_keeps_the_order_of_grey_values_within_a_place():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    found = clahe(ramp, tiles=1)
    assert (np.diff(found.astype(int), axis=1) >= 0).all()
    assert np.abs(found.astype(int) - ramp).max() <= 2


def test_the_limit_keeps_an_even_film_from_being_torn_to_black_and_white():
    even = np.full((64, 64), 100, np.uint8)
    even[::2, ::2] = 101
    found = clahe(even)
    assert int(found.max()) - int(found.min()) <= 6


def test_denoising_removes_single_grains_and_keeps_edges():
    film = np.zeros((32, 32), np.uint8)
    film[:, 16:] = 200
    grained = film.copy()
    grained[8, 4], grained[20, 24] = 255, 0
    assert np.array_equal(denoise(grained), film)


@pytest.mark.parametrize("kind", PREPARATIONS)
def test_every_kind_keeps_shape_and_depth(kind, faint):
    films = np.stack([faint, faint[::-1]])
    found = prepare(films, kind)
    assert (found.shape, found.dtype) == (films.shape, films.dtype)
    assert np.array_equal(found, films) == (kind == "none")
