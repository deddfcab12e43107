"""What the browser's viewer is told of a film: where its pixels are, how to window and measure them, overlays."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.answers.lesions import calibrated_spacing, lesions_of, no_mm_because
from analyses.models import Analysis, Image
from inference.imaging.display import CANONICAL

BEFORE_DEPTH = _(
    "Only the 8-bit image of this film was kept. Analyse the film again to use its full bit depth for windowing."
)
TOO_LARGE = _("This film is too large to keep its full bit depth. The viewer shows the 8-bit image.")


@dataclass(frozen=True)
class Pixels:
    """Where the browser fetches a film's pixels: the 8-bit image, and the values before any window."""

    image: str
    values: str

    @property
    def overview(self) -> str:
        """Where the overview is that large films begin with."""
        return f"{self.values}?part=overview"


def pixels_of(analysis: Analysis) -> Pixels:
    """The addresses of a film of a case."""
    return Pixels(
        reverse("analyses:film_image", args=[analysis.pk]), reverse("analyses:film_values", args=[analysis.pk])
    )


def facts_of(image: Image, number: int, pixels: Pixels) -> dict[str, Any]:
    """A film as JSON for ``static/js/viewer``: nothing of whom it shows, nothing of the model's answer.

    Args:
        number: of the film in its case, in order of arrival, from 1.
    """
    named = gettext("Film %(number)s") % {"number": number}
    return {
        "name": ", ".join(word for word in (named, image.view_position.lower()) if word),
        "image": pixels.image,
        "values": pixels.values if image.display_file else "",
        "overview": pixels.overview if has_overview(image) else "",
        "facts": image.display if image.display_file else None,
        "width": image.canonical_width_px,
        "height": image.canonical_height_px,
        "note": depth_note(image),
        "spacing": calibrated_spacing(image),
        "spacing_words": spacing_words(image),
    }


def film_facts(analysis: Analysis, number: int, *, sees: bool) -> dict[str, Any]:
    """A film of a case as JSON for ``static/js/viewer``.

    Args:
        analysis: the film's current analysis, with its image.
        sees: whether the reader may see the model's answer; without it nothing here depends on one.
    """
    keys = {"image_id": str(analysis.image.pk), "analysis_id": str(analysis.pk)}
    return keys | facts_of(analysis.image, number, pixels_of(analysis)) | (_answer(analysis) if sees else {})


def has_overview(image: Image) -> bool:
    """Whether the film is so large that an overview of it was kept."""
    return bool(image.display_file and (image.display or {}).get("overview"))


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
