"""Every element that says how to read or show pixels is read, refused, remarked on, or cannot change the picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.errors import DecodeError
from inference.imaging.decode import Decoded, decode_bytes
from inference.imaging.dicom.elements import TABLE, UNKNOWN, Element, Use, element_of, is_repeating, tags
from inference.imaging.dicom.meta import ACCEPTED, SYNTAXES
from inference.imaging.limits import DECODE_CODES, DECODE_WARNINGS
from inference.tests.made_dicom import dataset, file_bytes, ramp
from scripts.dicom_document import document

ROOT = Path(__file__).resolve().parents[2]
PIXELS = np.add(ramp(0, 3000), np.arange(48, dtype="u2")[:, None] * 9)
PALETTE = {
    "PhotometricInterpretation": "PALETTE COLOR",
    **{f"{colour}PaletteColorLookupTableDescriptor": [4096, 0, 16] for colour in ("Red", "Green", "Blue")},
    **{
        f"{colour}PaletteColorLookupTableData": (np.arange(4096) * 16).astype("<u2").tobytes()
        for colour in ("Red", "Green", "Blue")
    },
}
SEGMENTED = {key: value for key, value in PALETTE.items() if not key.endswith("Data")} | {
    # One linear segment from 0 to 60000 (PS3.3, C.7.9.2).
    f"Segmented{colour}PaletteColorLookupTableData": np.array([0, 1, 0, 1, 4095, 60000], "<u2").tobytes()
    for colour in ("Red", "Green", "Blue")
}
RECTANGLE = {
    "ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 10, "ShutterRightVerticalEdge": 50,
    "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 40,
}  # fmt: skip
CIRCLE = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [24, 32], "RadiusOfCircularShutter": 20}
POLYGON = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [5, 5, 5, 60, 40, 30]}
WINDOW = {"WindowCenter": "1700", "WindowWidth": "3400"}
SPACING = {"ImagerPixelSpacing": ["0.1", "0.1"]}


def table(length: int, entries: list[int], bits: int = 8, first: int = 0) -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [length, first, bits])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    return [item]


def made(**elements: Any) -> Dataset:
    """An object of 12 bits with a window, so that no remark stands on it; None takes an element away."""
    ds = dataset(PIXELS, BitsStored=12, HighBit=11)
    for keyword, value in {**WINDOW, **elements}.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            del ds[keyword]
    return ds


def read(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> Decoded:
    return decode_bytes(file_bytes(ds, syntax))


def code_of(ds: Dataset) -> str:
    with pytest.raises(DecodeError) as caught:
        read(ds)
    return caught.value.code


def some_value(tag: int) -> Any:
    """A value of the element's kind that says something."""
    vr = dictionary_VR(tag)
    if vr == "SQ":
        return [Dataset()]
    if vr.split()[0] in ("US", "SS", "UL", "SL", "IS", "DS", "FL", "FD", "SV", "UV"):
        return 1
    return {"OB": b"\x01\x00", "OW": b"\x01\x00", "OV": b"\x01" + 7 * b"\x00", "AT": Tag("Rows"), "UI": "1.2.3",
    "DA": "20260101",
            "TM": "120000"}.get(vr.split()[-1], "ODD")  # fmt: skip


def with_element(tag: int) -> Dataset:
    ds = made()
    vr = dictionary_VR(tag).split()[0]
    data = tag & 0xFFFF in (0x3000, 0x1200)  # of two kinds, of which bytes are the usual one
    ds.add_new(tag, "OW" if data else vr, b"\x01\x00" if data else some_value(tag))
    return ds


def keyword(row: Element) -> str:
    return row.keyword


def rows(*uses: Use) -> list[Element]:
    return [row for row in TABLE if row.use in uses]


def test_every_row_stands_once_and_names_a_code_that_has_a_sentence():
    assert len({row.tag for row in TABLE}) == len(TABLE)
    for row in TABLE:
        known = DECODE_CODES if row.use is Use.REFUSED else DECODE_WARNINGS
        assert (row.code in known) == (row.use in (Use.REFUSED, Use.REMARKED)), row.keyword
        assert row.note
        assert row.source


@pytest.mark.parametrize("tag", sorted(tags(Use.REMARKED)), ids=lambda tag: f"{tag:08X}")
def test_what_is_not_done_is_remarked_on(tag):
    assert read(made()).meta["warnings"] == []
    row = element_of(tag)
    assert row is not None
    assert row.code in read(with_element(tag)).meta["warnings"]


@pytest.mark.parametrize("row", rows(Use.REFUSED), ids=keyword)
def test_what_must_not_be_judged_is_refused(row):
    value = "FOR PROCESSING" if row.keyword == "PresentationIntentType" else some_value(row.tag)
    assert code_of(made(**{row.keyword: value})) == row.code


@pytest.mark.parametrize("row", [row for row in TABLE if row.quiet], ids=keyword)
def test_values_that_ask_for_nothing_are_not_remarked_on(row):
    for value in row.quiet:
        ds = made()
        ds.add_new(row.tag, dictionary_VR(row.tag), int(value) if dictionary_VR(row.tag) == "US" else value)
        assert read(ds).meta["warnings"] == []


@pytest.mark.parametrize("tag", sorted(tags(Use.HARMLESS)), ids=lambda tag: f"{tag:08X}")
def test_what_is_ignored_changes_neither_picture_nor_remarks(tag):
    plain, other = read(made()), read(with_element(tag))
    assert np.array_equal(plain.grey, other.grey)
    assert other.meta["warnings"] == []


