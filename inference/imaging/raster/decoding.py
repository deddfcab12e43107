"""JPEG, PNG, TIFF, WebP and BMP to one grey picture: upright, over black, scaled to 8 bits."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from inference.imaging.codecs.completeness import check_jpeg, check_png
from inference.imaging.codecs.decoders import check_scans
from inference.imaging.codecs.jpeg import SOF_LOSSLESS, JpegStream, read_jpeg
from inference.imaging.dicom.identity import empty_identity
from inference.imaging.display import Values, kept, quantised, values_of
from inference.imaging.limits import Limits, refusal
from inference.imaging.raster import deep, tiff
from inference.imaging.raster.webp import afford_webp, check_webp

_TIFF_PHOTOMETRIC, _TIFF_EXTRA, _WHITE_IS_ZERO = 262, 338, 0  # TIFF 6.0
_EXIF_ORIENTATION = 0x0112
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP_PNG = ("LA;16B", "RGB;16B", "RGBA;16B")
_ROWS, _SAMPLE = 128, 1_000_000
# EXIF 2.32, 4.6.4: what turns the stored picture upright, as (transpose, flip rows, flip columns).
_UPRIGHT = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True)
class Picture:
    """Grey as uint8 (H, W) as it lies in the file, the deep values it was made of if there are any, and its bits."""

    grey: np.ndarray
    deep: np.ndarray | None
    bits: int
    white_is_zero: bool = False


def decode_raster(data: bytes, kind: str, limits: Limits) -> tuple[np.ndarray, dict[str, Any], Values]:
    """Return (grey uint8 (H, W), meta, values) of a picture of this format; raises DecodeError or what Pillow does."""
    # A library that shares the process (WeasyPrint does) may have asked Pillow to fill up cut pictures with grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    tiff.teach_layouts()
    found: list[str] = []
    page = 0
    if kind == "tiff":
        main, others = tiff.main_page(data)
        page = main.number
        tiff.check_complete(data, main)
        if others:
            found.append("additional_images_ignored")

    def reopen() -> Image.Image:
        return _opened(data, kind, page)

    image = reopen()
    width, height = image.size
    if width * height > limits.max_pixels:
        raise refusal("too_many_pixels")
    _one_picture_only(image, kind, found)
    stored_mode = image.mode
    picture = _picture(data, kind, image, reopen, limits, found)
    orientation = _orientation(image, kind, found)  # after loading: it loads too, and would swallow what is wrong
    grey = _upright(picture.grey, orientation) if orientation in _UPRIGHT else picture.grey
    meta = {
        "format": kind,
        "width_px": width,
        "height_px": height,
        "bits": picture.bits,
        "photometric": stored_mode,
        "modality": "",
        "pixel_spacing_mm": None,
        "canonical_pixel_spacing_mm": None,
        "spacing_source": "",
        "identity": empty_identity(),
        "burned_in_annotation": "",
        "warnings": list(dict.fromkeys(found)),
    }
    return np.ascontiguousarray(grey), meta, kept(lambda: _values(picture, orientation))


def _opened(data: bytes, kind: str, page: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=(kind.upper(),))
    except Image.DecompressionBombError:
        raise refusal("too_many_pixels") from None
    if page:
        image.seek(page)
    return image


def _picture(
    data: bytes, kind: str, image: Image.Image, reopen: Callable[[], Image.Image], limits: Limits, found: list[str]
) -> Picture:
    """Check that all of the picture is there, and read it as deep as it is stored."""
    if kind == "jpeg":
        return _jpeg(data, image)
    if kind == "png":
        if _raw_mode(image) in _DEEP_PNG:
            deep.afford(image, limits)
        check_png(data)
    if kind == "webp":
        afford_webp(image, limits)
        check_webp(data)
    white_is_zero = kind == "tiff" and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO  # type: ignore[attr-defined]
    values = _deep_values(image, kind, reopen, limits, found)
    if values is not None:
        bits = 8 * values.dtype.itemsize
        return Picture(_stretch(values, white_is_zero=white_is_zero), values, bits, white_is_zero)
    image.load()
    if image.mode in _DEEP_MODES:
        values = np.asarray(image)
        bits = 16 if image.mode.startswith("I;16") else 32
        return Picture(_stretch(values, white_is_zero=white_is_zero), values, bits, white_is_zero)
    return Picture(_grey(image), None, 1 if image.mode == "1" else 8)


def _jpeg(data: bytes, image: Image.Image) -> Picture:
    stream = read_jpeg(data)
    if stream is None:
        raise refusal("unreadable")
    check_scans(stream)
    check_jpeg(data, stream, lambda other: np.asarray(Image.open(io.BytesIO(other), formats=("JPEG",))))
    if isinstance(image, ImageFile.ImageFile) and image.mode == "RGB" and _has_luminance(stream):
        image.draft("L", None)  # luminance straight from the JPEG: no colour conversion to undo
    image.load()
    return Picture(_grey(image), None, 8)


def _has_luminance(stream: JpegStream) -> bool:
    """Whether libjpeg can hand over luminance alone: a lossless process keeps its components as they are."""
    return stream.process != SOF_LOSSLESS


def _deep_values(
    image: Image.Image, kind: str, reopen: Callable[[], Image.Image], limits: Limits, found: list[str]
) -> np.ndarray | None:
    """Return samples of 16 to 64 bits that Pillow has no mode for, as one grey number a pixel; None for all others."""
    if kind == "png":
        return _deep_png(image, reopen, found)
    if kind == "tiff":
        return _deep_tiff(image, reopen, limits, found)
    return None


def _raw_mode(image: Image.Image) -> Any:
    return image.tile[0].args if isinstance(image, ImageFile.ImageFile) and image.tile else ""


def _deep_png(image: Image.Image, reopen: Callable[[], Image.Image], found: list[str]) -> np.ndarray | None:
    raw_mode = _raw_mode(image)
    if raw_mode not in _DEEP_PNG:
        return None
    if "transparency" in image.info:
        found.append("depth_reduced")
        return None
    if raw_mode == "LA;16B":
        return deep.grey_with_alpha(deep.four_bytes(reopen(), ">u2"))
    samples = 3 if raw_mode == "RGB;16B" else 4
    return deep.colour_luminance(reopen, samples, big_endian=True, weighs_alpha=samples == 4)


def _deep_tiff(
    image: Image.Image, reopen: Callable[[], Image.Image], limits: Limits, found: list[str]
) -> np.ndarray | None:
    """TIFF samples lie in the file's byte order, or in the machine's where libtiff unpacked them."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    bits = tuple(tags.get(tiff.BITS, (1,)))
    if max(bits) < 16 or bits == (16,):
        return None
    deep.afford(image, limits)
    unpacked = getattr(image, "use_load_libtiff", False)
    order = ">" if tags.prefix == b"MM" and not unpacked else "<"
    extra = tuple(tags.get(_TIFF_EXTRA, ()))
    if len(bits) == 1:
        letter = {1: "u", 2: "i", 3: "f"}.get(tags.get(tiff.FORMAT, (1,))[0], "u")
        size = bits[0] // 8
        dtype = f"{order}{letter}{size}"
        return _native(deep.four_bytes(image, dtype)[..., 0] if size == 4 else deep.eight_bytes(reopen, dtype))
    if bits == (16, 16):
        pairs = _native(deep.four_bytes(image, f"{order}u2"))
        return deep.grey_with_alpha(pairs, weighs_alpha=extra[:1] == (2,))
    if set(bits) == {16} and len(bits) in (3, 4) and tags.get(tiff.PLANAR, 1) == 1 and tags.get(_TIFF_PHOTOMETRIC) == 2:
        weighs = len(bits) == 4 and extra[:1] in ((), (2,))
        return deep.colour_luminance(reopen, len(bits), big_endian=order == ">", weighs_alpha=weighs)
    found.append("depth_reduced")
    return None


