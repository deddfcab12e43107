"""Pictures of more than 8 bits keep their depth, whatever their colours; TIFF pages that are no film are left out."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from inference.errors import DecodeError
from inference.imaging.decode import Decoded, decode_bytes
from inference.imaging.limits import Limits
from inference.tests.made_dicom import picture
from inference.tests.test_stored_bits import FILM

OPAQUE = np.full_like(FILM, 65535)
REFERENCE = decode_bytes(picture(FILM, "PNG"))
SHORT, LONG = 3, 4


def png(samples: np.ndarray, colour: int, *, interlaced: bool = False) -> bytes:
    """A 16-bit PNG whose rows are filtered, so that wrong byte widths would show."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    step = samples[0, 0].size * 2
    left = np.pad(rows, ((0, 0), (step, 0)))[:, : rows.shape[1]]
    coded = ((rows - left) % 256).astype(np.uint8)
    data = b"".join(b"\x01" + row.tobytes() for row in coded)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, int(interlaced))
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts
    )


def tiff(samples: np.ndarray, *, order: str = "<", photometric: int | None = None, extra: int | None = None,
         deflate: bool = False, kind: int = 1) -> bytes:  # fmt: skip
    """A one-strip TIFF of any depth, written by hand."""
    height, width = samples.shape[:2]
    count = 1 if samples.ndim == 2 else samples.shape[2]
    raw = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(raw) if deflate else raw
    bits = samples.dtype.itemsize * 8
    photometric = photometric if photometric is not None else 1 if count < 3 else 2
    entries: list[tuple[int, int, list[int]]] = [
        (256, LONG, [width]), (257, LONG, [height]), (258, SHORT, [bits] * count), (259, SHORT, [8 if deflate else 1]),
        (262, SHORT, [photometric]), (273, LONG, [0]), (277, SHORT, [count]), (278, LONG, [height]), (279, LONG,
        [len(data)]),
        (284, SHORT, [1]), *([(338, SHORT, [extra])] if extra is not None else []), (339, SHORT, [kind] * count),
    ]  # fmt: skip
    after = 8 + 2 + 12 * len(entries) + 4
    directory, overflow = struct.pack(f"{order}H", len(entries)), b""
    for tag, type_, numbers in entries:
        letter = "H" if type_ == SHORT else "I"
        packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if tag == 273:
            packed = struct.pack(f"{order}I", after + 64)
        if len(packed) > 4:
            place = after + len(overflow)
            overflow += packed
            packed = struct.pack(f"{order}I", place)
        directory += struct.pack(f"{order}HHI", tag, type_, len(numbers)) + packed.ljust(4, b"\x00")
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    return head + directory + struct.pack(f"{order}I", 0) + overflow.ljust(64, b"\x00") + data


def close(decoded: Decoded, other: Decoded = REFERENCE) -> bool:
    apart = np.abs(decoded.grey.astype(int) - other.grey.astype(int)).max()
    return bool(apart <= 1) and decoded.meta["warnings"] == []


def colours(film: np.ndarray, *, alpha: bool) -> np.ndarray:
    return np.stack([film, film, film, *([OPAQUE] if alpha else [])], axis=-1)


@pytest.mark.parametrize("shift", [0, 2, 4])
@pytest.mark.parametrize("kind", ["LA", "RGB", "RGBA"])
def test_a_png_of_16_bits_keeps_its_depth(kind, shift):
    film = FILM << shift
    samples = np.stack([film, OPAQUE], axis=-1) if kind == "LA" else colours(film, alpha=kind == "RGBA")
    decoded = decode_bytes(png(samples, {"LA": 4, "RGB": 2, "RGBA": 6}[kind]))
    assert close(decoded)
    assert decoded.meta["bits"] == 16
    assert decoded.values.array is not None
    assert np.array_equal(decoded.values.array, film)


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["LA", "RGB", "RGBA", "RGBX"])
def test_a_tiff_of_16_bits_keeps_its_depth(kind, order, deflate):
    samples = np.stack([FILM, OPAQUE], axis=-1) if kind == "LA" else colours(FILM, alpha=kind != "RGB")
    extra = {"RGB": None, "RGBX": 0}.get(kind, 2)
    decoded = decode_bytes(tiff(samples, order=order, extra=extra, deflate=deflate))
    assert close(decoded)
    assert decoded.values.array is not None
    assert np.array_equal(decoded.values.array, FILM)


