"""Bytes of an upload in, the canonical grey image and what the file says out. Magic bytes decide, not names."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.errors import DecodeError
from inference.imaging.canonical import canonicalise
from inference.imaging.dicom.decoding import decode_dicom
from inference.imaging.dicom.header import read_header
from inference.imaging.dicom.identity import empty_identity
from inference.imaging.dicom.meta import looks_like_dicom
from inference.imaging.display import Values
from inference.imaging.limits import Limits, refusal
from inference.imaging.raster.decoding import decode_raster

# Known by their first bytes only so that the refusal can say "another format, please" instead of "no image".
_OTHER_FORMATS = (
    b"GIF8", b"\x00\x00\x01\x00", b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\x00\x00\x00\x0cJXL",
    b"%PDF", b"8BPS", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"\x8aMNG", b"DDS ", b"qoif", b"v/1\x01", b"#?RADIANCE",
    b"<svg", b"BPG\xfb", b"icns",
)  # fmt: skip


@dataclass(frozen=True)
class Decoded:
    """`grey` is the canonical image: uint8 (H, W), bone bright, square pixels, long side at most 4096.

    `meta` is JSON-able: format, width_px and height_px (as stored), bits, photometric, modality, pixel_spacing_mm,
    spacing_source, identity, burned_in_annotation, warnings (codes). `values` is what a viewer windows.
    """

    grey: np.ndarray
    meta: dict[str, Any]
    values: Values = field(default_factory=Values)


def sniff(data: bytes) -> str:
    """Return jpeg, png, tiff, webp, bmp, dicom, other (a known image format that is not accepted) or "" (none)."""
    if data[128:132] == b"DICM":
        return "dicom"
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "tiff"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:2] == b"BM":
        return "bmp"
    if looks_like_dicom(data):
        return "dicom"
    if data.startswith(_OTHER_FORMATS) or data[4:8] == b"ftyp":
        return "other"
    return ""


def header_of(data: bytes) -> dict[str, Any]:
    """Return ``{kind, identity, warnings, complete}`` of an upload or its beginning, without decoding any pixels.

    Only DICOM says whose it is. Runs in the calling process, as `decode_bytes`; raises DecodeError.
    """
    kind = sniff(data)
    if kind != "dicom":
        return {"kind": kind, "identity": empty_identity(), "warnings": [], "complete": True}
    return {"kind": kind, **read_header(data)}


def decode_bytes(data: bytes, limits: Limits | None = None) -> Decoded:
    """Decode one upload; every fault of the file becomes a DecodeError with a code of DECODE_CODES, retriable False.

    Runs in the calling process: hostile bytes belong into `inference.imaging.client`, whose child has limits.
    """
    limits = limits or Limits.from_env()
    if not data:
        raise refusal("empty_file")
    if len(data) > limits.max_input_bytes:
        raise refusal("too_large")
    kind = sniff(data)
    if kind in ("", "other"):
        raise refusal("format_not_accepted" if kind else "not_an_image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grey, meta, values = decode_dicom(data, limits) if kind == "dicom" else decode_raster(data, kind, limits)
            return Decoded(canonicalise(grey), meta, values)
    except DecodeError:
        raise
    except MemoryError:
        raise refusal("too_much_memory") from None
    except (EOFError, struct.error):
        raise refusal("truncated") from None
    except Exception as exc:
        # Decoders raise almost anything on bad bytes; the text may quote the file, so it goes no further.
        raise refusal(_code_of(str(exc).lower())) from None


def _code_of(words: str) -> str:
    if "out of memory" in words or "bad_alloc" in words:
        return "too_much_memory"
    return "truncated" if "truncated" in words else "unreadable"
