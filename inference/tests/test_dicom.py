"""DICOM policy and identity: what is refused before a pixel is touched, and what the header tells of the film."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from inference.errors import DecodeError
from inference.imaging.decode import Decoded, decode_bytes
from inference.imaging.limits import Limits
from inference.tests.made_dicom import compressed, dataset, dicom, file_bytes, picture, ramp, with_syntax

RAMP = ramp(0, 4095)
WINDOW = {"WindowCenter": "2048", "WindowWidth": "4096", "BitsStored": 12, "HighBit": 11}


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_bytes(data, limits)
    return caught.value.code


def shipped(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert path is not None, f"pydicom ships {name}"
    return Path(path).read_bytes()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_uncompressed_syntax_gives_the_same_grey(syntax):
    pixels = RAMP.astype(">u2") if syntax == ExplicitVRBigEndian else RAMP
    decoded = decode_bytes(dicom(pixels, syntax, **WINDOW))
    assert np.abs(decoded.grey[0].astype(float) - RAMP[0] / 4095 * 255).max() <= 0.51
    assert decoded.meta["warnings"] == []


def test_run_length_encoded_pixels_are_read():
    ds = dataset(RAMP, **WINDOW)
    file_bytes(ds)  # gives it the meta group that compress() needs
    ds.compress(RLELossless)
    assert np.array_equal(decode_bytes(file_bytes(ds, RLELossless)).grey, decode_bytes(dicom(RAMP, **WINDOW)).grey)


def test_jpeg_and_jpeg_2000_frames_are_read():
    eight = ramp(0, 255, "u1")
    stated = {"WindowCenter": "128", "WindowWidth": "256"}
    lossy = decode_bytes(compressed(picture(eight, "JPEG", quality=100), eight, JPEGBaseline8Bit, **stated))
    assert np.abs(lossy.grey.astype(int) - eight).max() <= 2
    exact = decode_bytes(compressed(picture(eight, "JPEG2000", no_jp2=True), eight, JPEG2000Lossless, **stated))
    assert np.array_equal(exact.grey, eight)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("JPGExtended.dcm", (1024, 256)),
        ("MR_small_jpeg_ls_lossless.dcm", (64, 64)),
        ("MR_small_jp2klossless.dcm", (64, 64)),
    ],
)
def test_the_rarer_compressions_are_read(name, shape):
    grey = decode_bytes(shipped(name)).grey
    assert grey.shape == shape
    assert np.unique(grey).size > 20


def test_twelve_bit_jpeg_agrees_with_the_same_film_without_loss(data_dir):
    lossy, exact = (
        decode_bytes((data_dir / "dicom" / name).read_bytes()) for name in ("RG2_JPLY_fixed.dcm", "RG2_JPLL.dcm")
    )
    assert np.abs(lossy.grey.astype(int) - exact.grey).mean() < 3


def test_a_film_without_preamble_is_read_with_a_remark():
    for data in (dicom(RAMP, **WINDOW)[132:], dicom(RAMP, ImplicitVRLittleEndian, **WINDOW)[132:]):
        decoded = decode_bytes(data)
        assert decoded.grey[0, -1] == 255
        assert decoded.meta["warnings"] == ["preamble_missing"]


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"])
def test_deflated_files_are_refused_without_inflating_them(uid):
    bomb = zlib.compress(b"\x00" * 50_000_000, 9)
    assert refused(with_syntax(bomb, uid)) == "deflated_not_accepted"


def test_a_second_transfer_syntax_in_the_meta_group_changes_nothing():
    data = dicom(RAMP, **WINDOW)
    extra = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    start = data.index(struct.pack("<HH", 8, 0x16))
    assert decode_bytes(data[:start] + extra + data[start:]).grey[0, -1] == 255


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.100", "1.2.3", "nonsense"])
def test_unknown_transfer_syntaxes_are_refused(uid):
    assert refused(with_syntax(b"\x00" * 64, uid)) == "transfer_syntax_not_accepted"


def test_several_frames_are_refused_by_policy():
    assert refused(dicom(np.zeros((64, 32), "u2"), Rows=32, NumberOfFrames="2")) == "multi_frame"
    assert refused(shipped("emri_small.dcm")) == "multi_frame"


def test_objects_without_pixels_are_refused_as_such():
    assert refused(dicom(RAMP, PixelData=None)) == "no_pixels"
    assert refused(dicom(RAMP, Rows=None)) == "no_pixels"
    assert refused(shipped("rtplan.dcm")) == "no_pixels"


def test_more_pixels_than_the_limit_are_refused_from_the_header():
    assert refused(dicom(RAMP, Rows=60000, Columns=60000)) == "too_many_pixels"


def test_a_small_jpeg_2000_stream_that_asks_for_gigabytes_is_refused_before_decoding():
    frame = bytearray(picture(ramp(0, 255, "u1"), "JPEG2000", no_jp2=True))
    start = frame.index(b"\xff\x4f\xff\x51") + 8
    frame[start : start + 8] = struct.pack(">II", 40_000, 40_000)
    assert refused(compressed(bytes(frame), ramp(0, 255, "u1"), JPEG2000Lossless)) == "too_many_pixels"
    frame[start : start + 8] = struct.pack(">II", 65, 48)
    assert refused(compressed(bytes(frame), ramp(0, 255, "u1"), JPEG2000Lossless)) == "unreadable"


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.97])
def test_a_film_cut_short_is_refused(kept):
    data = dicom(RAMP, **WINDOW)
    assert refused(data[: int(len(data) * kept)]) in ("truncated", "unreadable")


def test_a_compressed_film_cut_short_is_refused(rg3):
    assert refused(rg3[: len(rg3) // 2]) == "truncated"


def test_a_compressed_frame_without_its_end_is_refused_even_by_lenient_decoders():
    for name in ("JPGExtended.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_jp2klossless.dcm"):
        data = shipped(name)
        start = data.rindex(b"\xff\xd9")
        assert refused(data[:start] + b"\x00\x00" + data[start + 2 :]) == "truncated"


def test_sequences_within_sequences_end_in_an_answer():
    deepest = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    opener = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF)
    assert refused(with_syntax((opener + deepest) * 20_000, "1.2.840.10008.1.2.1")) in ("truncated", "unreadable")


def identity_of(**elements) -> tuple[dict, list[str]]:
    decoded: Decoded = decode_bytes(dicom(RAMP, **WINDOW, **elements))
    return decoded.meta["identity"], decoded.meta["warnings"]


def test_the_header_says_who_and_what_was_taken():
    identity, remarks = identity_of(
        PatientID="  0042 ",
        PatientName="FAMILY^Given^Middle^Dr",
        PatientBirthDate="19700131",
        PatientSex="F",
        AccessionNumber="A-7",
        StudyDate="2024.02.29",
        BodyPartExamined="knee",
        ImageLaterality="L",
        ViewPosition="AP",
        ReferringPhysicianName="REFERRER^One",
        StudyInstanceUID="1.2.840.1",
    )
    assert remarks == []
    assert identity == {
        "patient_id": "0042",
        "accession_number": "A-7",
        "modality": "DX",
        "body_part_examined": "KNEE",
        "view_position": "AP",
        "study_instance_uid": "1.2.840.1",
        "series_instance_uid": "",
        "sop_instance_uid": "1.2.3.4",
        "patient_name": "FAMILY^Given^Middle^Dr",
        "referring_physician_name": "REFERRER^One",
        "patient_birth_date": "1970-01-31",
        "study_date": "2024-02-29",
        "patient_sex": "F",
        "laterality": "L",
    }


def test_what_cannot_be_trusted_in_the_header_is_left_out():
    identity, remarks = identity_of(
        PatientBirthDate="19701332", PatientSex="X", Laterality="LINKS", StudyInstanceUID="1.2.drop table"
    )
    assert identity["patient_birth_date"] == identity["patient_sex"] == identity["laterality"] == ""
    assert identity["study_instance_uid"] == ""
    assert remarks == ["date_unreadable", "sex_unreadable", "laterality_unreadable"]


def test_control_characters_and_endless_texts_do_not_travel_on():
    identity, remarks = identity_of(SpecificCharacterSet="ISO_IR 192", PatientID="00\x0142\n7", PatientName="N" * 4000)
    assert identity["patient_id"] == ""
    assert len(identity["patient_name"]) == 200
    assert remarks == ["number_unreadable"]


def test_names_in_other_scripts_are_decoded():
    identity, _ = identity_of(SpecificCharacterSet="ISO_IR 192", PatientName="Прізвище^Ім'я")
    assert identity["patient_name"] == "Прізвище^Ім'я"


def test_a_name_that_its_charset_cannot_decode_is_remarked_on():
    data = dicom(RAMP, **WINDOW, SpecificCharacterSet="ISO_IR 192", PatientName="QQQQQQQQ")
    identity = decode_bytes(data.replace(b"QQQQQQQQ", b"A\xff\xfe\xfdB\xff\xffC"))
    assert "charset_undecodable" in identity.meta["warnings"]


def test_burned_in_text_is_passed_on():
    meta = decode_bytes(dicom(RAMP, **WINDOW, BurnedInAnnotation="YES")).meta
    assert meta["burned_in_annotation"] == "YES"
    assert meta["warnings"] == ["burned_in_annotation"]


@pytest.mark.parametrize(
    ("elements", "spacing", "source"),
    [
        ({"PixelSpacing": ["0.2", "0.2"]}, [0.2, 0.2], "calibration not stated"),
        ({"PixelSpacing": ["0.2", "0.2"], "Modality": "MR"}, [0.2, 0.2], "calibrated"),
        ({"PixelSpacing": ["0.2", "0.2"], "PixelSpacingCalibrationType": "GEOMETRY"}, [0.2, 0.2], "calibrated"),
        (
            {"PixelSpacing": ["0.1", "0.1"], "NominalScannedPixelSpacing": ["0.1", "0.1"]},
            [0.1, 0.1],
            "detector plane, uncalibrated",
        ),
        ({"ImagerPixelSpacing": ["0.1", "0.1"]}, [0.1, 0.1], "detector plane, uncalibrated"),
        ({"PixelSpacing": ["0.09", "0.09"], "ImagerPixelSpacing": ["0.1", "0.1"]}, [0.09, 0.09], "calibrated"),
        (
            {"PixelSpacing": ["0.1", "0.1"], "ImagerPixelSpacing": ["0.1", "0.1"]},
            [0.1, 0.1],
            "detector plane, uncalibrated",
        ),
        (
            {
                "PixelSpacing": ["0.1", "0.1"],
                "ImagerPixelSpacing": ["0.1", "0.1"],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            [0.1, 0.1],
            "calibrated",
        ),
        ({"PixelSpacing": ["0", "0"]}, None, ""),
        ({}, None, ""),
    ],
)
def test_spacing_is_called_calibrated_only_when_it_is(elements, spacing, source):
    meta = decode_bytes(dicom(RAMP, **WINDOW, **elements)).meta
    assert (meta["pixel_spacing_mm"], meta["spacing_source"]) == (spacing, source)


@pytest.mark.parametrize(
    ("pixel", "plane"),
    [
        (("0.143", "0.143"), ("0.143000006", "0.143000006")),
        (("0.1430000066757", "0.1430000066757"), ("0.143", "0.143")),
        (("0.194556", "0.194556"), ("0.1946", "0.1946")),
        (("0.2", "0.2"), ("0.19999999", "0.2")),
        (("0.14", "0.14"), ("0.143", "0.143")),
        (("0.1", "0.2"), ("0.1000001", "0.1999999")),
    ],
)
@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_spacings_that_are_one_number_but_for_rounding_are_not_calibrated(keyword, pixel, plane):
    meta = decode_bytes(dicom(RAMP, **WINDOW, PixelSpacing=list(pixel), **{keyword: list(plane)})).meta
    assert meta["spacing_source"] == "detector plane, uncalibrated"
    assert meta["warnings"] == []


@pytest.mark.parametrize(("pixel", "plane"), [("0.136", "0.143"), ("0.0976", "0.1"), ("0.1", "0.2"), ("0.17", "0.194")])
def test_spacings_of_a_magnified_film_are_calibrated(pixel, plane):
    meta = decode_bytes(dicom(RAMP, **WINDOW, PixelSpacing=[pixel] * 2, ImagerPixelSpacing=[plane] * 2)).meta
    assert (meta["spacing_source"], meta["warnings"]) == ("calibrated", [])


LONG = ramp(0, 4095, width=20, height=4000)


@pytest.mark.parametrize(
    ("pixels", "elements"),
    [
        (RAMP, {"PixelSpacing": ["143", "143"]}),
        (RAMP, {"PixelSpacing": ["100", "100"], "ImagerPixelSpacing": ["0.1", "0.1"]}),
        (RAMP, {"PixelSpacing": ["143", "143"], "PixelSpacingCalibrationType": "FIDUCIAL"}),
        (RAMP, {"PixelSpacing": ["143", "143"], "Modality": "MR"}),
        (RAMP, {"ImagerPixelSpacing": ["143", "143"]}),
        (RAMP, {"NominalScannedPixelSpacing": ["2.1", "2.1"]}),
        (RAMP, {"PixelSpacing": ["0.000143", "0.000143"]}),
        (RAMP, {"PixelSpacing": ["0.143", "0.009"]}),
        (RAMP, {"PixelSpacing": ["0.0001", "0.0001"]}),
        (RAMP, {"PixelSpacing": ["100000", "100000"]}),
        (RAMP, {"ImagerPixelSpacing": ["0.009", "0.009"]}),
        (RAMP, {"PixelSpacing": ["0.05", "0.05"]}),  # 3.2 mm wide
        (LONG, {"PixelSpacing": ["0.6", "0.6"]}),  # 2.4 m tall
        (LONG, {"ImagerPixelSpacing": ["1.43", "1.43"]}),
        (RAMP, {"PixelSpacing": ["1.43", "1.43"], "ImagerPixelSpacing": ["0.143", "0.143"]}),
        (LONG, {"PixelSpacing": ["0.0143", "0.0143"], "ImagerPixelSpacing": ["0.143", "0.143"]}),
    ],
)
def test_an_implausible_spacing_is_left_out_with_a_remark(pixels, elements):
    meta = decode_bytes(dicom(pixels, **WINDOW, **elements)).meta
    assert (meta["pixel_spacing_mm"], meta["canonical_pixel_spacing_mm"], meta["spacing_source"]) == (None, None, "")
    assert "spacing_ignored" in meta["warnings"]


def test_an_implausible_spacing_of_the_detector_proves_nothing():
    elements = {"PixelSpacing": ["0.143", "0.143"], "ImagerPixelSpacing": ["143", "143"]}
    meta = decode_bytes(dicom(RAMP, **WINDOW, **elements)).meta
    assert (meta["pixel_spacing_mm"], meta["spacing_source"]) == ([0.143, 0.143], "calibration not stated")
    assert meta["warnings"] == ["spacing_ignored"]


@pytest.mark.parametrize(
    ("pixels", "elements"),
    [
        (RAMP, {"PixelSpacing": ["4.07", "4.07"], "Modality": "PT"}),
        (LONG, {"ImagerPixelSpacing": ["0.45", "0.45"]}),  # a whole body
        (LONG, {"PixelSpacing": ["0.02", "0.02"]}),  # a dental sensor
    ],
)
def test_small_and_large_films_keep_their_spacing(pixels, elements):
    meta = decode_bytes(dicom(pixels, **WINDOW, **elements)).meta
    assert meta["pixel_spacing_mm"] is not None
    assert meta["warnings"] == []


@pytest.mark.parametrize(
    ("elements", "shape", "spacing"),
    [
        ({"PixelSpacing": ["0.2", "0.1"]}, (96, 64), [0.1, 0.1]),
        ({"PixelSpacing": ["0.1", "0.2"]}, (48, 128), [0.1, 0.1]),
        ({"PixelAspectRatio": ["2", "1"]}, (96, 64), None),
        ({"PixelSpacing": ["0.2", "0.2"], "PixelAspectRatio": ["2", "1"]}, (48, 64), [0.2, 0.2]),
        # a shape too odd to be true is left as it is, and the spacing of rows and columns stays apart
        ({"PixelSpacing": ["1.0", "0.1"]}, (48, 64), [1.0, 0.1]),
        # pixels within one per cent of square are left alone
        ({"PixelSpacing": ["0.1005", "0.1"]}, (48, 64), [0.1005, 0.1]),
    ],
)
def test_pixels_that_are_not_square_are_made_so(elements, shape, spacing):
    decoded = decode_bytes(dicom(RAMP, **WINDOW, **elements))
    assert decoded.grey.shape == shape
    assert decoded.meta["canonical_pixel_spacing_mm"] == spacing
    assert (decoded.meta["height_px"], decoded.meta["width_px"]) == (48, 64)


def test_a_film_that_is_shrunk_keeps_its_length_in_mm():
    data = dicom(ramp(0, 4095, width=20, height=4200), **WINDOW, PixelSpacing=["0.1", "0.1"])
    decoded = decode_bytes(data)
    height, width = decoded.grey.shape
    row, column = decoded.meta["canonical_pixel_spacing_mm"]
    assert height == 4096
    assert row * height == pytest.approx(420, abs=0.01)
    assert column * width == pytest.approx(2, abs=0.01)


def test_an_implausible_pixel_shape_is_left_out_with_a_remark():
    decoded = decode_bytes(dicom(RAMP, **WINDOW, PixelAspectRatio=["100", "1"]))
    assert decoded.grey.shape == (48, 64)
    assert decoded.meta["warnings"] == ["pixel_aspect_ignored"]


def test_the_real_tibia_shows_bone_bright_and_the_field_around_the_leg_dark(rg3):
    grey = decode_bytes(rg3).grey
    assert grey.shape == (1760, 1760)
    shaft, air = grey[400:700, 850:900], grey[400:700, 560:640]
    assert shaft.mean() > air.mean() + 60


def test_every_sample_of_the_real_films_is_read(data_dir):
    for path in sorted((data_dir / "dicom").iterdir()):
        decoded = decode_bytes(path.read_bytes())
        assert np.unique(decoded.grey).size > 100, "a film with a full range of greys"


def test_the_header_is_json_able():
    import json

    json.dumps(decode_bytes(dicom(RAMP, **WINDOW, PixelSpacing=["0.1", "0.1"])).meta, allow_nan=False)


def test_an_item_of_rubbish_in_a_sequence_does_not_stop_the_film():
    item = Dataset()
    item.LUTExplanation = "nothing useful"
    data = dicom(RAMP, **WINDOW, VOILUTSequence=Sequence([item]))
    decoded = decode_bytes(io.BytesIO(data).getvalue())
    assert decoded.meta["warnings"] == ["lut_ignored"]
    assert decoded.grey[0, -1] == 255
