"""JPEG, PNG, TIFF, WebP and BMP to one grey picture: upright, over black, scaled to 8 bits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from inference.imaging.dicom.identity import empty_identity
from inference.imaging.display import Values, kept, quantised, values_of
from inference.imaging.limits import Limits, refusal

_TIFF_PHOTOMETRIC = 262  # TIFF 6.0, PhotometricInterpretation; 0 is WhiteIsZero
_EXIF_ORIENTATION = 0x0112
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
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


def decode_raster(data: bytes, kind: str, limits: Limits) -> tuple[np.ndarray, dict[str, Any], Values]:
    """Return (grey uint8 (H, W), meta, values) of a picture of this format; raises DecodeError or what Pillow does."""
    # A library that shares the process (WeasyPrint does) may have asked Pillow to fill up cut pictures with grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image = Image.open(io.BytesIO(data), formats=(kind.upper(),))
    except Image.DecompressionBombError:
        raise refusal("too_many_pixels") from None
    width, height = image.size
    if width * height > limits.max_pixels:
        raise refusal("too_many_pixels")
    found: list[str] = []
    _one_picture_only(image, kind, found)
    stored_mode = image.mode
    if kind == "jpeg" and isinstance(image, ImageFile.ImageFile) and image.mode == "RGB":
        image.draft("L", None)  # luminance straight from the JPEG: no colour conversion to undo
    image.load()
    orientation = _orientation(image, kind, found)  # after loading: it loads too, and would swallow what is wrong
    grey = _grey(image)
    if orientation in _UPRIGHT:
        grey = _upright(grey, orientation)
    meta = {
        "format": kind,
        "width_px": width,
        "height_px": height,
        "bits": 1 if stored_mode == "1" else 16 if stored_mode.startswith("I;16") else 32 if stored_mode in "IF" else 8,
        "photometric": stored_mode,
        "modality": "",
        "pixel_spacing_mm": None,
        "canonical_pixel_spacing_mm": None,
        "spacing_source": "",
        "identity": empty_identity(),
        "burned_in_annotation": "",
        "warnings": found,
    }
    return np.ascontiguousarray(grey), meta, kept(lambda: _values(image, orientation))


def _values(image: Image.Image, orientation: int) -> Values:
    """Return the deep greys as they are stored, upright; a picture of 8 bits has none beyond the canonical image."""
    if image.mode not in _DEEP_MODES:
        return Values()
    deep = np.asarray(image)
    deep = _upright(deep, orientation) if orientation in _UPRIGHT else deep
    facts: dict[str, Any] = {"inverted": _white_is_zero(image), "default": "auto"}
    if image.mode.startswith("I;16"):
        return values_of(deep, **facts)
    return quantised(deep.astype(np.float64), **facts)


def _upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    transpose, rows, columns = _UPRIGHT[orientation]
    picture = picture.T if transpose else picture
    return picture[:: -1 if rows else 1, :: -1 if columns else 1]


def _one_picture_only(image: Image.Image, kind: str, found: list[str]) -> None:
    """Refuse animations and page stacks; ignore the previews that a camera puts behind the main picture of a JPEG."""
    if kind == "tiff":
        try:
            image.seek(1)  # counting all pages would walk a chain that may be endless
        except EOFError:
            image.seek(0)
            return
        raise refusal("multi_frame")
    if getattr(image, "n_frames", 1) > 1:
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
    """Return luminance as uint8 (H, W); transparent parts are black, deep greys are stretched robustly."""
    if image.mode in _DEEP_MODES:
        return _stretch(np.asarray(image), white_is_zero=_white_is_zero(image))
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _white_is_zero(image: Image.Image) -> bool:
    """Pillow inverts WhiteIsZero TIFFs of up to 8 bits itself, deeper ones not."""
    return getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == 0


def _stretch(values: np.ndarray, *, white_is_zero: bool) -> np.ndarray:
    """Scale deep greys to 0..255 between the 0.1st and 99.9th percentile, so that a hot pixel costs no range."""
    deep = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    sample = deep.ravel()[:: max(1, deep.size // 1_000_000)]
    low, high = (float(edge) for edge in np.percentile(sample, (0.1, 99.9)))
    if high <= low:
        low, high = float(deep.min()), float(deep.max())
    if high <= low:
        high = low + 1.0
    scaled = np.clip((deep - low) * (255.0 / (high - low)), 0.0, 255.0)
    if white_is_zero:
        scaled = 255.0 - scaled
    return (scaled + 0.5).astype(np.uint8)
