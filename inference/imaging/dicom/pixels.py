"""Stored pixel values of the one frame of a DICOM object, decoded by the library that reads its syntax correctly."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from inference.imaging.dicom.meta import HTJ2K, JPEG_2000, JPEG_BASELINE, JPEG_EXTENDED, RLE, FileMeta
from inference.imaging.limits import Limits, refusal

PIXEL_KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip

_END_MARKER = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_TRAILING_BYTES = 64


def read_frame(ds: Dataset, file_meta: FileMeta, limits: Limits) -> tuple[np.ndarray, str]:
    """Return (stored values (H, W) or (H, W, 3), photometric interpretation after decoding).

    Colour comes back as RGB where the file stores YBR. Raises DecodeError or what the codecs raise.
    """
    syntax = file_meta.transfer_syntax
    decoder = get_decoder(UID(syntax)) if syntax not in HTJ2K else None
    if decoder is not None and not decoder.UID.is_encapsulated:
        _check_length(ds)
        return _with_pydicom(ds, syntax, "")
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    if syntax != RLE:
        _check_codestream(frame, ds, limits)
    if syntax in HTJ2K:
        return _with_pillow(frame, "JPEG2000", ds)
    if syntax == JPEG_EXTENDED and _jpeg_precision(frame) == 12:
        return _twelve_bit_jpeg(frame, ds)
    if syntax in (JPEG_BASELINE, JPEG_EXTENDED):
        return _with_pydicom(ds, syntax, "pillow")
    return _with_pydicom(ds, syntax, "")


def _with_pydicom(ds: Dataset, syntax: str, plugin: str) -> tuple[np.ndarray, str]:
    values, properties = get_decoder(UID(syntax)).as_array(ds, index=0, decoding_plugin=plugin)
    return values, str(properties["photometric_interpretation"])


def _with_pillow(frame: bytes, name: str, ds: Dataset) -> tuple[np.ndarray, str]:
    """Decode by Pillow alone (its OpenJPEG reads high-throughput JPEG 2000, for which pydicom has no plugin here)."""
    image = Image.open(io.BytesIO(frame), formats=(name,))
    if image.size != (ds.Columns, ds.Rows):
        raise refusal("unreadable")
    if image.mode == "RGB":
        return np.asarray(image), "RGB"
    values = np.asarray(image)
    if values.dtype.itemsize == 2:
        # Pillow widens N-bit samples to 16 bits and shifts signed ones to be positive.
        values = values >> max(0, 16 - int(ds.BitsStored))
    if int(ds.get("PixelRepresentation", 0)) == 1:
        values = values.astype(np.int32) - (1 << (int(ds.BitsStored) - 1))
    return values, str(ds.PhotometricInterpretation)


def _twelve_bit_jpeg(frame: bytes, ds: Dataset) -> tuple[np.ndarray, str]:
    """Decode 12-bit JPEG through libtiff, wrapped in a one-strip TIFF.

    Pillow's JPEG reader is built for 8 bits, and GDCM damages its heap on such streams; libtiff's libjpeg reads them.
    """
    height, width = _jpeg_size(frame)
    if (height, width) != (ds.Rows, ds.Columns) or int(ds.get("SamplesPerPixel", 1)) != 1:
        raise refusal("unreadable")
    short, long = 3, 4
    entries = (
        (256, long, width), (257, long, height), (258, short, 12), (259, short, 7), (262, short, 1),
        (273, long, 8 + 2 + 10 * 12 + 4), (277, short, 1), (278, long, height), (279, long, len(frame)),
        (284, short, 1),
    )  # fmt: skip
    # Little endian: a SHORT stands in the low half of the value field, so both types pack alike (TIFF 6.0, section 2).
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    tiff = b"II*\x00" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + frame
    values = np.asarray(Image.open(io.BytesIO(tiff), formats=("TIFF",)))
    return values, str(ds.PhotometricInterpretation)


def _check_length(ds: Dataset) -> None:
    """Refuse uncompressed pixels that are fewer than the header promises."""
    bits = ds.Rows * ds.Columns * int(ds.get("SamplesPerPixel", 1)) * int(ds.BitsAllocated)
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3  # PS3.3, C.7.6.3.1.2: two pixels share their colour
    if "PixelData" in ds and len(ds.PixelData or b"") < bits // 8:
        raise refusal("truncated")


def _check_codestream(frame: bytes, ds: Dataset, limits: Limits) -> None:
    """Check that the frame has its end and the header's size: a 211-byte stream may ask for gigabytes."""
    size = _jpeg2000_size(frame) if ds.file_meta.TransferSyntaxUID in (*JPEG_2000, *HTJ2K) else _jpeg_size(frame)
    if size is None:
        raise refusal("unreadable")
    if frame.rfind(_END_MARKER, -_TRAILING_BYTES) < 0:
        raise refusal("truncated")  # some decoders fill up what is missing: half a film would pass
    if size[0] * size[1] > limits.max_pixels:
        raise refusal("too_many_pixels")
    if size != (ds.Rows, ds.Columns):
        raise refusal("unreadable")


def _jpeg2000_size(frame: bytes) -> tuple[int, int] | None:
    """Return (height, width) from the SIZ marker (ISO/IEC 15444-1, A.5.1), also inside a JP2 box."""
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or start + 24 > len(frame):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    return bottom - top, right - left


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    """Return (height, width) of the frame header (ITU-T T.81, B.2.2; JPEG-LS T.87, C.2.2)."""
    _, height, width = _jpeg_frame_header(frame)
    return height, width


def _jpeg_precision(frame: bytes) -> int:
    return _jpeg_frame_header(frame)[0]


def _jpeg_frame_header(frame: bytes) -> tuple[int, int, int]:
    """Return (precision in bits, height, width) of the first SOF marker; raises DecodeError where there is none."""
    offset = 2
    while frame[:2] == b"\xff\xd8" and offset + 9 <= len(frame):
        if frame[offset] != 0xFF:
            break
        marker = frame[offset + 1]
        if marker == 0xFF:
            offset += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            precision, height, width = struct.unpack_from(">BHH", frame, offset + 4)
            return precision, height, width
        offset += 2 + struct.unpack_from(">H", frame, offset + 2)[0]
    raise refusal("unreadable")
