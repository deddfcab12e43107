"""Pictures of a report as data URIs: the film, the film with the saliency map, the probability on its scale."""

import base64
import io

from django.template.loader import render_to_string
from PIL import Image as Picture

from analyses.models import Analysis
from analyses.services import storage

# 86 mm wide on paper: 1400 px are about 400 dots per inch. JPEG, because a PNG costs three times the time and size.
MAX_SIDE_PX = 1400
JPEG_QUALITY = 88


def film_and_overlay(analysis: Analysis) -> tuple[str, str]:
    """The film, and the film under its saliency map; empty strings for what does not exist.

    Returns:
        Two ``data:image/jpeg`` URIs, long side at most MAX_SIDE_PX.
    """
    if not analysis.image.canonical_file:
        return "", ""
    with _opened(analysis.image.canonical_file) as picture:
        picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Picture.Resampling.BOX)
        film = picture.convert("L")
    if not analysis.saliency_file:
        return _jpeg_uri(film), ""
    with _opened(analysis.saliency_file) as picture:
        saliency = picture.convert("RGBA").resize(film.size, Picture.Resampling.BILINEAR)
    overlay = Picture.alpha_composite(film.convert("RGBA"), saliency).convert("RGB")
    return _jpeg_uri(film), _jpeg_uri(overlay)


def scale(analysis: Analysis) -> str:
    """The probability of malignancy as a mark on a scale with its operating point, as an SVG data URI."""
    value, threshold = analysis.malignant_probability, (analysis.operating_point or {}).get("malignant")
    if value is None:
        return ""
    svg = render_to_string(
        "reports/scale.svg",
        {"value_at": _position(value), "threshold_at": None if threshold is None else _position(threshold)},
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _position(share: float) -> str:
    """Where a share of 1 lies on a drawing whose scale runs from 10 to 990, as text that no locale changes."""
    return f"{10 + 980 * min(1.0, max(0.0, share)):.1f}"


def _opened(name: str) -> Picture.Image:
    return Picture.open(io.BytesIO(storage.read(name)))


def _jpeg_uri(picture: Picture.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