def _native(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _values(picture: Picture, orientation: int) -> Values:
    """Return the deep greys as they are stored, upright; a picture of 8 bits has none beyond the canonical image."""
    if picture.deep is None:
        return Values()
    values = _upright(picture.deep, orientation) if orientation in _UPRIGHT else picture.deep
    facts: dict[str, Any] = {"inverted": picture.white_is_zero, "default": "auto"}
    if values.dtype == np.uint16:
        return values_of(values, **facts)
    return quantised(values, **facts)


def _upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    transpose, rows, columns = _UPRIGHT[orientation]
    picture = picture.T if transpose else picture
    return picture[:: -1 if rows else 1, :: -1 if columns else 1]


def _one_picture_only(image: Image.Image, kind: str, found: list[str]) -> None:
    """Refuse animations; ignore the previews that a camera puts behind the main picture of a JPEG."""
    if kind != "tiff" and getattr(image, "n_frames", 1) > 1:
        if kind != "jpeg":
            raise refusal("multi_frame")
        found.append("additional_images_ignored")


def _orientation(image: Image.Image, kind: str, found: list[str]) -> int:
    """Return the EXIF orientation 1 to 8; Pillow turns TIFF upright by itself."""
    if kind == "tiff":
        return 1
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:
        found.append("orientation_ignored")
        return 1


def _grey(image: Image.Image) -> np.ndarray:
    """Return luminance as uint8 (H, W), some rows at a time: colours take four bytes a pixel, and each step a copy."""
    width, height = image.size
    out = np.empty((height, width), np.uint8)
    for first in range(0, height, _ROWS):
        rows = image.crop((0, first, width, min(height, first + _ROWS)))
        rows.info = image.info
        out[first : first + _ROWS] = _grey_rows(rows)
    return out


def _grey_rows(image: Image.Image) -> np.ndarray:
    """Return luminance as uint8 (H, W); transparent parts are black."""
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _stretch(values: np.ndarray, *, white_is_zero: bool) -> np.ndarray:
    """Scale deep greys to 0..255 between the 0.1st and 99.9th percentile, so that a hot pixel costs no range.

    What is no number is black, infinite values are the ends of the range.
    """
    low, high = _ends(values)
    out = np.empty(values.shape, np.uint8)
    for first in range(0, values.shape[0], _ROWS):
        rows = values[first : first + _ROWS].astype(np.float64)
        # Halves first: the difference of two large numbers may be none.
        scaled = np.clip((rows / 2 - low / 2) / (high / 2 - low / 2), 0.0, 1.0) * 255.0
        scaled = np.nan_to_num(255.0 - scaled if white_is_zero else scaled, nan=0.0)
        out[first : first + _ROWS] = scaled + 0.5
    return out


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the range that is shown, of an even sample of the finite values; all of them where the sample is flat."""
    for sample in (values.ravel()[:: max(1, values.size // _SAMPLE)], values.ravel()):
        finite = sample[np.isfinite(sample)].astype(np.float64)
        if not finite.size:
            continue
        low, high = (float(edge) for edge in np.percentile(finite, (0.1, 99.9)))
        if high <= low:
            low, high = float(finite.min()), float(finite.max())
        if high > low:
            return low, high
    return 0.0, 1.0
