"""What the bits of samples mean, in one place behind every decoder: depth, place and sign (PS3.5, 8.1.1).

Bits of a word that the sample does not use may hold anything: an old overlay, a sign, rubbish. They are cleared here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SAMPLE_ROWS = 256


@dataclass(frozen=True)
class Samples:
    """Decoded words (H, W) or (H, W, 3) before their bits are read.

    `bits` is the depth of the words as they were coded: the allocated bits, or the precision of the codestream.
    `signed` is what a codestream says of its values, None where it has no word for that.
    """

    words: np.ndarray
    bits: int
    signed: bool | None = None
    is_coded: bool = False


@dataclass(frozen=True)
class Layout:
    """What the header says: bits stored, the place of the highest one, and whether values are signed."""

    stored: int
    high: int
    signed: bool


def meant_values(samples: Samples, layout: Layout, found: list[str]) -> tuple[np.ndarray, int]:
    """Return (values, their bits): unsigned or signed whole numbers, or floats; `found` gains remarks.

    A codestream's own depth goes first: the header can only say which of its bits are used.
    """
    words, bits = samples.words, samples.bits
    if words.dtype.kind == "f":
        return words, bits
    if samples.signed is not None and samples.signed != layout.signed:
        remark(found, "codestream_contradicts")
    elif layout.stored > bits and not samples.is_coded:
        remark(found, "bits_contradict")
    stored = min(layout.stored, bits)
    shift = layout.high + 1 - stored if stored <= layout.high < bits else 0
    if shift and _lies_low(words, stored, shift):
        remark(found, "bits_contradict")
        shift = 0
    if shift:
        words = words >> words.dtype.type(shift)
    if samples.signed:
        unsigned = words.astype(f"u{words.dtype.itemsize}")
        return words if layout.signed else smoother(words, _masked(unsigned, stored)), stored
    if not shift:
        stored = _depth(words, stored, bits, layout.signed, found)
    words = _masked(words, stored)
    if layout.signed:
        extended = _sign_extended(words, stored)
        return (extended if samples.signed is None else smoother(extended, words)), stored
    return words, stored


def _lies_low(words: np.ndarray, stored: int, shift: int) -> bool:
    """Whether samples that should fill the upper bits of their words fill the lower ones."""
    used = int(np.bitwise_or.reduce(words, axis=None))
    return not used >> stored and bool(used & ((1 << shift) - 1))


def _depth(words: np.ndarray, stored: int, bits: int, signed: bool, found: list[str]) -> int:
    """Return how many low bits are the sample: more than stated where values need them and the picture is smoother.

    Values that need more bits wrap where too few are kept; an overlay in unused bits stands out where too many are.
    """
    used = int(np.bitwise_or.reduce(words, axis=None))
    if not used >> stored:
        return stored
    wider = used.bit_length()
    if signed:
        wider = next(depth for depth in range(stored, bits + 1) if _is_sign_above(words, depth))
    if wider == stored:
        return stored
    remark(found, "bits_contradict")
    few, many = _masked(words, stored), _masked(words, wider)
    if signed:
        few, many = _sign_extended(few, stored), _sign_extended(many, wider)
    return stored if _roughness(few) <= _roughness(many) else wider


def _is_sign_above(words: np.ndarray, depth: int) -> bool:
    """Whether all bits from the sign of a number of `depth` bits on are alike in each word."""
    rest = words >> words.dtype.type(depth - 1)
    full = int(rest.max())
    return full & (full + 1) == 0 and bool(((rest == 0) | (rest == full)).all())


def smoother(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the reading whose neighbours differ less: a wrongly read sign or depth makes values jump."""
    return one if _roughness(one) <= _roughness(other) else other


def _roughness(values: np.ndarray) -> float:
    rows = values[:: max(1, values.shape[0] // _SAMPLE_ROWS)].astype(np.int64)
    return float(np.abs(np.diff(rows, axis=1)).mean()) if rows.shape[1] > 1 else 0.0


def _masked(words: np.ndarray, stored: int) -> np.ndarray:
    if stored >= 8 * words.dtype.itemsize or not int(words.max(initial=0)) >> stored:
        return words
    return words & words.dtype.type((1 << stored) - 1)


def _sign_extended(words: np.ndarray, stored: int) -> np.ndarray:
    """Return words that hold numbers of `stored` bits as signed ones (two's complement)."""
    size = words.dtype.itemsize
    values, spare = words.view(f"i{size}"), 8 * size - stored
    return values if not spare else (values << spare) >> spare


def remark(found: list[str], code: str) -> None:
    """Add a code of DECODE_WARNINGS once."""
    if code not in found:
        found.append(code)
