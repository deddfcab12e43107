"""TIFF by its directories (TIFF 6.0, section 2): which page is the picture, how deep its samples are,
what is missing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import simplejpeg
from PIL import TiffImagePlugin

from inference.imaging.limits import refusal

_MAX_PAGES, _MAX_ENTRIES = 64, 4096
_SUBFILE, _OLD_SUBFILE, _HEIGHT, BITS, _COMPRESSION, _STRIPS, _SAMPLES, _ROWS = 254, 255, 257, 258, 259, 273, 277, 278
_LENGTHS, PLANAR, _TILES, _TILE_LENGTHS, _EXTRA, FORMAT, _TABLES = 279, 284, 324, 325, 338, 339, 347
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_NEW_JPEG = 7
_SIZES = {1: "B", 3: "H", 4: "I", 16: "Q"}
# Layouts that Pillow has no name for; their bytes are taken from a picture of as many bytes a pixel (`deep`).
_LAYOUTS = {
    (kind, (bits,), ()): mode
    for kind in (1, 2, 3) for bits, mode in ((32, "RGBA"), (64, "RGBA;16L"))
} | {(1, (16, 16), (extra,)): "RGBA" for extra in (0, 1, 2)}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """One directory: its place in the chain, and its tags that hold whole numbers or bytes."""

    number: int
    tags: dict[int, tuple[int, ...] | bytes]

    def number_of(self, tag: int, usual: int) -> int:
        value = self.tags.get(tag)
        return int(value[0]) if value else usual

    @property
    def is_main(self) -> bool:
        """Whether it is no smaller copy and no mask (TIFF 6.0, NewSubfileType)."""
        kind = self.number_of(_SUBFILE, 0)
        return not kind & (_REDUCED | _MASK) and self.number_of(_OLD_SUBFILE, 1) != _OLD_REDUCED


def teach_layouts() -> None:
    """Let Pillow open the layouts of `_LAYOUTS`, grey ones only; it keeps those that it knows."""
    for prefix in (b"II", b"MM"):
        for photometric in (0, 1):
            for (kind, bits, extra), mode in _LAYOUTS.items():
                key = (prefix, photometric, (kind,) * len(bits) if kind != 1 else (1,), 1, bits, extra)
                known: dict[Any, tuple[str, str]] = TiffImagePlugin.OPEN_INFO
                known.setdefault(key, (mode.split(";")[0], mode))


def main_page(data: bytes) -> tuple[Page, bool]:
    """Return (the one page that is the picture, whether others were left out).

    Raises DecodeError: multi_frame where several pages are pictures, unreadable where none is.
    """
    pages = list(_pages(data))
    main = [page for page in pages if page.is_main]
    if len(main) > 1 or len(pages) >= _MAX_PAGES:
        raise refusal("multi_frame")
    if not pages:
        raise refusal("unreadable")
    return (main or pages)[0], len(pages) > 1


def check_complete(data: bytes, page: Page) -> None:
    """Refuse a page that has fewer strips or tiles than its rows need, empty ones, or damaged JPEG ones."""
    tiled = _TILES in page.tags
    starts, lengths = (
        page.tags.get(_TILES if tiled else _STRIPS, ()),
        page.tags.get(_TILE_LENGTHS if tiled else _LENGTHS, ()),
    )
    height = page.number_of(_HEIGHT, 0)
    planes = page.number_of(_SAMPLES, 1) if page.number_of(PLANAR, 1) == 2 else 1
    rows = min(page.number_of(_ROWS, height) or height, height)
    if not tiled and rows and len(starts) < -(-height // rows) * planes:
        raise refusal("truncated")
    # A plane of opacity may be left empty; the others may not.
    opacity = min(len(page.tags.get(_EXTRA, ())), planes - 1)
    needed = len(starts) - len(starts) // planes * opacity
    for start, length in list(zip(starts, lengths, strict=False))[:needed]:
        if start == 0 or start >= len(data) or length == 0:
            raise refusal("truncated")
    if page.number_of(_COMPRESSION, 1) == _NEW_JPEG and page.number_of(BITS, 8) == 8:
        _check_jpeg_strips(data, page, list(zip(starts, lengths, strict=False)))


def _check_jpeg_strips(data: bytes, page: Page, strips: list[tuple[int, int]]) -> None:
    """Ask libjpeg's warnings strip by strip; tables may stand apart (TIFF Technical Note 2)."""
    tables = page.tags.get(_TABLES, b"")
    head = tables[:-2] if isinstance(tables, bytes) and tables.endswith(b"\xff\xd9") else b"\xff\xd8"
    for start, length in strips:
        try:
            simplejpeg.decode_jpeg(
                head + data[start : start + length][2:],
                colorspace="GRAY",
                min_height=1,
                min_width=1,
                min_factor=8,
                strict=True,
            )
        except ValueError as error:
            words = str(error).lower()
            if "premature end" in words or "bad huffman" in words:
                raise refusal("truncated") from None


def _pages(data: bytes) -> Iterator[Page]:
    """Yield the directories of the chain, at most _MAX_PAGES; one that points back ends it."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    at = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
    seen: set[int] = set()
    while at and at not in seen and at + 8 <= len(data) and len(seen) < _MAX_PAGES:
        seen.add(at)
        tags, at = _directory(data, at, order, big=big)
        yield Page(len(seen) - 1, tags)


def _directory(data: bytes, at: int, order: str, *, big: bool) -> tuple[dict[int, tuple[int, ...] | bytes], int]:
    """Return (tags, place of the next directory, 0 where there is none)."""
    head, entry, next_ = (
        (f"{order}Q", f"{order}HHQQ", f"{order}Q") if big else (f"{order}H", f"{order}HHII", f"{order}I")
    )
    count = min(struct.unpack_from(head, data, at)[0], _MAX_ENTRIES)
    at += struct.calcsize(head)
    tags: dict[int, tuple[int, ...] | bytes] = {}
    for _ in range(count):
        if at + struct.calcsize(entry) > len(data):
            return tags, 0
        tag, kind, many, _value = struct.unpack_from(entry, data, at)
        value = _value_of(data, at + (12 if big else 8), kind, many, order, big=big)
        if value is not None:
            tags[tag] = value
        at += struct.calcsize(entry)
    return tags, struct.unpack_from(next_, data, at)[0] if at + struct.calcsize(next_) <= len(data) else 0


def _value_of(data: bytes, at: int, kind: int, many: int, order: str, *, big: bool) -> tuple[int, ...] | bytes | None:
    """Return an entry's numbers, or bytes where its type is undefined; None for other types and impossible counts."""
    letter = "B" if kind == 7 else _SIZES.get(kind)
    size = struct.calcsize(f"={letter}") if letter else 0
    if not size or many * size > len(data):
        return None
    if many * size > (8 if big else 4):
        at = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, at)[0]
    if at + many * size > len(data):
        return None
    if kind == 7:
        return data[at : at + many]
    return struct.unpack_from(f"{order}{many}{letter}", data, at)
