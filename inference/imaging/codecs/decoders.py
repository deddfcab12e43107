"""Coded streams to words: which library reads what, chosen by the stream itself and not by what a header calls it."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass

import gdcm
import jpeg_ls
import numpy as np
from PIL import Image

from inference.imaging.codecs.completeness import check_by_filler, check_jpeg, check_jpeg2000
from inference.imaging.codecs.jpeg import DCT_PROCESSES, SOF_JPEG_LS, SOF_LOSSLESS, JpegStream, rewritten
from inference.imaging.codecs.jpeg2000 import Jpeg2000Stream
from inference.imaging.limits import Limits, refusal

# libtiff refuses progressive streams that need more than a little memory; the child's own limit is what counts.
os.environ.setdefault("LIBTIFF_ALLOW_LARGE_LIBJPEG_MEM_ALLOC", "1")
# What decoding a progressive film may cost: scans times pixels. Programs write about ten scans.
_MOST_SCANS, _MOST_SCANNED_PIXELS = 100, 1_000_000_000
_LOSSLESS_SYNTAX, _JPEG2000_SYNTAX = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.91"
_JPEG2000_BYTES_PER_SAMPLE, _GDCM_COPIES = 9, 5


@dataclass(frozen=True)
class Coded:
    """Decoded words (H, W), or (H, W, 3) with colours as they are coded, and what the stream says of them.

    `is_luminance`: the words are the luminance of a colour image. `is_ycc`: the colours are luminance and two
    differences; None where the stream does not say.
    """

    words: np.ndarray
    bits: int
    signed: bool | None = None
    is_luminance: bool = False
    is_ycc: bool | None = None


def decode_jpeg(data: bytes, stream: JpegStream, *, is_ycc: bool | None, limits: Limits) -> Coded:
    """Decode a JPEG or JPEG-LS stream, all of it; raises DecodeError.

    Args:
        is_ycc: whether a container says that three components are luminance and colour differences.
    """
    check_scans(stream)
    if stream.process == SOF_JPEG_LS:
        return _jpeg_ls(data, stream)
    if stream.process == SOF_LOSSLESS:
        _afford(stream.height * stream.width * stream.components * _bytes_of(stream.precision) * _GDCM_COPIES, limits)
        check_jpeg(data, stream)
        words = _lossless(rewritten(data, stream), stream)
        check_by_filler(data, stream, words, lambda other: _lossless(other, stream))
        return Coded(words, stream.precision)
    if stream.process in DCT_PROCESSES and stream.precision == 8 and stream.components in (1, 3):
        check_jpeg(data, stream, lambda other: _eight_bits(other, "L"))
        return _coloured(rewritten(data, stream), stream, is_ycc)
    if stream.process in DCT_PROCESSES and stream.precision == 12 and stream.components == 1:
        check_jpeg(data, stream)
        words = _twelve_bits(rewritten(data, stream), stream)
        check_by_filler(data, stream, words, lambda other: _twelve_bits(other, stream))
        return Coded(words, 12)
    raise refusal("unreadable")


def check_scans(stream: JpegStream) -> None:
    """Refuse a stream whose many scans would take longer than any film; raises DecodeError too_slow."""
    scans = len(stream.scans)
    if scans > _MOST_SCANS or scans * stream.height * stream.width > max(
        _MOST_SCANNED_PIXELS, stream.height * stream.width
    ):
        raise refusal("too_slow")


def _afford(needed: int, limits: Limits) -> None:
    """Refuse what would run into the memory limit inside a library, where it looks like damage or ends the child."""
    if needed > limits.memory_bytes:
        raise refusal("too_much_memory")


def _bytes_of(bits: int) -> int:
    return 1 if bits <= 8 else 2


def _coloured(data: bytes, stream: JpegStream, container_says: bool | None) -> Coded:
    """Decode 8 bits: grey, the luminance of YCbCr, or RGB. The Adobe segment goes first (T.872, 6.5.3)."""
    if stream.components == 1:
        return Coded(_eight_bits(data, "L"), 8)
    # Without segments that say so, libjpeg takes three components for YCbCr unless they are called R, G and B.
    libjpeg_says = stream.component_ids != (0x52, 0x47, 0x42)
    is_ycc = next(said for said in (stream.is_ycc, container_says, libjpeg_says) if said is not None)
    if is_ycc:
        words = _eight_bits(data, "L") if libjpeg_says else _eight_bits(data, "")[..., 0]
        return Coded(words, 8, is_luminance=True)
    return Coded(_eight_bits(data, "YCbCr" if libjpeg_says else ""), 8, is_ycc=False)


def _eight_bits(data: bytes, mode: str) -> np.ndarray:
    """Decode by Pillow: "L" luminance without undoing colour, "YCbCr" the components as they are coded."""
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    if mode and image.mode == "RGB":
        image.draft(mode, None)
    return np.asarray(image)


def _twelve_bits(data: bytes, stream: JpegStream) -> np.ndarray:
    """Decode 12-bit JPEG through libtiff, wrapped in a one-strip TIFF.

    Pillow's JPEG reader is built for 8 bits, and GDCM damages its heap on such streams; libtiff's libjpeg reads them.
    """
    short, long = 3, 4
    entries = (
        (256, long, stream.width), (257, long, stream.height), (258, short, 12), (259, short, 7), (262, short, 1),
        (273, long, 8 + 2 + 10 * 12 + 4), (277, short, 1), (278, long, stream.height), (279, long, len(data)),
        (284, short, 1),
    )  # fmt: skip
    # Little endian: a SHORT stands in the low half of the value field, so both types pack alike (TIFF 6.0, section 2).
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    tiff = b"II*\x00" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0) + data
    return np.asarray(Image.open(io.BytesIO(tiff), formats=("TIFF",)))


def _jpeg_ls(data: bytes, stream: JpegStream) -> Coded:
    """Decode by CharLS, which itself refuses streams that are too short or too long."""
    try:
        buffer, facts = jpeg_ls.decode_pixel_data(data)
    except RuntimeError:
        raise refusal("truncated" if stream.end < 0 else "unreadable") from None
    bits, samples = int(facts["bits_per_sample"]), int(facts["components"])
    shape = (stream.height, stream.width)
    words = np.frombuffer(buffer, np.uint8 if bits <= 8 else "<u2", stream.height * stream.width * samples)
    if samples == 1:
        return Coded(words.reshape(shape), bits)
    if facts["interleave_mode"] == 0:
        return Coded(words.reshape(samples, *shape).transpose(1, 2, 0), bits)
    return Coded(words.reshape(*shape, samples), bits)


def _lossless(data: bytes, stream: JpegStream) -> np.ndarray:
    return _with_gdcm(
        data, _LOSSLESS_SYNTAX, (stream.height, stream.width), stream.components, stream.precision, signed=False
    )


def decode_jpeg2000(data: bytes, stream: Jpeg2000Stream, limits: Limits) -> Coded:
    """Decode a JPEG 2000 stream, all of it; raises DecodeError."""
    if stream.end < 0:
        raise refusal("truncated")
    if stream.components not in (1, 3) or stream.precision > 16:
        raise refusal("unreadable")
    _afford(stream.height * stream.width * stream.components * _JPEG2000_BYTES_PER_SAMPLE, limits)
    data = data[: stream.end]  # with the boxes before it, which may say how colours are ordered
    coded = _jpeg2000(data, stream)
    check_jpeg2000(data, stream, coded.words, lambda other: _jpeg2000(other, stream).words)
    return coded


def _jpeg2000(data: bytes, stream: Jpeg2000Stream) -> Coded:
    if stream.components == 3:  # Pillow would keep the upper 8 bits
        shape = stream.height, stream.width
        words = _with_gdcm(data, _JPEG2000_SYNTAX, shape, 3, stream.precision, signed=stream.is_signed)
        return Coded(words, stream.precision, stream.is_signed)
    words = np.asarray(Image.open(io.BytesIO(data), formats=("JPEG2000",)))
    if words.dtype not in (np.uint8, np.uint16) or words.ndim != 2:
        raise refusal("unreadable")
    # Pillow widens samples to 8 or 16 bits and shifts signed ones to be positive.
    spare = 8 * words.dtype.itemsize - stream.precision
    words = words >> words.dtype.type(spare) if spare else words
    if stream.is_signed:
        signed = words.astype(np.int32)
        signed -= 1 << (stream.precision - 1)
        words = signed.astype(np.int16)
    return Coded(words, stream.precision, stream.is_signed)


def _with_gdcm(
    data: bytes, syntax: str, shape: tuple[int, int], samples: int, bits: int, *, signed: bool
) -> np.ndarray:
    """Decode one frame by GDCM; raises DecodeError unreadable."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((shape[1], shape[0], 1))
    image.SetDataElement(element)
    kind = "MONOCHROME2" if samples == 1 else "RGB"
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(kind)))
    if samples > 1:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    size = _bytes_of(bits)
    image.SetPixelFormat(gdcm.PixelFormat(samples, 8 * size, bits, bits - 1, int(signed)))
    # GDCM hands bytes over as text.
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    count = shape[0] * shape[1] * samples
    if len(raw) < count * size:
        raise refusal("unreadable")
    words = np.frombuffer(raw, f"<{'i' if signed else 'u'}{size}", count)
    return words.reshape(shape if samples == 1 else (*shape, samples))
