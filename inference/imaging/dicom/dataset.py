"""The elements of a DICOM object up to its pixels, and where those lie: nothing large is copied."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag

from inference.imaging.dicom.meta import FileMeta
from inference.imaging.limits import refusal

PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
UNDEFINED = 0xFFFFFFFF
_LONG_HEADER = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels lie in the file; `length` is UNDEFINED where they stand in fragments (PS3.5, A.4)."""

    keyword: str
    start: int
    length: int
    is_words: bool = False  # written as words of 16 bits (OW)

    @property
    def is_encapsulated(self) -> bool:
        return self.length == UNDEFINED


@dataclass(frozen=True)
class Elements:
    """The wanted elements, the numbers of all elements that stand outside sequences, and the pixels."""

    ds: Dataset
    present: frozenset[int]
    pixels: PixelElement


class _Watch:
    """Notes the number of each element that the reader comes to, and stops it before the pixels."""

    def __init__(self) -> None:
        self.present: set[int] = set()
        self.stopped: tuple[int, str | None, int] | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self.present.add(int(tag))
        if int(tag) in PIXEL_TAGS:
            self.stopped = int(tag), vr, length
        return self.stopped is not None


def read_elements(data: bytes, file_meta: FileMeta, wanted: Iterable[int]) -> Elements:
    """Read the elements in `wanted`, in the syntax that was checked: pydicom never sees the meta group.

    Raises DecodeError truncated or no_pixels where the object has no pixels.
    """
    stream, watch = io.BytesIO(data), _Watch()
    stream.seek(file_meta.dataset_offset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ds = read_dataset(
            stream,
            file_meta.implicit,
            file_meta.little_endian,
            stop_when=watch,
            specific_tags=[Tag(tag) for tag in wanted],
        )
    if watch.stopped is None:
        ended_early = any("end of file" in str(w.message).lower() for w in caught)
        raise refusal("truncated" if ended_early or stream.tell() > len(data) else "no_pixels")
    tag, vr, length = watch.stopped
    start = stream.tell() + (12 if vr in _LONG_HEADER and not file_meta.implicit else 8)
    return Elements(ds, frozenset(watch.present), PixelElement(PIXEL_TAGS[tag], start, length, vr == "OW"))


def one_frame(data: bytes, pixels: PixelElement) -> bytes:
    """Return the one frame that lies in fragments (PS3.5, A.4), whatever offset table and end mark say.

    Raises DecodeError truncated where a fragment is longer than the file.
    """
    at, parts = pixels.start, []
    while at + 8 <= len(data):
        group, element, length = struct.unpack_from("<HHI", data, at)
        if (group, element) != (0xFFFE, 0xE000):
            break
        at += 8
        if at + length > len(data):
            raise refusal("truncated")
        parts.append(memoryview(data)[at : at + length])
        at += length
    if not parts:
        raise refusal("truncated" if at + 8 > len(data) else "unreadable")
    # The first item is the offset table, which may be empty; some programs leave it out.
    first = parts[0][:4]
    if len(parts) > 1 or not (first[:2] == b"\xff\xd8" or first == b"\xff\x4f\xff\x51"):
        parts = parts[1:]
    if len(parts) == 1:
        return bytes(parts[0])
    return b"".join(parts)
