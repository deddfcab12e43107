"""From stored values to grey: the order of PS3.3 C.11, with every expected value written down."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.imaging.decode import decode_bytes
from inference.tests.made_dicom import dicom, ramp


def grey(values, dtype="u2", **elements):
    """Return the first row of greys for the first row of stored `values`, repeated over a small film."""
    pixels = np.tile(np.array(values, dtype), (8, 1))
    return decode_bytes(dicom(pixels, **elements)).grey[0].tolist()


def remarks(values, dtype="u2", **elements):
    pixels = np.tile(np.array(values, dtype), (8, 1))
    return decode_bytes(dicom(pixels, **elements)).meta["warnings"]


def lut(entries, first=0, bits=8):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return Sequence([item])


FOUR = [0, 1000, 2000, 4095]
FULL = {"WindowCenter": "2048", "WindowWidth": "4096"}


def test_a_window_over_the_full_range_maps_ends_to_black_and_white():
    assert grey(FOUR, **FULL) == [0, 62, 125, 255]


def test_low_is_bright_in_monochrome1():
    assert grey(FOUR, PhotometricInterpretation="MONOCHROME1", **FULL) == [255, 193, 130, 0]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_a_film_is_inverted_once_and_never_twice(photometric, shape, inverted):
    shown = grey(FOUR, PhotometricInterpretation=photometric, PresentationLUTShape=shape, **FULL)
    assert (shown[0] > shown[-1]) is inverted


def test_the_rescale_comes_before_the_window_and_the_inversion_last():
    shown = grey(
        [0, 50, 100],
        RescaleSlope="2",
        RescaleIntercept="-100",
        WindowCenter="0.5",
        WindowWidth="201",
        PhotometricInterpretation="MONOCHROME1",
    )
    assert shown == [255, 127, 0]


@pytest.mark.parametrize("slope", ["0", "1e300"])
def test_an_impossible_rescale_is_left_out_with_a_remark(slope):
    assert grey(FOUR, RescaleSlope=slope, RescaleIntercept="0", **FULL) == [0, 62, 125, 255]
    assert remarks(FOUR, RescaleSlope=slope, RescaleIntercept="0", **FULL) == ["rescale_ignored"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 0, 128, 255, 255]),
        ("LINEAR_EXACT", [0, 0, 128, 255, 255]),
        ("SIGMOID", [5, 30, 128, 225, 250]),
    ],
)
def test_the_window_functions_of_the_standard(function, expected):
    shown = grey([0, 50, 100, 150, 200], WindowCenter="100", WindowWidth="100", VOILUTFunction=function)
    assert np.abs(np.array(shown) - expected).max() <= 1


def test_the_linear_window_is_half_a_value_off_the_exact_one():
    linear = grey([0, 1, 2, 3], WindowCenter="2", WindowWidth="4", VOILUTFunction="LINEAR")
    exact = grey([0, 1, 2, 3], WindowCenter="2", WindowWidth="4", VOILUTFunction="LINEAR_EXACT")
    assert (linear, exact) == ([0, 85, 170, 255], [0, 64, 128, 191])


def test_of_several_windows_the_first_is_used():
    assert grey(FOUR, WindowCenter=["2048", "10"], WindowWidth=["4096", "2"]) == [0, 62, 125, 255]


def test_a_voi_table_wins_over_the_window():
    shown = grey([0, 1, 2, 3], VOILUTSequence=lut([0, 255, 128, 64]), **FULL)
    assert shown == [0, 255, 128, 64]


def test_values_outside_a_table_take_its_ends():
    assert grey([0, 9, 10, 11, 12, 99], VOILUTSequence=lut([10, 20, 255], first=10)) == [10, 10, 10, 20, 255, 255]


def test_a_table_that_states_more_bits_than_it_uses_is_not_shown_dark():
    assert grey([0, 1, 2, 3], VOILUTSequence=lut([0, 341, 682, 1023], bits=16)) == [0, 85, 170, 255]


def test_a_modality_table_comes_before_the_voi_table():
    shown = grey([0, 1, 2], ModalityLUTSequence=lut([2, 1, 0], bits=8), VOILUTSequence=lut([0, 100, 255]))
    assert shown == [255, 100, 0]


def test_signed_pixels_keep_their_order():
    assert grey([-1000, 0, 1000], "i2", WindowCenter="0.5", WindowWidth="2001") == [0, 128, 255]


def test_without_a_window_the_middle_ninety_eight_percent_fill_the_range():
    pixels = ramp(1000, 3000, width=1000, height=8)
    pixels[0, 0], pixels[0, 1] = 0, 65535
    decoded = decode_bytes(dicom(pixels))
    assert decoded.meta["warnings"] == ["no_window"]
    row = decoded.grey[4]
    assert row[0] == 0
    assert row[-1] == 255
    assert abs(int(row[500]) - 128) <= 2


@pytest.mark.parametrize("window", [{"WindowCenter": "10", "WindowWidth": "0"}, {"WindowCenter": "10"}])
def test_an_invalid_window_is_replaced_by_the_range_of_the_film(window):
    pixels = ramp(1000, 3000)
    decoded = decode_bytes(dicom(pixels, **window))
    assert (decoded.grey.min(), decoded.grey.max()) == (0, 255)
    assert decoded.meta["warnings"] == ["no_window"]


def test_a_window_that_shows_nothing_is_replaced_with_a_remark():
    decoded = decode_bytes(dicom(ramp(30000, 50000), WindowCenter="100", WindowWidth="50"))
    assert np.unique(decoded.grey).size > 50
    assert decoded.meta["warnings"] == ["window_unusable"]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_in_either_sense(photometric):
    shown = grey([0, 1000, 4095], PixelPaddingValue=0, PhotometricInterpretation=photometric, **FULL)
    assert shown[0] == 0
    assert shown[1] > 50


def test_a_range_of_padding_is_black_in_either_order():
    for ends in ((1, 5), (5, 1)):
        elements = {"PixelPaddingValue": ends[0], "PixelPaddingRangeLimit": ends[1]}
        shown = grey([0, 1, 3, 5, 4095], PhotometricInterpretation="MONOCHROME1", **elements, **FULL)
        assert shown[1:4] == [0, 0, 0]
        assert shown[0] == 255


def test_padding_does_not_count_for_the_range_of_a_film_without_window():
    pixels = ramp(1000, 3000, width=100, height=100)
    pixels[:60] = 65535
    row = decode_bytes(dicom(pixels, PixelPaddingValue=65535)).grey[80]
    assert row[-1] == 255
    assert abs(int(row[50]) - 128) <= 4


def test_a_film_of_nothing_but_padding_is_shown_as_it_is():
    assert decode_bytes(dicom(np.full((32, 32), 7, "u2"), PixelPaddingValue=7)).grey.shape == (32, 32)


def test_signed_padding_is_recognised():
    assert grey([-2000, 0, 1000], "i2", PixelPaddingValue=-2000, WindowCenter="0", WindowWidth="4000")[0] == 0


def test_thirty_two_bit_pixels_are_rendered_alike():
    deep = [value * 100_000 for value in FOUR]
    assert grey(deep, "u4", WindowCenter="204800000", WindowWidth="409600000") == pytest.approx(
        [0, 62, 125, 255], abs=1
    )


def test_unused_high_bits_do_not_show():
    dirty = [value | 0xF000 for value in FOUR]
    assert grey(dirty, BitsStored=12, HighBit=11, **FULL) == [0, 62, 125, 255]


def test_colour_is_shown_as_luminance():
    rgb = np.zeros((16, 16, 3), "u1")
    rgb[..., 0] = 255
    assert abs(int(decode_bytes(dicom(rgb)).grey[0, 0]) - 76) <= 1
    deep = (rgb.astype("u2")) * 257
    assert abs(int(decode_bytes(dicom(deep)).grey[0, 0]) - 76) <= 1


@pytest.mark.parametrize("name", ["vlut_04.dcm", "examples_palette.dcm", "liver_1frame.dcm", "rtdose_1frame.dcm"])
def test_tables_palettes_single_bits_and_doses_give_a_picture(name):
    path = get_testdata_file(name, download=False)
    assert path is not None
    assert np.unique(decode_bytes(Path(path).read_bytes()).grey).size >= 2
