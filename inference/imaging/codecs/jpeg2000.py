"""JPEG 2000 codestreams by their markers (ISO/IEC 15444-1, Annex A), high-throughput ones (15444-15) alike."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC, _SOT, _SOD, _EOC = b"\xff\x4f\xff\x51", b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_FIRST_BYTES = 4096
_MAX_TILES = 65535
# Coded data holds no such run of zeros; empty packets of a flat picture can.
_SUSPICIOUS_ZEROS = bytes(256)


@dataclass(frozen=True)
class Jpeg2000Stream:
    """What the SIZ marker says, and the place behind the end marker: -1 where tile-parts or that marker are missing."""

    start: int
    height: int
    width: int
    precision: int
    is_signed: bool
    components: int
    end: int
    last_data_end: int  # where the coded data of the last tile-part ends
    is_doubtful: bool  # a last tile-part of unstated length, or a long run of zeros

    @property
    def coding(self) -> str:
        """Its family, as `dicom.meta.SYNTAXES` names it."""
        return "jpeg2000"


def read_jpeg2000(data: bytes) -> Jpeg2000Stream | None:
    """Return the codestream in `data`, bare or in a JP2 box; None where there is no SIZ marker (A.5.1)."""
    start = data.find(_MAGIC, 0, _FIRST_BYTES)
    if start < 0 or start + 45 > len(data):
        return None
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(">8I", data, start + 8)
    components, depth = struct.unpack_from(">HB", data, start + 40)
    tiles = _cells(right, tile_left, tile_width) * _cells(bottom, tile_top, tile_height)
    end, data_end, unstated = _tile_parts(data, start, tiles)
    return Jpeg2000Stream(
        start=start,
        height=bottom - top,
        width=right - left,
        precision=(depth & 0x7F) + 1,
        is_signed=bool(depth & 0x80),
        components=components,
        end=end,
        last_data_end=data_end,
        is_doubtful=unstated or _SUSPICIOUS_ZEROS in data[start:data_end],
    )


def _cells(far: int, near: int, side: int) -> int:
    return -(-(far - near) // side) if side and far > near else 0


def _tile_parts(data: bytes, start: int, tiles: int) -> tuple[int, int, bool]:
    """Return (place behind the end marker or -1, end of the last coded data, whether its length was unstated)."""
    at, seen, data_end, unstated = _first_tile_part(data, start), set(), 0, False
    while at >= 0 and data[at : at + 2] == _SOT and at + 12 <= len(data):
        tile, length = struct.unpack_from(">HI", data, at + 4)
        seen.add(tile)
        if length == 0:  # A.4.2: up to the end of the codestream
            last = data.rfind(_EOC, at)
            at, unstated = (last if last >= 0 else len(data)), True
        else:
            at += max(length, 12)
        data_end = at
    whole = data_end > 0 and data[at : at + 2] == _EOC and tiles <= _MAX_TILES and len(seen) >= tiles
    return (at + 2 if whole else -1), data_end, unstated


def _first_tile_part(data: bytes, start: int) -> int:
    """Return where the main header ends: its segments state their lengths (A.3)."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at : at + 2] == _SOT:
            return at
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return -1
