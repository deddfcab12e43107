"""Half a film must not be answered: coded data that is missing is noticed behind any end marker."""

import io
import struct
import subprocess
import zlib
from shutil import which

import jpeg_ls
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.filereader import dcmread

from inference.errors import DecodeError
from inference.imaging.codecs.jpeg import read_jpeg
from inference.imaging.codecs.jpeg2000 import read_jpeg2000
from inference.imaging.decode import decode_bytes
from inference.tests.made_dicom import compressed, dicom, picture
from inference.tests.test_stored_bits import FILM, TWELVE, rle

EIGHT = (FILM >> 4).astype("u1")
LARGE = np.tile(FILM, (4, 3))
EOI = b"\xff\xd9"


def code_of(data: bytes) -> str:
    try:
        decode_bytes(data)
    except DecodeError as error:
        return error.code
    return "OK"


def coded_part(stream: bytes) -> tuple[int, int]:
    """Where the coded data of the longest scan, or of the tile-parts, begins and ends."""
    jpeg = read_jpeg(stream)
    if jpeg is not None:
        scan = max(jpeg.scans, key=lambda one: one.end - one.start)
        return scan.start, scan.end
    j2k = read_jpeg2000(stream)
    assert j2k is not None
    return stream.index(b"\xff\x93") + 2, j2k.last_data_end


def cut(stream: bytes, kept: float) -> bytes:
    start, end = coded_part(stream)
    part = stream[start : start + int((end - start) * kept)]
    return stream[:start] + part.rstrip(b"\xff") + stream[end:]


def hole(stream: bytes, at: float, share: float) -> bytes:
    start, end = coded_part(stream)
    first, length = start + int((end - start) * at), int((end - start) * share)
    return stream[:first].rstrip(b"\xff") + stream[first + length :]


def blanked(stream: bytes) -> bytes:
    start, end = coded_part(stream)
    first, length = start + (end - start) // 3, (end - start) // 5
    return stream[:first] + bytes(length) + stream[first + length :]


def lossless_jpeg(tmp_path, option: str) -> bytes:
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(dicom(LARGE, **TWELVE))
    subprocess.run(["dcmcjpeg", option, plain, packed], check=True, capture_output=True)
    return get_frame(dcmread(packed).PixelData, 0, number_of_frames=1).rstrip(b"\x00")


def raster_jpeg(stream: bytes) -> bytes:
    return stream


def in_dicom(syntax: str, film: np.ndarray = FILM):
    def wrap(stream: bytes) -> bytes:
        eight = syntax.endswith(".50")
        return compressed(stream, EIGHT if eight else film, syntax, **({} if eight else TWELVE))

    return wrap


DAMAGES = [
    lambda stream: cut(stream, 0.5), lambda stream: cut(stream, 0.9), lambda stream: hole(stream, 0.3, 0.2),
    lambda stream: hole(stream, 0.6, 0.05), blanked,
]  # fmt: skip
NAMES = ["half", "nine tenths", "hole", "small hole", "blanked"]


@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
@pytest.mark.parametrize("wrap", [raster_jpeg, in_dicom("1.2.840.10008.1.2.4.50")])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True, "quality": 60}])
def test_a_jpeg_without_some_of_its_data_is_refused(options, wrap, damage):
    stream = picture(EIGHT, "JPEG", **options)
    assert code_of(wrap(stream)) == "OK"
    assert code_of(wrap(damage(stream))) == "truncated"


@pytest.mark.parametrize("damage", DAMAGES[:4], ids=NAMES[:4])
@pytest.mark.parametrize(("lossless", "syntax"), [(ls, uid) for ls, uid in (("jpeg-ls", ".80"), ("jpeg2000", ".90"))])
def test_a_newer_stream_without_some_of_its_data_is_refused(lossless, syntax, damage):
    stream = bytes(jpeg_ls.encode_array(FILM)) if lossless == "jpeg-ls" else picture(FILM, "JPEG2000", no_jp2=True)
    wrap = in_dicom(f"1.2.840.10008.1.2.4{syntax}")
    assert code_of(wrap(stream)) == "OK"
    assert code_of(wrap(damage(stream))) in ("truncated", "unreadable")


