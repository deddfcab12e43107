"""What the browser's viewer is told of a film: where its pixels are, how to window and measure them, overlays."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.lesions import calibrated_spacing, lesions_of, no_mm_because
from analyses.models import Analysis, Image
from inference.imaging.display import CANONICAL

BEFORE_DEPTH = _(
    "This film was decoded before its full depth was kept: it is shown from the 8-bit image. "
    "Analyse it again to window every value."
)
TOO_LARGE = _("This film is too large for its full depth to be kept: it is shown from the 8-bit image.")


def film_facts(analysis: Analysis, number: int, *, sees: bool) -> dict[str, Any]:
    """The film as JSON for ``static/js/viewer``.

    Args:
        analysis: the film's current analysis, with its image.
        number: of the film in its case, in order of arrival, from 1.
        sees: whether the reader may see the model's answer; without it nothing here depends on one.
    """
    image = analysis.image
    named = gettext("Film %(number)s") % {"number": number}
    facts = {
        "image_id": str(image.pk),
        "analysis_id": str(analysis.pk),
        "name": ", ".join(word for word in (named, image.view_position.lower()) if word),
        "image": reverse("analyses:film_image", args=[analysis.pk]),
        "values": reverse("analyses:film_values", args=[analysis.pk]) if image.display_file else "",
        "overview": overview_url(analysis),
        "facts": image.display if image.display_file else None,
        "width": image.canonical_width_px,
        "height": image.canonical_height_px,
        "note": depth_note(image),
        "spacing": calibrated_spacing(image),
        "spacing_words": spacing_words(image),
    }
    return facts | (_answer(analysis) if sees else {})


def overview_url(analysis: Analysis) -> str:
    """Where the overview of a large film is; empty for the others."""
    image = analysis.image
    if not image.display_file or not (image.display or {}).get("overview"):
        return ""
    return reverse("analyses:film_values", args=[analysis.pk]) + "?part=overview"


def depth_note(image: Image) -> str:
    """Why the film has only 8 bits; empty where every value is at hand."""
    if image.display_file or image.display == CANONICAL:
        return ""
    return str(BEFORE_DEPTH if image.display is None else TOO_LARGE)


def spacing_words(image: Image) -> str:
    """In which unit the film is measured, and why not in mm."""
    why = no_mm_because(image)
    if why:
        return gettext("Lengths in px: %(why)s.") % {"why": why}
    return gettext("Lengths in mm: the file states a calibrated spacing.")


def _answer(analysis: Analysis) -> dict[str, Any]:
    """The overlays that the model drew, with its version."""
    return {
        "model": f"{analysis.model_name} {analysis.model_version}".strip(),
        "regions": [{"points": lesion.points, "size": lesion.size_words} for lesion in lesions_of(analysis)],
        "saliency": reverse("analyses:film_saliency", args=[analysis.pk]) if analysis.saliency_file else "",
    }
