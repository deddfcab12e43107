"""Depth, place and sign of samples: one rule behind every decoder, and the codestream's word goes first."""

import subprocess
from shutil import which

import jpeg_ls
import numpy as np
import pytest
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

from inference.imaging.codecs.stored import Layout, Samples, meant_values
from inference.imaging.decode import Decoded, decode_bytes
from inference.tests.made_dicom import compressed, dataset, dicom, file_bytes, picture

JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
RANDOM = np.random.default_rng(3)
# A smooth film of 12 bits with some grain.
FILM = (np.add.outer(np.arange(96) * 14, np.arange(128) * 17) + RANDOM.integers(0, 30, (96, 128))).astype("u2")
WINDOW = {"WindowCenter": "1800", "WindowWidth": "3600"}
TWELVE = {"BitsStored": 12, "HighBit": 11, **WINDOW}
REFERENCE = decode_bytes(dicom(FILM, **TWELVE))


def alike(decoded: Decoded, other: Decoded = REFERENCE) -> float:
    return float(np.corrcoef(decoded.grey.ravel(), other.grey.ravel())[0, 1])


def rle(pixels: np.ndarray, **elements) -> bytes:
    rows, columns = pixels.shape
    frame = get_encoder(RLELossless).encode(
        pixels.tobytes(), rows=rows, columns=columns, samples_per_pixel=1, bits_allocated=16, bits_stored=16,
        pixel_representation=0, number_of_frames=1, photometric_interpretation="MONOCHROME2",
    )  # fmt: skip
    return compressed(bytes(frame), pixels, RLELossless, **elements)


def raw(pixels: np.ndarray, **elements) -> bytes:
    return dicom(pixels, **elements)


def ls(pixels: np.ndarray, **elements) -> bytes:
    return compressed(bytes(jpeg_ls.encode_array(pixels)), pixels, JPEG_LS, **elements)


def j2k(pixels: np.ndarray, **elements) -> bytes:
    return compressed(picture(pixels, "JPEG2000", no_jp2=True, irreversible=False), pixels, JPEG_2000, **elements)


CODINGS = [raw, rle, ls, j2k]


@pytest.mark.parametrize("coding", CODINGS)
def test_words_of_16_bits_that_hold_12_give_the_same_picture(coding):
    assert np.array_equal(decode_bytes(coding(FILM, **TWELVE)).grey, REFERENCE.grey)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("high", [13, 14, 15])
def test_samples_in_the_upper_bits_give_the_same_picture(coding, high):
    decoded = decode_bytes(coding(FILM << (high - 11), **{**TWELVE, "HighBit": high}))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == []


@pytest.mark.parametrize("coding", CODINGS)
def test_a_high_bit_that_lies_is_remarked_on_and_not_followed(coding):
    decoded = decode_bytes(coding(FILM, **{**TWELVE, "HighBit": 15}))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    # A JPEG-LS stream of these values has 12 bits of its own: there is nothing to shift.
    assert decoded.meta["warnings"] == ([] if coding is ls else ["bits_contradict"])


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("bit", [12, 15])
def test_an_overlay_in_unused_bits_is_no_part_of_the_picture(coding, bit):
    drawn = FILM.copy()
    drawn[20:40, 30:60] |= np.uint16(1 << bit)
    decoded = decode_bytes(coding(drawn, **TWELVE))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == ["bits_contradict"]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("stored", [9, 10, 11])
def test_values_beyond_the_stated_bits_do_not_wrap_and_are_remarked_on(coding, stored):
    decoded = decode_bytes(coding(FILM, **{**TWELVE, "BitsStored": stored, "HighBit": stored - 1}))
    assert alike(decoded) > 0.999
    assert "bits_contradict" in decoded.meta["warnings"]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("extended", [False, True])
def test_signed_values_are_read_by_their_sign(coding, extended):
    """Whether or not the unused bits repeat the sign (PS3.5, 8.1.1)."""
    signed = FILM.astype("i2") - 1800
    words = signed.view("u2") if extended else signed.view("u2") & 0x0FFF
    header = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "WindowCenter": "0", "WindowWidth": "3600"}
    decoded = decode_bytes(coding(words, **header))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert set(decoded.meta["warnings"]) <= {"codestream_contradicts"}  # JPEG 2000 says that its values have no sign


