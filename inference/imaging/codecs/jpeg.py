"""JPEG and JPEG-LS streams by their markers (ITU-T T.81, Annex B; T.87, Annex C), without decoding them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

SOF_BASELINE, SOF_LOSSLESS, SOF_JPEG_LS = 0xC0, 0xC3, 0xF7
# What libjpeg reads: Huffman or arithmetic, sequential or progressive (T.81,
# table B.1). Hierarchical ones nobody reads.
DCT_PROCESSES = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
_SEQUENTIAL = frozenset((0xC0, 0xC1, 0xC9))
_FRAME_HEADERS = frozenset((*range(0xC0, 0xD0), SOF_JPEG_LS)) - {0xC4, 0xC8, 0xCC}
_SOI, _EOI, _SOS, _APP14 = 0xD8, 0xD9, 0xDA, 0xEE
# Markers that a decoder needs; the others (APPn, COM) can only raise warnings that say nothing of the picture.
_NEEDED = frozenset((0xC4, 0xCC, 0xDB, 0xDD)) | _FRAME_HEADERS
# The end of coded data: a marker that is no stuffed byte and no restart (B.1.1.2); in JPEG-LS stuffing is one bit.
_END_OF_SCAN = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_END_OF_LS_SCAN = re.compile(rb"\xff+[\x80-\xfe]")


@dataclass(frozen=True)
class Scan:
    """One scan: its marker segment, and where its coded data begins and ends in the stream."""

    header: bytes
    start: int
    end: int


@dataclass(frozen=True)
class JpegStream:
    """What the markers of one JPEG stream say; `end` is the place behind its end marker, -1 where that is missing."""

    process: int
    precision: int
    height: int
    width: int
    component_ids: tuple[int, ...]
    is_ycc: bool | None  # by the Adobe segment; None where there is none
    scans: tuple[Scan, ...]
    tables: tuple[tuple[int, bytes], ...] = field(repr=False)  # (number of scans before it, marker segment)
    end: int

    @property
    def components(self) -> int:
        return len(self.component_ids)

    @property
    def coding(self) -> str:
        """The family of its process, as `dicom.meta.SYNTAXES` names it."""
        return {SOF_LOSSLESS: "jpeg-lossless", SOF_JPEG_LS: "jpeg-ls"}.get(self.process, "jpeg")


def read_jpeg(data: bytes) -> JpegStream | None:
    """Return the stream that begins `data`, None where it has no frame header that can be read."""
    if data[:2] != b"\xff\xd8":
        return None
    walk = _Walk(data)
    walk.run()
    return walk.stream()


class _Walk:
    """Goes from marker to marker; rubbish between segments is skipped, as decoders do."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.end = data, 2, -1
        self.frame: tuple[int, bytes] | None = None
        self.is_ycc: bool | None = None
        self.scans: list[Scan] = []
        self.tables: list[tuple[int, bytes]] = []

    def run(self) -> None:
        data = self.data
        while True:
            found = _END_OF_SCAN.search(data, self.at)
            if found is None:
                return
            marker, self.at = data[found.end() - 1], found.end()
            if marker == _EOI:
                self.end = self.at
                return
            if marker in (0x01, _SOI):
                continue
            if self.at + 2 > len(data):
                return
            length = struct.unpack_from(">H", data, self.at)[0]
            segment = bytes((0xFF, marker)) + data[self.at : self.at + length]
            self.at += max(length, 2)
            self._segment(marker, segment)

    def _segment(self, marker: int, segment: bytes) -> None:
        if marker in _FRAME_HEADERS and self.frame is None and len(segment) >= 10:
            self.frame = marker, segment
        if marker == _APP14 and segment[4:9] == b"Adobe" and len(segment) >= 16:
            self.is_ycc = segment[15] != 0
        if marker == _SOS:
            pattern = _END_OF_LS_SCAN if self.frame and self.frame[0] == SOF_JPEG_LS else _END_OF_SCAN
            found = pattern.search(self.data, self.at)
            end = found.start() if found else len(self.data)
            self.scans.append(Scan(segment, self.at, end))
            self.at = end
        elif marker in _NEEDED:
            self.tables.append((len(self.scans), segment))

    def stream(self) -> JpegStream | None:
        if self.frame is None:
            return None
        process, segment = self.frame
        precision, height, width, count = struct.unpack_from(">BHHB", segment, 4)
        ids = tuple(segment[10 + 3 * number] for number in range(count) if 10 + 3 * number < len(segment))
        return JpegStream(
            process, precision, height, width, ids, self.is_ycc, tuple(self.scans), tuple(self.tables), self.end
        )


def rewritten(data: bytes, stream: JpegStream, *, filler: bytes = b"", clean: bool = False) -> bytes:
    """Return the stream from its needed segments alone, `filler` behind the coded data of every scan.

    Args:
        clean: mend what makes libjpeg warn although nothing is missing: scan parameters that a sequential process does
            not use (B.2.3).
    """
    parts, tables = [b"\xff\xd8"], list(stream.tables)
    for number, scan in enumerate(stream.scans):
        parts += [segment for before, segment in tables if before == number]
        header, coded = scan.header, data[scan.start : scan.end]
        if clean and stream.process in _SEQUENTIAL:
            header = header[:-3] + b"\x00\x3f\x00"
        parts += [header, coded, filler]
    return b"".join([*parts, b"\xff\xd9"])
