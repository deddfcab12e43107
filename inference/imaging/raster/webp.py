"""WebP by its chunks (RFC 9649, section 2.7): libwebp fills up lossy pictures whose coded data ends early."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from inference.imaging.codecs.completeness import FILLER, digest
from inference.imaging.limits import Limits, refusal

# Two canvases of four bytes, the frame and Pillow's copy.
_BYTES_PER_PIXEL = 16


def afford_webp(image: Image.Image, limits: Limits) -> None:
    """Refuse a picture for which libwebp would want more memory than there is; raises DecodeError too_much_memory."""
    if image.size[0] * image.size[1] * _BYTES_PER_PIXEL > limits.memory_bytes:
        raise refusal("too_much_memory")


def check_webp(data: bytes) -> None:
    """Refuse a lossy WebP whose picture changes with what stands behind its coded data; raises `truncated`."""
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if at + 8 + length > len(data):
            raise refusal("truncated")
        if kind == b"VP8 ":
            longer = data[at + 8 : at + 8 + length] + FILLER
            riff = b"WEBPVP8 " + struct.pack("<I", len(longer)) + longer
            as_stored = b"WEBPVP8 " + data[at + 4 : at + 8 + length] + b"\x00" * (length % 2)
            if _picture(as_stored) != _picture(riff):
                raise refusal("truncated")
            return
        at += 8 + length + length % 2


def _picture(riff: bytes) -> bytes:
    whole = b"RIFF" + struct.pack("<I", len(riff)) + riff
    return digest(np.asarray(Image.open(io.BytesIO(whole), formats=("WEBP",))))