@pytest.mark.parametrize(("bits", "dtype"), [(8, "u1"), (8, "u2"), (12, "u2"), (16, "u2"), (32, "u4")])
def test_every_depth_comes_back_as_it_was(bits, dtype):
    values = np.arange(0, 2**bits, max(1, 2**bits // 4096), dtype=np.uint64).astype(dtype).reshape(1, -1)
    found: list[str] = []
    read, depth = meant_values(Samples(values, 8 * values.dtype.itemsize), Layout(bits, bits - 1, False), found)
    assert np.array_equal(read, values)
    assert (depth, found) == (bits, [])


def test_a_codestream_of_fewer_bits_than_the_header_states_keeps_its_sign_bit():
    words = np.array([[0, 1, 0x3FF, 0x200]], "u2")
    read, depth = meant_values(Samples(words, 10, is_coded=True), Layout(12, 11, True), [])
    assert read.tolist() == [[0, 1, -1, -512]]
    assert depth == 10


def test_a_signed_codestream_under_an_unsigned_header_is_remarked_on():
    found: list[str] = []
    smooth = np.tile(np.arange(-600, 600, dtype="i2"), (4, 1))
    read, _ = meant_values(Samples(smooth, 12, signed=True, is_coded=True), Layout(12, 11, False), found)
    assert np.array_equal(read, smooth)
    assert found == ["codestream_contradicts"]


def test_more_bits_stored_than_allocated_are_remarked_on():
    film = (FILM >> 4).astype("u1")
    decoded = decode_bytes(dicom(film, BitsStored=12, HighBit=11, WindowCenter="128", WindowWidth="256"))
    assert alike(decoded) > 0.999
    assert decoded.meta["warnings"] == ["bits_contradict"]


@pytest.mark.skipif(which("dcmcjpeg") is None, reason="dcmtk's tools are not installed")
@pytest.mark.parametrize("option", ["+e1", "+el", "+ee", "+es", "+ep"])
def test_what_dcmtk_compresses_gives_the_same_picture(option, tmp_path):
    """JPEG lossless, extended sequential, and the retired progressive syntaxes, of 12 bits."""
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(dicom(FILM, **TWELVE))
    subprocess.run(["dcmcjpeg", option, plain, packed], check=True, capture_output=True)
    decoded = decode_bytes(packed.read_bytes())
    assert alike(decoded) > 0.999
    assert decoded.meta["warnings"] == []


@pytest.mark.parametrize("progressive", [False, True])
def test_baseline_jpeg_of_8_bits_in_words_of_16_is_read(progressive):
    film = (FILM >> 4).astype("u1")
    syntax = "1.2.840.10008.1.2.4.55" if progressive else "1.2.840.10008.1.2.4.50"
    frame = picture(film, "JPEG", quality=95, progressive=progressive)
    header = {"BitsAllocated": 16, "BitsStored": 8, "HighBit": 7, "WindowCenter": "112", "WindowWidth": "225"}
    decoded = decode_bytes(compressed(frame, film, syntax, **header))
    assert alike(decoded) > 0.999
    assert decoded.meta["warnings"] == []


@pytest.mark.parametrize("planes", [0, 1])
def test_planes_of_colour(planes):
    colours = np.stack([FILM >> 4, FILM >> 5, 255 - (FILM >> 4)], axis=-1).astype("u1")
    stored = colours.transpose(2, 0, 1) if planes else colours
    data = dicom(colours, PlanarConfiguration=planes, PixelData=stored.tobytes())
    assert np.array_equal(decode_bytes(data).grey, decode_bytes(dicom(colours)).grey)


@pytest.mark.parametrize(
    ("keyword", "dtype", "kind"), [("FloatPixelData", "f4", "Float"), ("DoubleFloatPixelData", "f8", "DoubleFloat")]
)
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_floats(keyword, dtype, kind, scale):
    values = (FILM * scale).astype(dtype)
    values[:5] = values.dtype.type(-1e37)
    ds = dataset(FILM, PixelData=None, BitsStored=None, HighBit=None, PixelRepresentation=None)
    ds.BitsAllocated = 8 * values.dtype.itemsize
    setattr(ds, keyword, values.tobytes())
    unpadded = decode_bytes(file_bytes(ds)).grey
    setattr(ds, f"{kind}PixelPaddingValue", float(values[0, 0]))
    padded = decode_bytes(file_bytes(ds))
    assert (padded.grey[:5] == 0).all()
    assert np.corrcoef(padded.grey[5:].ravel(), FILM[5:].ravel())[0, 1] > 0.99
    assert not np.array_equal(padded.grey, unpadded)
    setattr(ds, f"{kind}PixelPaddingRangeLimit", float(values[5:].min()) + 100 * scale)
    assert (decode_bytes(file_bytes(ds)).grey == 0).sum() > (padded.grey == 0).sum()
