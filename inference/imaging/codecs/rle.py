"""RLE of DICOM (PS3.5, Annex G): byte planes of PackBits, each checked to hold the whole image."""

from __future__ import annotations

import struct

import numpy as np

from inference.imaging.limits import refusal

_HEADER_BYTES, _MAX_SEGMENTS = 64, 15


def read_rle(frame: bytes, rows: int, columns: int, samples: int, allocated: int) -> tuple[np.ndarray, bool]:
    """Return (words (H, W) or (H, W, samples), whether segments hold more than the image).

    Raises DecodeError: unreadable, truncated where a segment ends early.
    """
    size = allocated // 8
    if len(frame) < _HEADER_BYTES or allocated % 8 or size not in (1, 2, 4):
        raise refusal("unreadable")
    count, *offsets = struct.unpack_from("<16L", frame)
    if not 1 <= count <= _MAX_SEGMENTS or count != samples * size:
        raise refusal("unreadable")
    ends = [*offsets[1:count], len(frame)]
    # Segments run from the most significant byte of the first sample on (G.2).
    words, longer = np.empty((rows * columns, samples, size), np.uint8), False
    for number in range(count):
        start, end = offsets[number], ends[number]
        if not _HEADER_BYTES <= start <= end <= len(frame):
            raise refusal("truncated" if start > len(frame) or end > len(frame) else "unreadable")
        plane = _unpacked(frame[start:end], rows * columns)
        if len(plane) < rows * columns:
            raise refusal("truncated")
        longer |= len(plane) > rows * columns + 1
        words[:, number // size, size - 1 - number % size] = np.frombuffer(plane, np.uint8, rows * columns)
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    return words.view(f"<u{size}").reshape(shape), longer


def _unpacked(coded: bytes, enough: int) -> bytearray:
    """Return a segment's bytes (G.3.2), at most a little more than `enough`."""
    out, at, last = bytearray(), 0, len(coded) - 1
    most = enough + 256
    while at < last and len(out) < most:
        head = coded[at]
        if head < 128:
            out += coded[at + 1 : at + 2 + head]
            at += head + 2
        else:
            if head > 128:
                out += coded[at + 1 : at + 2] * (257 - head)
            at += 1 + (head > 128)
    return out
