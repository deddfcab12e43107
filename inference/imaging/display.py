"""What a viewer needs of a film: its values before any window, 16 bits each, and what the file says of windows.

The packed form is gzip (RFC 1952) around blocks of BLOCK_ROWS rows. In a block every value stands as its difference to
its left neighbour (modulo 65536; the first of a row from 0), zigzag-coded so that small differences of either sign are
small numbers, all low bytes first, then all high bytes: radiographs shrink to half and are unpacked in one pass.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BLOCK_ROWS = 64
# The longest side of the overview that is sent and painted before every pixel is.
OVERVIEW_PX = 1000
TOP = 65535
_GZIP = 16 + zlib.MAX_WBITS
# Films of 8 bits are shown from the canonical image, which holds every value they have.
CANONICAL: dict[str, Any] = {"source": "canonical"}
# Films whose values did not fit into the decode child's memory: they are judged and shown from the canonical image.
LEFT_OUT: dict[str, Any] = {"source": "left_out"}


@dataclass(frozen=True)
class Values:
    """`array` is uint16 (rows, columns) or None where the canonical image holds all; value = array * scale + offset.

    `facts` is JSON-able: source (values, canonical or left_out) and, with values, rows, columns, bits, scale, offset,
    quantised, inverted (low values are bright), padding ([low, high] in stored numbers or None), windows, voi_lut,
    default (what the canonical image was made with: voi_lut, window or auto), sha256 of the little-endian array.
    """

    array: np.ndarray | None = None
    facts: dict[str, Any] = field(default_factory=lambda: dict(CANONICAL))


def kept(make: Callable[[], Values]) -> Values:
    """Return what `make` returns; a film must not be refused because its viewer copy needs too much memory."""
    try:
        return make()
    except MemoryError:
        return Values(None, dict(LEFT_OUT))


def values_of(array: np.ndarray, *, scale: float = 1.0, offset: float = 0.0, **facts: Any) -> Values:
    """Return the values of one film; `array` is uint16 (rows, columns)."""
    little = np.ascontiguousarray(array, "<u2")
    known = {
        "source": "values",
        "rows": array.shape[0],
        "columns": array.shape[1],
        "scale": float(scale),
        "offset": float(offset),
        "sha256": hashlib.sha256(little.data).hexdigest(),
        "bits": 16,
        "quantised": False,
        "inverted": False,
        "padding": None,
        "windows": [],
        "voi_lut": None,
        "default": "auto",
    }
    return Values(little, known | facts)


def quantised(values: np.ndarray, **facts: Any) -> Values:
    """Return 32-bit or floating-point values (rows, columns) in 65536 even steps; what is no number is the lowest."""
    low, high = _finite_ends(values)
    # Halves first: the difference of two large numbers may be none.
    step = (high / 2 - low / 2) / (TOP / 2) or 1.0
    steps = np.empty(values.shape, np.uint16)
    for first in range(0, values.shape[0], BLOCK_ROWS):
        block = np.nan_to_num(values[first : first + BLOCK_ROWS].astype(np.float64), nan=low, posinf=high, neginf=low)
        steps[first : first + BLOCK_ROWS] = np.clip(np.rint(block / step - low / step), 0, TOP)
    return values_of(steps, scale=step, offset=low, quantised=True, **facts)


def _finite_ends(values: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest finite value, (0, 0) where there is none."""
    lows, highs = [], []
    for first in range(0, values.shape[0], BLOCK_ROWS):
        block = values[first : first + BLOCK_ROWS]
        finite = block[np.isfinite(block)]
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    return (min(lows), max(highs)) if lows else (0.0, 0.0)


def pack(array: np.ndarray) -> bytes:
    """Return uint16 (rows, columns) in the packed form."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP, 9, zlib.Z_RLE)
    parts = []
    for first in range(0, array.shape[0], BLOCK_ROWS):
        block = array[first : first + BLOCK_ROWS]
        steps = block.astype(np.int16)  # the same bits, read as signed
        steps[:, 1:] -= block[:, :-1].astype(np.int16)
        coded = ((steps << 1) ^ (steps >> 15)).view(np.uint16)
        parts.append(packer.compress((coded & 0xFF).astype(np.uint8).data))
        parts.append(packer.compress((coded >> 8).astype(np.uint8).data))
    parts.append(packer.flush())
    return b"".join(parts)


def pack_film(values: Values) -> tuple[bytes, dict[str, Any]]:
    """Return what is stored of a film, and its facts; nothing where the canonical image holds all.

    A large film begins with an overview, every n-th pixel of every n-th row, packed by itself; `facts["overview"]` says
    step, rows, columns and how many bytes it takes. What follows is the whole film.
    """
    if values.array is None:
        return b"", values.facts
    step = -(-max(values.array.shape) // OVERVIEW_PX)
    if step < 2:
        return pack(values.array), values.facts
    few = np.ascontiguousarray(values.array[::step, ::step])
    head = pack(few)
    overview = {"step": step, "rows": few.shape[0], "columns": few.shape[1], "bytes": len(head)}
    return head + pack(values.array), values.facts | {"overview": overview}


def parts(data: bytes, facts: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return (overview, whole film) of what was stored, each packed; the first is empty where there is none."""
    length = (facts.get("overview") or {}).get("bytes", 0)
    return data[:length], data[length:]


def unpack(data: bytes, rows: int, columns: int) -> np.ndarray:
    """Return what was packed as uint16 (rows, columns); raises ValueError where `data` is not of that size."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        raw = np.frombuffer(unpacker.decompress(data, 2 * rows * columns + 1), np.uint8)
    except zlib.error as error:
        raise ValueError("packed values cannot be read") from error
    if raw.size != 2 * rows * columns:
        raise ValueError("packed values of another size")
    array = np.empty((rows, columns), np.uint16)
    at = 0
    for first in range(0, rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows - first) * columns
        coded = raw[at : at + count].astype(np.uint16) | raw[at + count : at + 2 * count].astype(np.uint16) << 8
        steps = (coded >> 1) ^ (0 - (coded & 1)).astype(np.uint16)
        np.cumsum(steps.reshape(-1, columns), axis=1, dtype=np.uint16, out=array[first : first + BLOCK_ROWS])
        at += 2 * count
    return array
