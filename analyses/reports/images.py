"""Pictures of a report as data URIs: the film, its outline, its saliency map, the probability on its scale."""

import base64
import io
from dataclasses import dataclass

from django.template.loader import render_to_string
from PIL import Image as Picture
from PIL import ImageDraw

from analyses.answers.lesions import Lesion
from analyses.models import Analysis
from analyses.record import storage

# 86 mm wide on paper: 1400 px are about 400 dots per inch. JPEG, because a PNG costs three times the time and size.
MAX_SIDE_PX = 1400
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Pictures:
    """``data:image/jpeg`` URIs, long side at most MAX_SIDE_PX; empty for what does not exist."""

    film: str = ""
    outline: str = ""
    saliency: str = ""


def pictures_of(analysis: Analysis, lesions: list[Lesion]) -> Pictures:
    """The film, the film with the outline drawn in, the film under its saliency map."""
    if not analysis.image.canonical_file:
        return Pictures()
    with _opened(analysis.image.canonical_file) as picture:
        picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Picture.Resampling.BOX)
        film = picture.convert("L")
    return Pictures(
        film=_jpeg_uri(film),
        outline=_jpeg_uri(outlined(film, lesions)) if lesions else "",
        saliency=_jpeg_uri(_under_saliency(film, analysis.saliency_file)) if analysis.saliency_file else "",
    )


def outlined(film: Picture.Image, lesions: list[Lesion]) -> Picture.Image:
    """A copy of the film with a white line on a dark one round each region: it shows on every grey, in print too."""
    picture = film.copy()
    draw = ImageDraw.Draw(picture)
    thin = max(2, round(max(film.size) / 350))
    for width, grey in ((3 * thin, 0), (thin, 255)):
        for lesion in lesions:
            corners = [(x * film.width, y * film.height) for x, y in lesion.polygon]
            if len(corners) > 1:
                draw.line([*corners, *corners[:2]], fill=grey, width=width, joint="curve")
    return picture


def _under_saliency(film: Picture.Image, name: str) -> Picture.Image:
    with _opened(name) as picture:
        saliency = picture.convert("RGBA").resize(film.size, Picture.Resampling.BILINEAR)
    return Picture.alpha_composite(film.convert("RGBA"), saliency).convert("RGB")


def scale(analysis: Analysis) -> str:
    """The probability of malignancy as a mark on a scale with its operating point, as an SVG data URI."""
    value, threshold = analysis.malignant_probability, (analysis.operating_point or {}).get("malignant")
    if value is None:
        return ""
    svg = render_to_string(
        "analyses/reports/scale.svg",
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
