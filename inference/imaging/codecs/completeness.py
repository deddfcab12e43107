"""Whether all of a coded picture is there. Decoders fill up what is missing and say nothing: half a film would pass.

libjpeg's own warnings are asked where it can read the stream (8 bits,
DCT). Elsewhere the stream is decoded a second time
with a few bytes behind its coded data: where all is there nobody reads them, where something is missing they show.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg

from inference.errors import DecodeError
from inference.imaging.codecs.jpeg import DCT_PROCESSES, JpegStream, rewritten
from inference.imaging.codecs.jpeg2000 import Jpeg2000Stream
from inference.imaging.limits import refusal

# No marker, no restart, and no code of few bits over and over.
FILLER = bytes.fromhex("55aa33cc5a0f96e1") * 8
# Bytes that no decoder asked for: a few are a program's padding, more are coded data that the picture lacks.
_SPARE_BYTES = 32
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_MISSING = ("premature end", "bad huffman code", "bad arithmetic code", "arithmetic code data corrupt")
_MOST_ZEROS = 1 << 20
_SMALLEST_CHECKED = 4 * len(FILLER)
_MOST_TURNED_SAMPLES, _MOST_DOUBTFUL_SAMPLES = 16_000_000, 16_000_000
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# ISO/IEC 15948, 8.2: first column and row of each of Adam7's passes, and the steps between.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE_BYTES, _STEP_BYTES = 1 << 15, 1 << 20


def check_jpeg(data: bytes, stream: JpegStream, decode: Callable[[bytes], np.ndarray] | None = None) -> None:
    """Refuse a JPEG of which coded data is missing or damaged; raises DecodeError truncated.

    Args:
        decode: how such streams are decoded, for 8-bit ones that libjpeg's warnings say too little of.
    """
    if stream.end < 0 or not stream.scans:
        raise refusal("truncated")
    eight_bits = stream.process in DCT_PROCESSES and stream.precision == 8
    if eight_bits and not _check_by_warnings(data, stream) and decode is not None:
        check_by_filler(data, stream, decode(rewritten(data, stream)), decode)


def _check_by_warnings(data: bytes, stream: JpegStream) -> bool:
    """Whether libjpeg could tell; the smallest scale costs least and reads all of the coded data."""
    try:
        simplejpeg.decode_jpeg(
            rewritten(data, stream, clean=True), colorspace="GRAY", min_height=1, min_width=1, min_factor=8, strict=True
        )
    except ValueError as error:
        words = str(error).lower()
        spare = _EXTRANEOUS.search(words)
        left_over = int(spare[1]) if spare else 0
        padded = any(_zeros_before(data, scan.end) >= left_over for scan in stream.scans)
        if any(word in words for word in _MISSING) or (left_over > _SPARE_BYTES and not padded):
            raise refusal("truncated") from None
        return False
    return True


def check_by_filler(data: bytes, stream: JpegStream, words: np.ndarray, decode: Callable[[bytes], np.ndarray]) -> None:
    """Refuse a stream whose picture changes with what stands behind its coded data, or does not with its last bytes.

    Args:
        words: the stream as it is decoded without filler.
    """
    as_stored = digest(words)
    if _tried(decode, rewritten(data, stream, filler=FILLER)) != as_stored:
        raise refusal("truncated")
    # Turned over, a scan's last bytes must change the picture: else coded data is left over that it should have used.
    longest = sorted(stream.scans, key=lambda scan: scan.start - scan.end)
    for scan in longest[: max(1, _MOST_TURNED_SAMPLES // words.size)]:
        enough = scan.end - scan.start >= _SMALLEST_CHECKED
        if enough and _tried(decode, rewritten(turned(data, scan.end), stream)) == as_stored:
            raise refusal("truncated")


def check_jpeg2000(
    data: bytes, stream: Jpeg2000Stream, words: np.ndarray, decode: Callable[[bytes], np.ndarray]
) -> None:
    """Refuse a doubtful stream whose last bytes do not change the picture: those before them were lost or blanked.

    A picture that is flat from edge to edge has next to no coded data.
    """
    if (
        not stream.is_doubtful
        or words.size > _MOST_DOUBTFUL_SAMPLES
        or stream.last_data_end - stream.start < _SMALLEST_CHECKED
    ):
        return
    if _tried(decode, turned(data, stream.last_data_end)) == digest(words):
        raise refusal("truncated")


def _tried(decode: Callable[[bytes], np.ndarray], data: bytes) -> bytes:
    """Return the digest of what a changed stream decodes to, nothing where it no longer does."""
    try:
        return digest(decode(data))
    except (MemoryError, DecodeError):
        raise
    except Exception:
        return b""


def turned(data: bytes, end: int) -> bytes:
    """Return `data` with other bits before `end`; markers and stuffed bytes stay as they are.

    Zeros before `end` may be codes or a program's padding: what lies before them is turned as well.
    """
    turned = bytearray(data)
    for place in range(max(1, end - _zeros_before(data, end) - len(FILLER)), end):
        if 0xFF not in (data[place], data[place] ^ 0x55, data[place - 1]):
            turned[place] ^= 0x55
    return bytes(turned)


def _zeros_before(data: bytes, end: int) -> int:
    part = data[max(0, end - _MOST_ZEROS) : end]
    return len(part) - len(part.rstrip(b"\x00"))


def digest(values: np.ndarray) -> bytes:
    """Return a short proof of an array's values, so that two pictures need not be held at once."""
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


def check_png(data: bytes) -> None:
    """Refuse a PNG whose compressed stream holds fewer bytes than its rows need (ISO/IEC 15948, 7.2 and 10)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * _PNG_SAMPLES.get(colour, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    wanted = 0
    for left, top, across, down in passes:
        columns, rows = -(-max(0, width - left) // across), -(-max(0, height - top) // down)
        wanted += rows * (1 + -(-columns * bits // 8)) if columns else 0
    if _inflated(data, wanted) < wanted:
        raise refusal("truncated")


def _inflated(data: bytes, enough: int) -> int:
    """Return how many bytes the IDAT chunks inflate to, at most `enough`; raises DecodeError unreadable."""
    unpacker, total, at = zlib.decompressobj(), 0, 8
    while at + 12 <= len(data) and total < enough:
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 8
        if kind == b"IDAT":
            total += _length_of(unpacker, memoryview(data)[at : at + length], enough - total)
        at += length + 4
    return total


def _length_of(unpacker: Any, coded: memoryview, enough: int) -> int:
    """Return how many bytes `coded` inflates to; one step at a time, so that a bomb costs no memory."""
    total = 0
    try:
        for first in range(0, len(coded), _PIECE_BYTES):
            rest: bytes | memoryview = coded[first : first + _PIECE_BYTES]
            while len(rest) and not unpacker.eof and total < enough:
                total += len(unpacker.decompress(rest, _STEP_BYTES))
                rest = unpacker.unconsumed_tail
            # What the last step had no room for, of input that is all taken.
            while not unpacker.eof and total < enough and (more := len(unpacker.decompress(b"", _STEP_BYTES))):
                total += more
    except zlib.error:
        raise refusal("unreadable") from None
    return total