# What each element that is read changes: the elements around it, without which it says nothing, and its own value.
EFFECTS: dict[str, tuple[dict[str, Any], Any]] = {
    "Rows": ({}, 40), "Columns": ({}, 60), "SamplesPerPixel": ({}, 3), "PhotometricInterpretation": ({}, "MONOCHROME1"),
    "NumberOfFrames": ({}, 2), "BitsAllocated": ({}, 8), "BitsStored": ({}, 8), "HighBit": ({}, 15),
    "PixelRepresentation": ({}, 1), "PixelData": ({}, PIXELS[::-1].tobytes()),
    "PixelSpacing": ({}, ["0.2", "0.1"]), "ImagerPixelSpacing": ({}, ["0.2", "0.1"]),
    "NominalScannedPixelSpacing": ({}, ["0.2", "0.1"]), "PixelAspectRatio": ({}, [2, 1]),
    "PixelSpacingCalibrationType": ({"PixelSpacing": ["0.1", "0.1"], **SPACING}, "FIDUCIAL"),
    "PixelPaddingValue": ({}, 3000), "PixelPaddingRangeLimit": ({"PixelPaddingValue": 3000}, 2000),
    "ModalityLUTSequence": ({}, table(2, [9, 3000], 16)), "RescaleSlope": ({"RescaleIntercept": "0"}, "0.5"),
    "RescaleIntercept": ({"RescaleSlope": "1"}, "500"), "RescaleType": ({"RescaleSlope": "1",
    "RescaleIntercept": "0"}, "HU"),
    "VOILUTSequence": ({}, table(2, [255, 0])), "WindowCenter": ({}, "900"), "WindowWidth": ({}, "900"),
    "VOILUTFunction": ({}, "SIGMOID"), "WindowCenterWidthExplanation": ({}, "BONE"), "PresentationLUTShape": ({},
    "INVERSE"),
    "PixelIntensityRelationship": ({"PixelIntensityRelationshipSign": 1}, "LOG"),
    "PixelIntensityRelationshipSign": ({}, 1),
    "BurnedInAnnotation": ({}, "YES"),
    **{f"Shutter{edge}Edge": (RECTANGLE, 20) for edge in ("LeftVertical", "UpperHorizontal", "RightVertical",
    "LowerHorizontal")},
    "ShutterShape": (RECTANGLE | {"ShutterShape": None}, "RECTANGULAR"), "CenterOfCircularShutter": (CIRCLE, [20, 20]),
    "RadiusOfCircularShutter": (CIRCLE, 9), "VerticesOfThePolygonalShutter": (POLYGON, [5, 5, 5, 20, 40, 30]),
    **{f"{colour}PaletteColorLookupTableDescriptor": (PALETTE, [4096, 500, 16]) for colour in ("Red", "Green", "Blue")},
    **{f"{colour}PaletteColorLookupTableData": (PALETTE, bytes(8192)) for colour in ("Red", "Green", "Blue")},
    **{
        f"Segmented{colour}PaletteColorLookupTableData": (SEGMENTED, np.array([0, 1, 0, 1, 4095, 900], "<u2").tobytes())
        for colour in ("Red", "Green", "Blue")
    },
}  # fmt: skip
# Read from objects of other kinds, by the tests that are named here.
ELSEWHERE = {
    "PlanarConfiguration": "test_planes_of_colour", "FloatPixelData": "test_floats",
    "DoubleFloatPixelData": "test_floats",
    **{f"{kind}PixelPadding{part}": "test_floats" for kind in ("Float", "DoubleFloat") for part in ("Value",
    "RangeLimit")},
}  # fmt: skip


def said(ds: Dataset) -> Any:
    """All that a reader gets to know of an object, or the refusal."""
    try:
        decoded = read(ds)
    except DecodeError as error:
        return error.code
    return decoded.grey.tobytes(), decoded.grey.shape, decoded.meta, decoded.values.facts


def test_every_element_that_is_read_is_tried():
    assert {row.keyword for row in rows(Use.READ)} == EFFECTS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_an_element_that_is_read_shows(name):
    around, value = EFFECTS[name]
    without = made(**around)
    assert said(made(**{**around, name: value})) != said(without)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("tag", [0x00289FFF, 0x00700103, 0x2050FFF0, 0x60020005, 0x50003333])
def test_an_unknown_element_of_a_watched_group_is_remarked_on(tag, syntax):
    ds = made()
    ds.add_new(tag, "US", 1)
    assert UNKNOWN in read(ds, syntax).meta["warnings"]


def test_group_lengths_and_private_elements_are_no_unknown_elements():
    ds = made()
    ds.add_new(0x00280000, "UL", 100)
    ds.add_new(0x00290010, "LO", "MAKER")
    ds.add_new(0x00291001, "LO", "something")
    assert read(ds).meta["warnings"] == []


def test_repeating_groups_are_remarked_on_in_all_their_places():
    assert {tag >> 16 for tag in tags(Use.REMARKED) if is_repeating(tag >> 16)} == {
        *range(0x6000, 0x6020, 2), *range(0x5000, 0x5020, 2),
    }  # fmt: skip


def test_the_document_is_what_the_tables_say():
    assert (ROOT / "docs/dicom.md").read_text() == document()
    assert {syntax.uid for syntax in SYNTAXES} > ACCEPTED
