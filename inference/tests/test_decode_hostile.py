"""Files made to break decoders: whatever comes, the same server answers, with a picture or with a code."""

import csv
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from inference.errors import DecodeError
from inference.imaging.client import DecodeClient
from inference.imaging.limits import DECODE_CODES
from inference.imaging.server import start_server
from inference.tests.made_dicom import compressed, dicom, picture, ramp, with_syntax

FAULTS = {"decoder_died", "decoder_unavailable", "too_slow", "too_much_memory"}
POLICIES = {"deflated_not_accepted", "multi_frame", "too_large", "too_many_pixels", "too_much_memory"}
EXPLICIT_LE, JPEG_2000 = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="bs-") as folder:
        running = start_server(Path(folder) / "decode.sock")
        yield running
        running.stop()


def ask(server, data: bytes) -> str:
    """Return OK or the code of the refusal."""
    before = server.pid
    try:
        DecodeClient(server.socket_path).decode(data)
        code = "OK"
    except DecodeError as error:
        code = error.code
    assert server.pid == before, "the server itself died"
    return code


def test_single_damaged_bytes_never_cost_more_than_the_file(server):
    film = ramp(0, 255, "u1")
    random = np.random.default_rng(7)
    originals = [picture(film, kind) for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP")]
    originals += [dicom(ramp(0, 4095)), compressed(picture(film, "JPEG2000", no_jp2=True), film, JPEG_2000)]
    for original in originals:
        for _ in range(12):
            damaged = bytearray(original)
            for place in random.integers(0, len(damaged), 3):
                damaged[place] = random.integers(0, 256)
            assert ask(server, bytes(damaged)) not in FAULTS


def test_a_hundred_megapixels_of_nothing_are_refused(server):
    head = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\x00" * 1_000_000, 9)
    parts = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    chunks = b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    assert ask(server, b"\x89PNG\r\n\x1a\n" + chunks) == "too_many_pixels"


def test_a_hundred_thousand_empty_items_end_in_an_answer(server):
    opener = struct.pack("<HH2sHI", 0x0028, 0x3010, b"SQ", 0, 0xFFFFFFFF)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000
    assert ask(server, with_syntax(opener + items, EXPLICIT_LE)) in DECODE_CODES


def test_a_header_that_promises_gigabytes_of_pixels_is_refused(server):
    assert ask(server, dicom(ramp(0, 9), Rows=65535, Columns=65535)) == "too_many_pixels"
    assert ask(server, dicom(ramp(0, 9), Rows=7000, Columns=7000)) == "truncated"


def test_a_deflated_bomb_is_refused_unopened(server):
    bomb = zlib.compress(b"\x00" * 100_000_000, 9)
    assert ask(server, with_syntax(bomb, "1.2.840.10008.1.2.1.99")) == "deflated_not_accepted"


def test_what_a_careful_decoder_reads_is_read_or_refused_by_a_stated_policy(server, data_dir):
    folder = data_dir / "hostile"
    with (folder / "MANIFEST.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    sample = [row for row in rows if row["path"].endswith((".dcm", ".mpo"))] + rows[::50]
    for row in sample:
        answer = ask(server, (folder / row["path"]).read_bytes())
        assert answer == "OK" or answer in DECODE_CODES
        assert answer not in {"decoder_died", "decoder_unavailable", "too_slow"}
        if row["a_careful_decoder"] == "OK":
            # Other decoders fill up a JPEG of which data is missing, and call it readable.
            missing = row["path"].endswith(".jpg") and answer == "truncated"
            assert answer == "OK" or answer in POLICIES or missing, row["path"]
