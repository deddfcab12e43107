"""The first step with a DICOM file: read the file meta group (PS3.10, 7.1) by itself and decide whether to go on."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from inference.imaging.limits import refusal

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")

# PS3.5, Annex A. Deflate is left out on purpose: a few hundred kilobytes inflate to gigabytes before anything is known.
ACCEPTED = frozenset((IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, RLE, JPEG_BASELINE, JPEG_EXTENDED)).union(
    _JPEG_LOSSLESS, _JPEG_LS, JPEG_2000, HTJ2K
)
_DEFLATED = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"))

_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_VRS = _LONG_VRS | _SHORT_VRS
_MAX_META_ELEMENTS = 128
_TRANSFER_SYNTAX = 0x0010


@dataclass(frozen=True)
class FileMeta:
    """What the header check found: an accepted transfer syntax and the offset at which the dataset begins."""

    transfer_syntax: str
    dataset_offset: int
    has_preamble: bool

    @property
    def implicit(self) -> bool:
        """Whether value representations are left out of the dataset."""
        return self.transfer_syntax == IMPLICIT_LE

    @property
    def little_endian(self) -> bool:
        """Whether the dataset's numbers are little endian; only one retired syntax is not."""
        return self.transfer_syntax != EXPLICIT_BE


def looks_like_dicom(data: bytes) -> bool:
    """Whether bytes without the DICM mark begin like a DICOM file meta group or dataset (groups 0002 and 0008)."""
    if len(data) < 16:
        return False
    group, element = struct.unpack_from("<HH", data)
    explicit = data[4:6] in _VRS
    if group == 0x0002:
        return element <= 0x0102 and explicit
    if group == 0x0008 and element <= 0x1200:
        return explicit or 0 < struct.unpack_from("<I", data, 4)[0] <= 64
    return data[:2] == b"\x00\x08" and explicit


def read_file_meta(data: bytes) -> FileMeta:
    """Read group 0002 within bounds and check the transfer syntax against the allow-list.

    Raises DecodeError: truncated, deflated_not_accepted, transfer_syntax_not_accepted.
    """
    has_preamble = data[128:132] == b"DICM"
    offset = 132 if has_preamble else 0
    syntax = ""
    for _ in range(_MAX_META_ELEMENTS):
        if data[offset : offset + 2] != b"\x02\x00":
            break
        element, start, length = _element(data, offset)
        offset = start + length
        if length == 0xFFFFFFFF or offset > len(data):
            raise refusal("truncated")
        if element == _TRANSFER_SYNTAX and not syntax:
            syntax = data[start : start + min(length, 64)].split(b"\x00")[0].strip().decode("ascii", "replace")
    syntax = syntax or _guess(data, offset)
    if syntax in _DEFLATED:
        raise refusal("deflated_not_accepted")
    if syntax not in ACCEPTED:
        raise refusal("transfer_syntax_not_accepted")
    return FileMeta(syntax, offset, has_preamble)


def _element(data: bytes, offset: int) -> tuple[int, int, int]:
    """Return (element number, offset of the value, length of the value) of the meta element at `offset`."""
    if offset + 12 > len(data):
        raise refusal("truncated")
    element = struct.unpack_from("<H", data, offset + 2)[0]
    vr = data[offset + 4 : offset + 6]
    if vr in _LONG_VRS:
        return element, offset + 12, struct.unpack_from("<I", data, offset + 8)[0]
    if vr in _SHORT_VRS:
        return element, offset + 8, struct.unpack_from("<H", data, offset + 6)[0]
    return element, offset + 8, struct.unpack_from("<I", data, offset + 4)[0]


def _guess(data: bytes, offset: int) -> str:
    """Return the uncompressed syntax that a dataset without a stated one seems to use, from its first element."""
    if data[offset + 4 : offset + 6] not in _VRS:
        return IMPLICIT_LE
    return EXPLICIT_BE if data[offset : offset + 1] == b"\x00" else EXPLICIT_LE
