"""The pixels of a DICOM object as its header and its codestream say: one frame, its values, its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from inference.imaging.codecs.decoders import Coded, decode_jpeg, decode_jpeg2000
from inference.imaging.codecs.jpeg import JpegStream, read_jpeg
from inference.imaging.codecs.jpeg2000 import Jpeg2000Stream, read_jpeg2000
from inference.imaging.codecs.rle import read_rle
from inference.imaging.codecs.stored import Layout, Samples, meant_values, remark
from inference.imaging.dicom.dataset import UNDEFINED, PixelElement, one_frame
from inference.imaging.dicom.identity import clean_text, value_of
from inference.imaging.dicom.meta import RLE, FileMeta, coding_of
from inference.imaging.limits import Limits, refusal

PIXEL_KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_YCC = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422")
# Coded as differences, decoded as RGB (PS3.3, C.7.6.3.1.2).
_RGB = ("RGB", "YBR_ICT", "YBR_RCT")
_FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_ITEM = b"\xfe\xff\x00\xe0"
_SPARE_BYTES = 64


@dataclass(frozen=True)
class Frame:
    """Values (H, W) or RGB (H, W, 3), how they are to be understood, and their bits.

    `photometric` is MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, or LUMINANCE: what is left of a colour image.
    """

    values: np.ndarray
    photometric: str
    bits: int


@dataclass(frozen=True)
class Source:
    """Where the samples come from: bytes as they are (`frame` None), or one frame of which `stream` says the coding."""

    pixels: PixelElement
    frame: bytes | None = None
    stream: JpegStream | Jpeg2000Stream | None = None

    @property
    def components(self) -> int:
        return self.stream.components if self.stream else 0


@dataclass(frozen=True)
class Description:
    """What the header says of the pixels, completed where it says nothing."""

    rows: int
    columns: int
    samples: int
    photometric: str
    planes: bool
    allocated: int
    layout: Layout


def find_source(data: bytes, pixels: PixelElement, file_meta: FileMeta, found: list[str]) -> Source:
    """Say what the pixels are by looking at them; a transfer syntax that says otherwise is remarked on."""
    wrapped = not pixels.is_encapsulated and file_meta.is_coded and data[pixels.start : pixels.start + 4] == _ITEM
    if not pixels.is_encapsulated and not wrapped:
        if file_meta.is_coded:
            remark(found, "codestream_contradicts")
        return Source(pixels)
    frame = one_frame(data, pixels if pixels.is_encapsulated else PixelElement(pixels.keyword, pixels.start, UNDEFINED))
    stream = read_jpeg(frame) or read_jpeg2000(frame)
    if stream is None and not (file_meta.transfer_syntax == RLE or not file_meta.is_stated):
        raise refusal("unreadable")
    if file_meta.is_stated and coding_of(file_meta.transfer_syntax) != (stream.coding if stream else "rle"):
        remark(found, "codestream_contradicts")
    return Source(pixels, frame, stream)


def describe(ds: Dataset, source: Source, found: list[str]) -> Description:
    """Complete the elements of the Image Pixel module (PS3.3, C.7.6.3) where a missing one has one usual value."""
    missing: list[str] = []

    def number(keyword: str, usual: int) -> int:
        value = value_of(ds, keyword)
        try:
            return max(0, int(value))
        except (TypeError, ValueError, OverflowError):
            missing.append(keyword)
            return usual

    stream = source.stream
    photometric = clean_text(ds.get("PhotometricInterpretation", ""), 16).upper()
    if not photometric:
        missing.append("PhotometricInterpretation")
    samples = number("SamplesPerPixel", source.components or (1 if photometric in ("", *_GREY) else 3))
    photometric = photometric or ("MONOCHROME2" if samples == 1 else "RGB")
    depth = _FLOAT_BITS.get(source.pixels.keyword, stream.precision if stream else 0)
    stored = number("BitsStored", depth) if not depth or "BitsStored" in ds else depth
    allocated = number("BitsAllocated", 8 if 0 < stored <= 8 else 16)
    stored = stored or allocated
    high = number("HighBit", stored - 1) if depth != 64 and source.pixels.keyword == "PixelData" else stored - 1
    signed = number("PixelRepresentation", 0) == 1 if source.pixels.keyword == "PixelData" else False
    rows, columns = number("Rows", stream.height if stream else 0), number("Columns", stream.width if stream else 0)
    if missing:
        remark(found, "header_incomplete")
    return Description(
        rows,
        columns,
        samples,
        photometric,
        value_of(ds, "PlanarConfiguration") == 1,
        allocated,
        Layout(stored, high, signed),
    )


def read_frame(
    data: bytes, source: Source, image: Description, file_meta: FileMeta, limits: Limits, found: list[str]
) -> Frame:
    """Return the frame's values; raises DecodeError or what the codecs raise."""
    if source.frame is None:
        return _understood(_plain(data, source.pixels, image, file_meta, found), image, found, is_coded=False)
    stream = source.stream
    if stream is None:
        words, longer = read_rle(source.frame, image.rows, image.columns, image.samples, image.allocated)
        if longer:
            remark(found, "pixel_data_longer")
        return _understood(Coded(words, image.allocated), image, found, is_coded=False)
    if stream.height * stream.width > limits.max_pixels:
        raise refusal("too_many_pixels")
    if (stream.height, stream.width) != (image.rows, image.columns):
        raise refusal("unreadable")
    if len(source.frame) - stream.end > _SPARE_BYTES and source.frame[stream.end :].strip(b"\x00\xff"):
        remark(found, "pixel_data_longer")
    if isinstance(stream, Jpeg2000Stream):
        coded = decode_jpeg2000(source.frame, stream, limits)
    else:
        coded = decode_jpeg(source.frame, stream, is_ycc=image.photometric in _YCC, limits=limits)
    return _understood(coded, image, found, is_coded=True)


