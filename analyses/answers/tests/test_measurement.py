"""The figures of measurements, against values worked out by hand."""

import math

import numpy as np
import pytest

from analyses.answers import measurement
from analyses.models import Annotation, Image
from inference.imaging.display import pack, values_of


def film(width=200, height=100, spacing=None, source="") -> Image:
    return Image(canonical_width_px=width, canonical_height_px=height, pixel_spacing_mm=spacing, spacing_source=source)


def test_a_length_counts_rows_and_columns_apart():
    calibrated = film(spacing=[0.5, 0.2], source="calibrated")
    # 30 columns of 0.2 mm and 40 rows of 0.5 mm.
    values = measurement.measure_line("length", [[0.1, 0.1], [0.25, 0.5]], calibrated)
    assert values == {"length_px": pytest.approx(50.0), "length_mm": pytest.approx(math.hypot(6, 20))}


def test_the_detector_plane_gives_px_and_names_its_mm():
    plane = film(spacing=[0.1, 0.1], source="detector plane, uncalibrated")
    values = measurement.measure_line("length", [[0, 0], [0.5, 0]], plane)
    assert "length_mm" not in values
    words = measurement.words(Annotation(kind="length", values=values))
    assert words == "100.0 px (10.0 mm in the detector plane, uncalibrated)"


@pytest.mark.parametrize("source", ["", "calibration not stated"])
def test_a_spacing_that_nobody_vouches_for_gives_px_alone(source):
    values = measurement.measure_line("length", [[0, 0], [0.5, 0]], film(spacing=[0.1, 0.1], source=source))
    assert measurement.words(Annotation(kind="length", values=values)) == "100.0 px"


@pytest.mark.parametrize(
    ("points", "angle"),
    [
        ([[0.5, 0], [0.5, 0.5], [0.75, 0.5]], 90),  # the film is twice as wide as high
        ([[0.25, 0.5], [0.5, 0.5], [0.75, 0.5]], 180),
        ([[0.75, 0], [0.5, 0.5], [0.75, 0.5]], 45),
        ([[0.25, 0.25], [0.5, 0.5], [0.25, 0.75]], 2 * math.degrees(math.atan2(25, 50))),
    ],
)
def test_an_angle_stands_at_the_second_point(points, angle):
    assert measurement.measure_line("angle", points, film())["angle_deg"] == pytest.approx(angle)


def region(kind, points, array, image=None, **facts):
    image = image or film()
    values = values_of(array, **facts)
    image.display_file, image.display = "display/x", values.facts
    return measurement.measure_region(kind, points, image, pack(values.array))


def test_a_rectangle_holds_the_pixels_whose_centres_it_covers():
    array = np.arange(100 * 200, dtype=np.uint16).reshape(100, 200)
    values, unit = region("rectangle", [[0.1, 0.2], [0.05, 0.4]], array, scale=2.0, offset=-10.0, unit="HU")
    held = array[20:40, 10:20] * 2.0 - 10
    assert (values["pixels"], values["mean"], values["sd"]) == (200, held.mean(), pytest.approx(held.std()))
    assert (values["lowest"], values["highest"], values["area_px2"], unit) == (
        held.min(),
        held.max(),
        pytest.approx(200),
        "HU",
    )


def test_a_calibrated_region_has_its_area_in_mm2():
    calibrated = film(spacing=[0.5, 0.2], source="calibrated")
    values, _ = region("rectangle", [[0, 0], [0.5, 0.5]], np.zeros((100, 200), np.uint16), calibrated)
    assert values["area_mm2"] == pytest.approx(100 * 50 * 0.1)


def test_an_ellipse_and_a_polygon_hold_as_many_pixels_as_their_area():
    array = np.ones((1000, 2000), np.uint16)
    round_values, _ = region("ellipse", [[0.1, 0.1], [0.6, 0.7]], array, film(2000, 1000))
    assert round_values["area_px2"] == pytest.approx(math.pi / 4 * 1000 * 600)
    assert round_values["pixels"] == pytest.approx(round_values["area_px2"], rel=0.001)
    corner = [[0.1, 0.1], [0.6, 0.1], [0.6, 0.8], [0.35, 0.4]]
    free, _ = region("freehand", corner, array, film(2000, 1000))
    assert free["pixels"] == pytest.approx(free["area_px2"], rel=0.005)


def test_a_polygon_agrees_with_the_definition_of_inside():
    corners = np.array([[2.2, 1.1], [17.9, 4.0], [9.0, 9.0], [12.5, 18.7], [3.3, 12.4]])
    inside, box = measurement.mask("freehand", corners / 20, 20, 20)
    found = np.zeros((20, 20), bool)
    found[box] = inside
    for y in range(20):
        for x in range(20):
            assert found[y, x] == _crosses_oddly(corners, x + 0.5, y + 0.5), (x, y)


def _crosses_oddly(corners, x, y) -> bool:
    """A ray to the left, edge by edge."""
    odd = False
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x:
            odd = not odd
    return odd


def test_a_region_between_pixel_centres_is_empty():
    values, _ = region("rectangle", [[0.5, 0.5], [0.501, 0.501]], np.zeros((100, 200), np.uint16))
    assert values == {}
