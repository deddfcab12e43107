"""Moved lesions lie on bone without a seam, bring outline and class, and healthy bone moved alike teaches nothing."""

import numpy as np
import pytest

from inference.lab.recipes.blending import multi_band, poisson
from inference.lab.recipes.bone import bone_map, direction, mean_within
from inference.lab.recipes.transplant import Piece, can_be_cut, healthy_piece, transplant

NOTHING_TAKEN = np.zeros((64, 64))


def film(seed, hole=None):
    """A limb: dark ground, soft tissue, a bright shaft with brighter edges, perhaps a dark hole of radius `hole`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    away = np.abs(x - 128)
    square = np.select([away < 26, away < 34, away < 80], [170.0, 215.0, 95.0], 12.0)
    if hole is not None:
        square[np.hypot(x - 128, y - 120) < hole] = 105.0
    return np.clip(square + rng.normal(0, 6, square.shape), 0, 255).astype(np.uint8)


def lesion_piece():
    """A film with a dark hole in its shaft, and the hole as region."""
    square = film(3, hole=18)
    region = (np.hypot(*(np.mgrid[:256, :256] - np.array([120, 128])[:, None, None])) < 18).astype(np.uint8)
    return Piece(square, region, bone_map(square))


def test_bone_is_found_on_the_shaft_and_not_beside_it():
    found = bone_map(film(1))
    assert found[10:54, 25:39].mean() > 0.6
    assert found[:, :16].mean() < 0.2


def test_letters_dark_films_and_frames_are_no_bone():
    square = film(1)
    square[20:30, 10:22] = 255
    assert bone_map(square)[4:8, 2:6].max() <= 0.3
    assert bone_map(np.zeros((256, 256), dtype=np.uint8)).max() == 0


def test_a_mean_within_a_disc_is_that_of_the_cells_around():
    values = np.zeros((64, 64))
    values[32, 20] = 1.0
    (found,) = mean_within(values, 4.0)
    assert found[32, 20] == pytest.approx(1 / 5)
    assert found[0, 0] == pytest.approx(0, abs=1e-12)


def test_a_shaft_runs_along_its_edges():
    angle, plain = direction(film(1))
    assert abs(abs(angle) - np.pi / 2) < 0.1
    assert plain > 0.5
    turned, _ = direction(np.rot90(film(1)))
    assert abs(turned) < 0.1


@pytest.mark.parametrize("blend", [poisson, multi_band])
def test_a_blended_piece_keeps_its_structure_and_leaves_the_border_alone(blend):
    rng = np.random.default_rng(1)
    below = np.full((60, 60), 140.0)
    piece = np.full((60, 60), 140.0) + 20 * (np.hypot(*(np.mgrid[:60, :60] - 30)) < 6) + rng.normal(0, 1, (60, 60))
    inside = np.hypot(*(np.mgrid[:60, :60] - 30)) < 14
    found = blend(below, piece, inside)
    assert np.abs(found[[0, -1]] - 140).max() < 1
    assert found[28:33, 28:33].mean() - found[18, 28:33].mean() == pytest.approx(20, abs=5)


def test_a_gradient_blend_of_a_film_with_itself_is_that_film():
    below = film(4)[40:110, 60:140]
    inside = np.zeros(below.shape, dtype=bool)
    inside[20:40, 20:50] = True
    assert np.abs(poisson(below, below, inside) - below).max() < 1e-6


def test_a_lesion_moves_onto_bone_with_its_outline():
    piece = lesion_piece()
    target = film(8)
    moved = [transplant(target, bone_map(target), NOTHING_TAKEN, piece, np.random.default_rng(s)) for s in range(12)]
    found = [one for one in moved if one is not None]
    assert len(found) >= 8
    for changed, region in found:
        y, x = np.nonzero(region)
        assert abs(x.mean() - 128) < 45
        assert changed.dtype == np.uint8
        assert np.abs(changed[region].astype(float) - target[region]).mean() > 4
        far = np.hypot(*(np.mgrid[:256, :256] - np.array([y.mean(), x.mean()])[:, None, None])) > 90
        assert np.array_equal(changed[far], target[far])
    areas = [region.sum() for _, region in found]
    assert max(areas) > 1.4 * min(areas)


def test_a_film_without_bone_takes_no_lesion():
    empty = np.random.default_rng(1).integers(0, 3, (256, 256)).astype(np.uint8)
    assert transplant(empty, bone_map(empty), NOTHING_TAKEN, lesion_piece(), np.random.default_rng(1)) is None


def test_what_is_taken_stays_as_it_was():
    target, taken = film(8), np.zeros((64, 64))
    taken[:40] = 1
    for seed in range(6):
        found = transplant(target, bone_map(target), taken, lesion_piece(), np.random.default_rng(seed))
        if found is not None:
            assert np.nonzero(found[1])[0].min() > 150


def test_healthy_bone_is_cut_from_bone_in_the_outline_of_a_lesion():
    shape = lesion_piece().region
    source = film(11)
    piece = healthy_piece(source, bone_map(source), shape, np.random.default_rng(2))
    assert piece is not None
    assert piece.region.sum() == pytest.approx(shape.sum(), rel=0.5)
    assert abs(np.nonzero(piece.region)[1].mean() - 128) < 45
    assert healthy_piece(np.zeros_like(source), NOTHING_TAKEN, shape, np.random.default_rng(2)) is None


def test_specks_and_lesions_that_fill_the_film_are_not_moved():
    mask = np.zeros((256, 256), dtype=np.uint8)
    assert not can_be_cut(mask)
    mask[5:7, 5:7] = 1
    assert not can_be_cut(mask)
    mask[:, 100] = 1
    assert not can_be_cut(mask)