@pytest.mark.parametrize("alpha", [65535, 32768, 4095])
def test_deep_opacity_darkens_as_opacity_of_8_bits_does(alpha):
    film = FILM.copy()
    samples = np.stack([film, film, film, np.where(np.arange(128) < 64, 65535, alpha) * np.ones_like(film)], axis=-1)
    values = decode_bytes(png(samples.astype("u2"), 6)).values.array
    expected = film * np.where(np.arange(128) < 64, 1.0, alpha / 65535)
    assert values is not None
    assert np.abs(values - expected).max() <= 1


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dtype", "kind"), [("u4", 1), ("i4", 2), ("f4", 3), ("f8", 3)])
@pytest.mark.parametrize("scale", [1, 1_000_000])
def test_a_tiff_of_32_or_64_bits_is_read_whatever_its_range(dtype, kind, scale, order, deflate):
    values = FILM.astype("f8") * scale - (1_800_000_000 if kind > 1 and scale > 1 else 0)
    decoded = decode_bytes(tiff(values.astype(dtype), order=order, deflate=deflate, kind=kind))
    assert close(decoded)


@pytest.mark.parametrize("scale", [1e-38, 1e-9, 1e34])
def test_floats_of_any_range_are_read(scale):
    assert close(decode_bytes(tiff((FILM * scale).astype("f4"), kind=3)))


def test_whole_numbers_beyond_two_thousand_million_are_not_negative():
    values = FILM.astype("u4") * 1_000_000
    assert values.max() > 2**31
    assert close(decode_bytes(tiff(values)))
    assert close(decode_bytes(tiff(values, order=">")))


def test_infinite_values_are_the_ends_and_no_number_is_black():
    values = FILM.astype("f4")
    values[0, :2], values[1, :2], values[2, :2] = np.inf, -np.inf, np.nan
    grey = decode_bytes(tiff(values, kind=3)).grey
    assert grey[0, 0] == 255
    assert grey[1, 0] == grey[2, 0] == 0


@pytest.mark.parametrize(("dtype", "kind"), [("u2", 1), ("u4", 1), ("f4", 3)])
def test_white_is_zero_in_deep_tiffs(dtype, kind):
    plain = decode_bytes(tiff(FILM.astype(dtype), kind=kind))
    other = decode_bytes(tiff(FILM.astype(dtype), kind=kind, photometric=0))
    assert np.abs(plain.grey.astype(int) + other.grey - 255).max() <= 1


def pages(*kinds: int) -> bytes:
    """A TIFF of one page for each NewSubfileType; the film is the one of kind 0."""
    buffer = io.BytesIO()
    film = Image.fromarray(FILM)
    images = [film if not kind else film.resize((32, 24)) for kind in kinds]
    with TiffImagePlugin.AppendingTiffWriter(buffer, True) as writer:
        for image, kind in zip(images, kinds, strict=True):
            directory = TiffImagePlugin.ImageFileDirectory_v2()
            directory[254] = kind
            image.save(writer, "TIFF", tiffinfo=directory)
            writer.newFrame()
    return buffer.getvalue()


@pytest.mark.parametrize("kinds", [(0, 1), (1, 0), (1, 0, 4), (1, 1, 0)])
def test_a_tiff_with_previews_or_a_mask_shows_the_film(kinds):
    decoded = decode_bytes(pages(*kinds))
    assert np.array_equal(decoded.grey, REFERENCE.grey)
    assert decoded.meta["warnings"] == ["additional_images_ignored"]


@pytest.mark.parametrize("kinds", [(0, 0), (2, 2), (1, 0, 0)])
def test_a_tiff_of_several_films_is_refused(kinds):
    with pytest.raises(DecodeError) as caught:
        decode_bytes(pages(*kinds))
    assert caught.value.code == "multi_frame"


def test_a_deep_picture_that_would_not_fit_is_refused_from_its_header():
    with pytest.raises(DecodeError) as caught:
        decode_bytes(png(colours(FILM, alpha=True), 6), Limits(memory_bytes=100_000))
    assert caught.value.code == "too_much_memory"


def test_a_webp_that_would_not_fit_is_refused_for_that_reason():
    with pytest.raises(DecodeError) as caught:
        decode_bytes(picture((FILM >> 4).astype("u1"), "WEBP"), Limits(memory_bytes=100_000))
    assert caught.value.code == "too_much_memory"


@pytest.mark.parametrize("scans", [101, 400])
def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(scans):
    stream = picture((FILM >> 4).astype("u1"), "JPEG", progressive=True)
    assert decode_bytes(stream).meta["warnings"] == []
    at = stream.rindex(b"\xff\xda")
    with pytest.raises(DecodeError) as caught:
        decode_bytes(stream[:-2] + stream[at:-2] * scans + b"\xff\xd9")
    assert caught.value.code == "too_slow"