def _understood(coded: Coded, image: Description, found: list[str], *, is_coded: bool) -> Frame:
    """Read the bits of the words, and their colours."""
    words, photometric = coded.words, image.photometric
    if words.ndim == 2 and not coded.is_luminance and photometric not in _GREY:
        raise refusal("unreadable")
    if words.ndim == 3 and words.shape[2] != 3:
        raise refusal("unreadable")
    values, bits = meant_values(Samples(words, coded.bits, coded.signed, is_coded), image.layout, found)
    if coded.is_luminance:
        return Frame(values, "LUMINANCE", bits)
    if values.ndim == 2:
        return Frame(values, photometric, bits)
    if coded.is_ycc is False or photometric in _RGB:
        return Frame(values, "RGB", bits)
    if photometric in _YCC:
        return Frame(values[..., 0], "LUMINANCE", bits)
    raise refusal("unreadable")


def _plain(data: bytes, pixels: PixelElement, image: Description, file_meta: FileMeta, found: list[str]) -> Coded:
    """Return uncompressed samples as words, without a copy (PS3.5, 8.1)."""
    order = "<" if file_meta.little_endian else ">"
    bits = _FLOAT_BITS.get(pixels.keyword, image.allocated)
    halved = image.photometric == "YBR_FULL_422"  # two pixels share their colour (PS3.3, C.7.6.3.1.2)
    count = image.rows * image.columns * (2 if halved else image.samples)
    _check_length(data, pixels, -(-count * bits // 8), found)
    if pixels.keyword in _FLOAT_BITS:
        words = np.frombuffer(data, f"{order}f{bits // 8}", count, pixels.start)
    elif bits == 1:
        packed = np.frombuffer(data, np.uint8, -(-count // 8), pixels.start)
        words = np.unpackbits(packed, bitorder="little", count=count)
    elif bits in (8, 16, 32):
        # Bytes in words of 16 bits stand in the order of those words (PS3.5, 8.1.2 and Annex D).
        swapped = bits == 8 and order == ">" and pixels.is_words and pixels.length >= count + count % 2
        words = np.frombuffer(data, f"{order}u{bits // 8}", count + (count % 2 if swapped else 0), pixels.start)
        words = words.reshape(-1, 2)[:, ::-1].ravel()[:count] if swapped else words
    else:
        raise refusal("unreadable")
    words = words.astype(words.dtype.newbyteorder("="), copy=False)
    return Coded(_shaped(words, image, halved), bits)


def _check_length(data: bytes, pixels: PixelElement, needed: int, found: list[str]) -> None:
    length = min(pixels.length, max(0, len(data) - pixels.start))
    if length < needed:
        raise refusal("truncated")
    if pixels.length > needed + needed % 2:
        remark(found, "pixel_data_longer")


def _shaped(words: np.ndarray, image: Description, halved: bool) -> np.ndarray:
    rows, columns, samples = image.rows, image.columns, image.samples
    if samples == 1:
        return words.reshape(rows, columns)
    if samples != 3:
        raise refusal("unreadable")
    if halved:
        luminance = words.reshape(-1, 4)[:, :2].reshape(rows, columns)
        return np.repeat(luminance[..., None], 3, axis=2)
    if image.planes:
        return words.reshape(samples, rows, columns).transpose(1, 2, 0)
    return words.reshape(rows, columns, samples)
