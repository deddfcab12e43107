"""Sizes of outlined regions: stretched films, pixels that are not square, and mm only where they mean something."""

import math

import pytest

from inference.imaging.size import longest_diameter, measure, to_pixels

RECTANGLE = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.5), (0.25, 0.5)]


def test_fractions_become_pixels_by_each_sides_own_length():
    assert to_pixels(RECTANGLE, 400, 1000).tolist() == [[100, 250], [300, 250], [300, 500], [100, 500]]


def test_a_square_of_the_stretched_input_is_measured_as_the_rectangle_that_it_is_on_the_film():
    size = measure([(0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)], 0.04, 400, 1000)
    assert size.longest_diameter_px == pytest.approx(math.hypot(80, 200))
    assert size.area_px == pytest.approx(80 * 200)


def test_without_calibrated_spacing_there_is_no_mm():
    size = measure(RECTANGLE, 0.125, 400, 1000)
    assert (size.longest_diameter_mm, size.area_mm2) == (None, None)


def test_rows_scale_the_height_and_columns_the_width():
    size = measure(RECTANGLE, 0.125, 400, 1000, (0.2, 0.1))
    assert size.longest_diameter_mm == pytest.approx(math.hypot(200 * 0.1, 250 * 0.2))
    assert size.area_mm2 == pytest.approx((200 * 0.1) * (250 * 0.2))


def test_the_longest_diameter_in_mm_may_lie_across_another_pair_of_corners_than_in_pixels():
    cross = [(0.0, 0.5), (0.5, 0.4), (1.0, 0.5), (0.5, 0.6)]
    size = measure(cross, 0.1, 100, 400, (1.0, 0.1))
    assert size.longest_diameter_px == pytest.approx(100)
    assert size.longest_diameter_mm == pytest.approx(80)


def test_the_same_lesion_has_the_same_mm_on_a_film_of_half_the_size():
    whole, half = (
        measure(RECTANGLE, 0.125, 1000, 2000, (0.1, 0.1)),
        measure(RECTANGLE, 0.125, 500, 1000, (0.2, 0.2)),
    )
    assert half.longest_diameter_mm == pytest.approx(whole.longest_diameter_mm)
    assert half.area_mm2 == pytest.approx(whole.area_mm2)


@pytest.mark.parametrize("points", [[], [(0.2, 0.7)]])
def test_fewer_than_two_corners_have_no_length(points):
    assert longest_diameter(to_pixels(points, 100, 100)) == 0.0
