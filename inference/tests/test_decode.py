"""Pictures and refusals: what an upload must be, and what becomes of one that is not."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inference.errors import DecodeError
from inference.imaging.canonical import encode_png
from inference.imaging.decode import decode_bytes, sniff
from inference.imaging.limits import DECODE_CODES, DECODE_WARNINGS, Limits
from inference.tests.made_dicom import dicom, picture, ramp

RAMP = ramp(0, 255, "u1")


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_bytes(data, limits)
    assert not caught.value.retriable
    assert caught.value.message == DECODE_CODES[caught.value.code]
    return caught.value.code


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_every_accepted_picture_format_gives_the_same_grey(kind):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    decoded = decode_bytes(picture(RAMP, kind, **options))
    assert decoded.grey.shape == RAMP.shape
    assert np.abs(decoded.grey.astype(int) - RAMP).max() <= 2
    assert decoded.meta["format"] == kind.lower()
    assert (decoded.meta["width_px"], decoded.meta["height_px"]) == (64, 48)


def test_the_first_bytes_decide_and_not_what_the_file_is_called():
    assert sniff(picture(RAMP, "PNG")) == "png"
    assert sniff(b"BM" + b"\x00" * 60) == "bmp"
    assert sniff(b"") == ""
    assert sniff(dicom(RAMP)) == "dicom"


def test_a_dicom_file_dressed_as_another_program_is_read_as_dicom():
    dressed = b"MZ" + b"\x90" * 126 + dicom(ramp(0, 4095))[128:]
    assert decode_bytes(dressed).meta["format"] == "dicom"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello, this is text", "not_an_image"),
        (b"GIF89a" + b"\x00" * 50, "format_not_accepted"),
        (b"%PDF-1.7 " + b"\x00" * 50, "format_not_accepted"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "unreadable"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 50, "unreadable"),
        (b"II*\x00" + b"\xff" * 50, "unreadable"),
        (b"\x00" * 128 + b"DICM", "no_pixels"),
    ],
)
def test_what_is_no_film_is_refused_with_its_own_code(data, code):
    assert refused(data) == code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_a_picture_cut_in_half_is_refused_and_not_shown_half(kind):
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8)
    data = picture(noise, kind)
    assert refused(data[: len(data) // 2]) in ("truncated", "unreadable")


def test_a_png_with_a_damaged_stream_is_refused_even_when_its_header_is_sound():
    data = bytearray(picture(np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8), "PNG"))
    start = data.index(b"IDAT") + 4
    data[start + 200 : start + 260] = b"\x00" * 60
    assert refused(bytes(data)) in ("truncated", "unreadable")


def test_more_bytes_than_the_limit_are_refused_before_anything_is_read():
    assert refused(picture(RAMP, "PNG"), Limits(max_input_bytes=50)) == "too_large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_more_pixels_than_the_limit_are_refused(kind):
    assert refused(picture(RAMP, kind), Limits(max_pixels=1000)) == "too_many_pixels"


def test_a_png_that_claims_a_hundred_thousand_pixels_a_side_is_refused_by_its_header():
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    assert refused(b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT") == "too_many_pixels"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_stack_of_pictures_is_refused_by_policy(kind):
    pages = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    assert refused(saved(pages[0], kind, save_all=True, append_images=pages[1:])) == "multi_frame"


def test_a_camera_jpeg_with_a_preview_behind_it_is_read_with_a_remark():
    pages = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    decoded = decode_bytes(saved(pages[0], "MPO", save_all=True, append_images=pages[1:]))
    assert decoded.meta["warnings"] == ["additional_images_ignored"]
    assert decoded.grey[0, 0] < decoded.grey[0, -1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_stands_upright(orientation):
    upright = np.zeros((40, 60), np.uint8)
    upright[:10, :20] = 255
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: upright.T[::-1, ::-1], 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = decode_bytes(picture(np.ascontiguousarray(turned), "PNG", exif=exif)).grey
    assert np.array_equal(grey, upright)


def test_transparent_parts_are_black():
    rgba = np.full((32, 32, 4), 255, np.uint8)
    rgba[:, :16, 3] = 0
    grey = decode_bytes(picture(rgba, "PNG")).grey
    assert grey[:, :16].max() == 0
    assert grey[:, 16:].min() == 255


def test_a_png_with_a_transparent_grey_shows_that_grey_as_black():
    grey = decode_bytes(saved(Image.fromarray(np.full((32, 32), 200, np.uint8)), "PNG", transparency=200)).grey
    assert grey.max() == 0


def test_colour_becomes_luminance():
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[..., 1] = 255
    assert abs(int(decode_bytes(picture(rgb, "PNG")).grey[0, 0]) - 150) <= 1
    assert abs(int(decode_bytes(picture(rgb, "JPEG")).grey[0, 0]) - 150) <= 2


def test_a_palette_is_looked_up():
    image = Image.fromarray(np.tile(np.arange(2, dtype=np.uint8), (32, 16)), "L").convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    assert decode_bytes(saved(image, "PNG")).grey[0, :2].tolist() == [255, 0]


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
def test_deep_greys_are_stretched_to_eight_bits(dtype):
    kind = "PNG" if dtype == "u2" else "TIFF"
    grey = decode_bytes(picture(ramp(1000, 3000, dtype), kind)).grey
    assert grey[0, 0] == 0
    assert grey[0, -1] == 255
    assert abs(int(grey[0, 32]) - 130) <= 4


def test_one_hot_pixel_does_not_darken_a_deep_film():
    deep = ramp(1000, 3000, "u2", 100, 100)
    deep[0, 0] = 65535
    assert decode_bytes(picture(deep, "PNG")).grey[50, -1] > 250


def test_values_that_are_no_number_are_black_in_a_floating_point_tiff():
    values = ramp(0, 100, "f4")
    values[:5] = np.nan
    grey = decode_bytes(picture(values, "TIFF")).grey
    assert grey[:5].max() == 0
    assert grey[-1, -1] == 255


@pytest.mark.parametrize("deep", [False, True])
def test_a_white_is_zero_tiff_is_not_shown_inverted(deep):
    stored = ramp(0, 255, "u1") if not deep else ramp(0, 65535, "u2")
    data = bytearray(picture(stored, "TIFF"))
    entry = struct.pack("<HHII", 262, 3, 1, 1)
    assert entry in data
    data[data.index(entry) : data.index(entry) + 12] = struct.pack("<HHII", 262, 3, 1, 0)
    grey = decode_bytes(bytes(data)).grey
    assert grey[0, 0] > 250
    assert grey[0, -1] < 5


def test_a_film_of_one_pixel_is_read_and_left_to_the_gate():
    assert decode_bytes(picture(np.full((1, 1), 7, np.uint8), "PNG")).grey.shape == (1, 1)


def test_a_film_wider_than_the_canonical_side_is_shrunk_and_keeps_its_shape():
    decoded = decode_bytes(picture(np.zeros((500, 8192), np.uint8), "PNG"))
    assert decoded.grey.shape == (250, 4096)
    assert decoded.meta["width_px"] == 8192


def test_the_stored_png_holds_the_very_same_pixels():
    noise = np.random.default_rng(3).integers(0, 256, (37, 53), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(noise)))), noise)


def test_whatever_a_decoder_raises_becomes_a_code(monkeypatch):
    def broken(*_):
        raise RecursionError

    monkeypatch.setattr("inference.imaging.decode.decode_raster", broken)
    assert refused(picture(RAMP, "PNG")) == "unreadable"

    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr("inference.imaging.decode.decode_raster", greedy)
    assert refused(picture(RAMP, "PNG")) == "too_much_memory"


def test_an_error_carries_nothing_of_the_file():
    with pytest.raises(DecodeError) as caught:
        decode_bytes(dicom(ramp(0, 9), PatientName="SECRET^NAME", PhotometricInterpretation="SECRET"))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_every_code_is_followed_by_a_sentence_that_says_what_to_do():
    for sentence in (*DECODE_CODES.values(), *DECODE_WARNINGS.values()):
        assert sentence.endswith(".")
        assert len(sentence) > 30


def test_limits_come_from_the_environment_and_nonsense_stops_the_start():
    assert Limits.from_env({"BONESCAN_DECODE_WALL_S": "7"}).wall_s == 7
    with pytest.raises(ValueError, match="BONESCAN_DECODE_CPU_S"):
        Limits.from_env({"BONESCAN_DECODE_CPU_S": "-1"})