@pytest.mark.skipif(which("dcmcjpeg") is None, reason="dcmtk's tools are not installed")
@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
@pytest.mark.parametrize(
    ("option", "syntax"), [("+e1", ".70"), ("+el", ".57"), ("+ee", ".51"), ("+es", ".53"), ("+ep", ".55")]
)
def test_twelve_bits_without_some_of_their_data_are_refused(option, syntax, damage, tmp_path):
    if damage is blanked and option in ("+es", "+ep"):
        pytest.skip("zeros are codes too: in a scan that refines others they change little and are all used")
    stream, wrap = lossless_jpeg(tmp_path, option), in_dicom(f"1.2.840.10008.1.2.4{syntax}", LARGE)
    assert code_of(wrap(stream)) == "OK"
    assert code_of(wrap(damage(stream))) == "truncated"


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.98])
def test_a_byte_plane_of_rle_that_ends_early_is_refused(kept):
    data = rle(FILM, **TWELVE)
    frame = get_frame(dcmread(io.BytesIO(data)).PixelData, 0, number_of_frames=1)
    second = struct.unpack_from("<L", frame, 8)[0]
    short = frame[: second + int((len(frame) - second) * kept)]
    wrap = lambda part: compressed(part + bytes(len(part) % 2), FILM, "1.2.840.10008.1.2.5", **TWELVE)  # noqa: E731
    assert code_of(wrap(frame)) == "OK"
    assert code_of(wrap(short)) == "truncated"


def png_of(rows: bytes, *, interlaced: bool = False) -> bytes:
    head = struct.pack(">IIBBBBB", 128, 96, 8, 0, 0, 0, int(interlaced))
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_a_png_of_fewer_rows_than_it_states_is_refused(kept):
    rows = b"".join(b"\x00" + row.tobytes() for row in EIGHT)
    assert code_of(png_of(rows)) == "OK"
    assert code_of(png_of(rows[: int(len(rows) * kept)])) == "truncated"


def test_an_interlaced_png_is_counted_by_its_passes():
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\x00" + row.tobytes() for x, y, dx, dy in passes for row in EIGHT[y::dy, x::dx])
    assert np.array_equal(decode_bytes(png_of(rows, interlaced=True)).grey, EIGHT)
    assert code_of(png_of(rows[:-1], interlaced=True)) == "truncated"


@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_lzw", "packbits"])
def test_a_tiff_that_lacks_strips_is_refused(compression):
    buffer = io.BytesIO()
    Image.fromarray(EIGHT).save(buffer, "TIFF", compression=compression, strip_size=2048)
    whole = buffer.getvalue()
    assert code_of(whole) == "OK"
    count = struct.pack("<HHI", 273, 4, 6)
    assert whole.count(count) == 1
    assert code_of(whole.replace(count, struct.pack("<HHI", 273, 4, 3))) in ("truncated", "unreadable")


@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_a_webp_whose_coded_data_ends_early_is_refused(kept):
    whole = picture(EIGHT, "WEBP", quality=90)
    assert code_of(whole) == "OK"
    length = struct.unpack_from("<I", whole, 16)[0]
    part = whole[20 : 20 + 2 * int(length * kept / 2)]
    riff = b"WEBPVP8 " + struct.pack("<I", len(part)) + part
    assert code_of(b"RIFF" + struct.pack("<I", len(riff)) + riff) in ("truncated", "unreadable")


def test_padding_behind_the_coded_data_is_no_damage():
    stream = picture(EIGHT, "JPEG")
    assert code_of(stream[:-2] + bytes(5000) + EOI) == "OK"
    assert code_of(stream + b"something of a camera" * 50) == "OK"


@pytest.mark.parametrize("flat", [0, 128, 255])
def test_flat_and_half_black_films_are_no_damage(flat):
    film = FILM.copy()
    film[30:] = flat
    eight = (film >> 4).astype("u1")
    assert code_of(picture(eight, "JPEG")) == "OK"
    assert code_of(compressed(picture(film, "JPEG2000", no_jp2=True), film, "1.2.840.10008.1.2.4.90", **TWELVE)) == "OK"
    assert code_of(compressed(bytes(jpeg_ls.encode_array(film)), film, "1.2.840.10008.1.2.4.80", **TWELVE)) == "OK"


@pytest.mark.skipif(which("cjpeg") is None, reason="libjpeg's tools are not installed")
@pytest.mark.parametrize("options", [["-optimize"], ["-progressive"], ["-optimize", "-quality", "30"]])
def test_codes_of_nothing_but_zeros_at_the_end_are_no_padding(options, tmp_path):
    film = np.zeros((2048, 2048), np.uint8)
    film[:96, :128] = EIGHT
    pgm = b"P5 2048 2048 255\n" + film.tobytes()
    stream = subprocess.run(["cjpeg", *options], input=pgm, check=True, capture_output=True).stdout
    assert code_of(stream) == "OK"
