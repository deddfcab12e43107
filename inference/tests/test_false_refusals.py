"""Files with a fault that leaves no doubt about the picture are read, with a remark where something was assumed."""

import io
import struct
import subprocess
from shutil import which

import jpeg_ls
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.filereader import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.errors import DecodeError
from inference.imaging.decode import decode_bytes
from inference.tests.made_dicom import compressed, dataset, dicom, file_bytes, picture
from inference.tests.test_stored_bits import FILM, REFERENCE, TWELVE, alike, rle

JPEG_LS, JPEG_2000, LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"
STREAMS = {JPEG_2000: picture(FILM, "JPEG2000", no_jp2=True), JPEG_LS: bytes(jpeg_ls.encode_array(FILM))}
COLOUR = np.stack([FILM >> 4, FILM >> 5, 200 - (FILM >> 5)], axis=-1).astype("u1")
GROUP_2 = 132


def code_of(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_bytes(data)
    return caught.value.code


@pytest.mark.parametrize("syntax", STREAMS)
@pytest.mark.parametrize("table", [[0], [7], [0, 99999], []])
def test_an_offset_table_is_not_believed_where_there_is_one_frame(syntax, table):
    right = encapsulate([STREAMS[syntax]], has_bot=False)
    wrong = struct.pack("<HHI", 0xFFFE, 0xE000, 4 * len(table)) + struct.pack(f"<{len(table)}I", *table) + right[8:]
    data = compressed(STREAMS[syntax], FILM, syntax, **TWELVE)
    ds = dcmread(io.BytesIO(data))
    ds.PixelData = wrong
    assert np.array_equal(decode_bytes(file_bytes(ds, syntax)).grey, REFERENCE.grey)


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_missing_delimiter_costs_nothing_and_a_missing_rest_the_film(syntax):
    data = compressed(STREAMS[syntax], FILM, syntax, **TWELVE)
    assert data.endswith(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    assert np.array_equal(decode_bytes(data[:-8]).grey, REFERENCE.grey)
    assert code_of(data[:-200]) == "truncated"


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_frame_in_many_fragments_is_read(syntax):
    ds = dcmread(io.BytesIO(compressed(STREAMS[syntax], FILM, syntax, **TWELVE)))
    ds.PixelData = encapsulate([STREAMS[syntax]], fragments_per_frame=5)
    assert np.array_equal(decode_bytes(file_bytes(ds, syntax)).grey, REFERENCE.grey)


@pytest.mark.parametrize("after", [b"\x00" * 3000, b"\xff" * 700])
@pytest.mark.parametrize("syntax", STREAMS)
def test_padding_behind_a_stream_of_any_length_is_no_fault(syntax, after):
    decoded = decode_bytes(compressed(STREAMS[syntax] + after, FILM, syntax, **TWELVE))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == []


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_second_stream_behind_the_first_is_remarked_on(syntax):
    decoded = decode_bytes(compressed(STREAMS[syntax] * 2, FILM, syntax, **TWELVE))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == ["pixel_data_longer"]


@pytest.mark.parametrize(
    "missing",
    [("SamplesPerPixel",), ("BitsStored", "HighBit"), ("HighBit",), ("PixelRepresentation",), ("BitsAllocated",),
     ("PhotometricInterpretation",), ("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation")],
)  # fmt: skip
@pytest.mark.parametrize("coding", ["raw", *STREAMS])
def test_a_missing_element_with_one_usual_value_is_completed_with_a_remark(coding, missing):
    data = dicom(FILM, **TWELVE) if coding == "raw" else compressed(STREAMS[coding], FILM, coding, **TWELVE)
    ds = dcmread(io.BytesIO(data))
    for keyword in missing:
        del ds[keyword]
    decoded = decode_bytes(file_bytes(ds, coding if coding in STREAMS else ExplicitVRLittleEndian))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    stated = coding in STREAMS and missing[0] == "BitsStored"  # by the stream itself
    assert decoded.meta["warnings"] == ([] if stated and "HighBit" not in missing else ["header_incomplete"])


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_codestream_says_rows_and_columns_that_the_header_lacks(syntax):
    ds = dcmread(io.BytesIO(compressed(STREAMS[syntax], FILM, syntax, **TWELVE)))
    del ds.Rows, ds.Columns
    decoded = decode_bytes(file_bytes(ds, syntax))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == ["header_incomplete"]


def without_meta(data: bytes) -> bytes:
    """The data set alone: no preamble, no group 0002."""
    length = struct.unpack_from("<I", data, GROUP_2 + 8)[0]
    return data[GROUP_2 + 12 + length :]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("first", ["SOPClassUID", "Modality", "PatientID", "Rows"])
def test_a_data_set_without_a_meta_header_is_read_whatever_it_begins_with(syntax, first):
    ds = dataset(FILM, **TWELVE)
    for element in list(ds):
        if element.tag < ds[first].tag:
            del ds[element.tag]
    ds_bytes = file_bytes_of(ds, syntax)
    decoded = decode_bytes(ds_bytes)
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert "preamble_missing" in decoded.meta["warnings"]


def file_bytes_of(ds, syntax) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax == ImplicitVRLittleEndian
    ds.PixelData = FILM.tobytes()
    ds["PixelData"].VR = "OW"
    write_dataset(buffer, ds)
    return buffer.getvalue()


CODED = [*(compressed(stream, FILM, uid, **TWELVE) for uid, stream in STREAMS.items()), rle(FILM, **TWELVE)]


@pytest.mark.parametrize("data", CODED)
def test_a_compressed_data_set_without_a_meta_header_is_read_by_its_stream(data):
    assert np.array_equal(decode_bytes(without_meta(data)).grey, REFERENCE.grey)


@pytest.mark.parametrize("claimed", ["1.2.840.10008.1.2.4.50", LOSSLESS, JPEG_LS, "1.2.840.10008.1.2.5"])
def test_a_transfer_syntax_that_names_another_compression_is_remarked_on(claimed):
    decoded = decode_bytes(compressed(STREAMS[JPEG_2000], FILM, claimed, **TWELVE))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == ["codestream_contradicts"]


@pytest.mark.skipif(which("dcmcjpeg") is None, reason="dcmtk's tools are not installed")
@pytest.mark.parametrize("option", ["+e1", "+el"])
@pytest.mark.parametrize("depth", [8, 16])
def test_colour_in_lossless_jpeg_is_read(option, depth, tmp_path):
    colours = COLOUR if depth == 8 else COLOUR.astype("u2") * 257
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(dicom(colours, PlanarConfiguration=0))
    subprocess.run(["dcmcjpeg", option, plain, packed], check=True, capture_output=True)
    expected = decode_bytes(plain.read_bytes())
    assert alike(decode_bytes(packed.read_bytes()), expected) > 0.9999


@pytest.mark.skipif(which("cjpeg") is None, reason="libjpeg's tools are not installed")
@pytest.mark.parametrize("options", [["-rgb"], ["-progressive"], ["-sample", "1x1"], ["-arithmetic"], ["-grayscale"]])
def test_pictures_of_rarer_jpeg_processes_are_read(options):
    ppm = b"P6 128 96 255\n" + COLOUR.tobytes()
    done = subprocess.run(["cjpeg", "-quality", "95", *options], input=ppm, capture_output=True)
    if done.returncode:
        pytest.skip("this libjpeg cannot write it")
    assert alike(decode_bytes(done.stdout), decode_bytes(picture(COLOUR, "PNG"))) > 0.99


def test_a_long_film_of_16_bits_is_read_whole():
    rows = np.add.outer(np.arange(10_000) // 4, np.arange(3_500) // 3).astype("u2")
    data = dicom(rows, WindowCenter="1850", WindowWidth="3700")
    assert len(data) > 64 * 1024 * 1024
    decoded = decode_bytes(data)
    assert decoded.grey.shape == (4096, 1434)
    assert decoded.values.array is not None
    assert decoded.values.array.shape == rows.shape
