"""The first step with a DICOM file: read the file meta group (PS3.10, 7.1) by itself and decide whether to go on."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from inference.imaging.limits import refusal

_ROOT = "1.2.840.10008.1.2"
IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = _ROOT, f"{_ROOT}.1", f"{_ROOT}.2"
RLE = f"{_ROOT}.5"


@dataclass(frozen=True)
class Syntax:
    """One transfer syntax of PS3.6, table A-1: how its pixels are coded, and the code where it is refused."""

    uid: str
    name: str
    coding: str
    refusal: str = ""


_REFUSED = "transfer_syntax_not_accepted"
# Deflate is left out on purpose: a few hundred kilobytes inflate to gigabytes before anything is known.
SYNTAXES: tuple[Syntax, ...] = (
    Syntax(IMPLICIT_LE, "Implicit VR Little Endian", "none"),
    Syntax(EXPLICIT_LE, "Explicit VR Little Endian", "none"),
    Syntax(EXPLICIT_BE, "Explicit VR Big Endian (retired)", "none"),
    Syntax(RLE, "RLE Lossless", "rle"),
    Syntax(f"{_ROOT}.4.50", "JPEG Baseline (process 1)", "jpeg"),
    Syntax(f"{_ROOT}.4.51", "JPEG Extended (processes 2 and 4)", "jpeg"),
    Syntax(f"{_ROOT}.4.52", "JPEG Extended, arithmetic (processes 3 and 5, retired)", "jpeg"),
    Syntax(f"{_ROOT}.4.53", "JPEG Spectral Selection (processes 6 and 8, retired)", "jpeg"),
    Syntax(f"{_ROOT}.4.54", "JPEG Spectral Selection, arithmetic (processes 7 and 9, retired)", "jpeg"),
    Syntax(f"{_ROOT}.4.55", "JPEG Full Progression (processes 10 and 12, retired)", "jpeg"),
    Syntax(f"{_ROOT}.4.56", "JPEG Full Progression, arithmetic (processes 11 and 13, retired)", "jpeg"),
    Syntax(f"{_ROOT}.4.57", "JPEG Lossless (process 14)", "jpeg-lossless"),
    Syntax(f"{_ROOT}.4.70", "JPEG Lossless, First-Order Prediction (process 14, selection value 1)", "jpeg-lossless"),
    Syntax(f"{_ROOT}.4.80", "JPEG-LS Lossless", "jpeg-ls"),
    Syntax(f"{_ROOT}.4.81", "JPEG-LS Near-Lossless", "jpeg-ls"),
    Syntax(f"{_ROOT}.4.90", "JPEG 2000 (lossless only)", "jpeg2000"),
    Syntax(f"{_ROOT}.4.91", "JPEG 2000", "jpeg2000"),
    Syntax(f"{_ROOT}.4.201", "High-Throughput JPEG 2000 (lossless only)", "jpeg2000"),
    Syntax(f"{_ROOT}.4.202", "High-Throughput JPEG 2000 with RPCL options (lossless only)", "jpeg2000"),
    Syntax(f"{_ROOT}.4.203", "High-Throughput JPEG 2000", "jpeg2000"),
    Syntax(f"{_ROOT}.1.99", "Deflated Explicit VR Little Endian", "deflate", "deflated_not_accepted"),
    Syntax(f"{_ROOT}.8.1", "Deflated Image Frame Compression", "deflate", "deflated_not_accepted"),
    Syntax(f"{_ROOT}.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", "none", _REFUSED),
    Syntax(f"{_ROOT}.4.58", "JPEG Lossless, arithmetic (process 15, retired)", "jpeg-lossless", _REFUSED),
    *(Syntax(f"{_ROOT}.4.{number}", "JPEG, hierarchical (retired)", "jpeg", _REFUSED) for number in (59, *range(60,
    67))),
    Syntax(f"{_ROOT}.4.92", "JPEG 2000 Part 2 Multi-component (lossless only)", "jpeg2000", _REFUSED),
    Syntax(f"{_ROOT}.4.93", "JPEG 2000 Part 2 Multi-component", "jpeg2000", _REFUSED),
    *(Syntax(f"{_ROOT}.4.{number}", "JPIP Referenced", "jpip", _REFUSED) for number in (94, 95)),
    *(Syntax(f"{_ROOT}.4.{number}", "JPIP HTJ2K Referenced", "jpip", _REFUSED) for number in (204, 205)),
    *(Syntax(f"{_ROOT}.4.{number}", "MPEG-2, MPEG-4 or HEVC video", "video", _REFUSED) for number in range(100, 109)),
    *(Syntax(f"{_ROOT}.4.{number}", "JPEG XL", "jpeg-xl", _REFUSED) for number in range(110, 113)),
)  # fmt: skip
_BY_UID = {syntax.uid: syntax for syntax in SYNTAXES}
ACCEPTED = frozenset(syntax.uid for syntax in SYNTAXES if not syntax.refusal)

_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_VRS = _LONG_VRS | _SHORT_VRS
_MAX_META_ELEMENTS = 128
# Identifying, patient, acquisition, relationship and image groups: a data set begins with the first it has.
_FIRST_GROUPS, _LONGEST_FIRST = (0x0008, 0x0010, 0x0018, 0x0020, 0x0028), 1024
_TRANSFER_SYNTAX = 0x0010


@dataclass(frozen=True)
class FileMeta:
    """What the header check found: an accepted transfer syntax and the offset at which the dataset begins."""

    transfer_syntax: str
    dataset_offset: int
    has_preamble: bool
    is_stated: bool = True

    @property
    def is_coded(self) -> bool:
        """Whether pixels are to stand in fragments."""
        return coding_of(self.transfer_syntax) != "none"

    @property
    def implicit(self) -> bool:
        """Whether value representations are left out of the dataset."""
        return self.transfer_syntax == IMPLICIT_LE

    @property
    def little_endian(self) -> bool:
        """Whether the dataset's numbers are little endian; only one retired syntax is not."""
        return self.transfer_syntax != EXPLICIT_BE


def coding_of(uid: str) -> str:
    """Return how an accepted transfer syntax codes pixels."""
    return _BY_UID[uid].coding


def looks_like_dicom(data: bytes) -> bool:
    """Whether bytes without the DICM mark begin like a file meta group or a data set, of any usual first group."""
    if len(data) < 16:
        return False
    group, element = struct.unpack_from("<HH", data)
    explicit = data[4:6] in _VRS
    if group == 0x0002:
        return element <= 0x0102 and explicit
    if group in _FIRST_GROUPS and element <= 0x1200:
        return explicit or 0 < struct.unpack_from("<I", data, 4)[0] <= _LONGEST_FIRST
    return data[0] == 0 and data[1] in _FIRST_GROUPS and explicit


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
    stated = bool(syntax)
    syntax = syntax or _guess(data, offset)
    known = _BY_UID.get(syntax)
    if known is None or known.refusal:
        raise refusal(known.refusal if known else _REFUSED)
    return FileMeta(syntax, offset, has_preamble, stated)


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
