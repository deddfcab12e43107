"""What the film area asks: who may see the model's overlays, and the facts that its script takes."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import json_script
from django.utils.safestring import SafeString

from analyses.answers.lesions import Lesion, lesions_of
from analyses.models import Analysis, Image, ReaderStudyReading
from analyses.viewer.film_facts import Pixels, facts_of, film_facts, has_overview, pixels_of

register = template.Library()


@register.simple_tag
def shown_lesions(sees: bool, analysis: Analysis | None) -> list[Lesion]:
    """The outlined regions; none for whoever must not see the model's answer."""
    return lesions_of(analysis) if sees and analysis else []


@register.simple_tag
def further_lesions(film: Any) -> list[tuple[Analysis, list[Lesion]]]:
    """What the answers to other tasks outlined on a film of the case page, which has them only for whoever may see."""
    found = [(row, lesions_of(row)) for row in film.further] if film else []
    return [(row, lesions) for row, lesions in found if lesions]


@register.simple_tag
def film_first(analysis: Analysis | None) -> str:
    """What the browser should fetch of a film before anything else; empty where its values are not kept."""
    if analysis is None or not analysis.image.display_file:
        return ""
    pixels = pixels_of(analysis)
    return pixels.overview if has_overview(analysis.image) else pixels.values


@register.simple_tag
def film_json(film: Any) -> SafeString:
    """The facts of one film for ``static/js/film.js``; its overlays stand on the page already."""
    return json_script(film_facts(film.analysis, film.number, sees=False), "film-facts")


@register.simple_tag
def reader_study_film_json(reading: ReaderStudyReading, image: Image, number: int) -> SafeString:
    """The facts of one film of a reader study, with addresses that end with the reading."""
    of = [reading.pk, number]
    pixels = Pixels(reverse("analyses:reader_study_film", args=of), reverse("analyses:reader_study_values", args=of))
    return json_script(facts_of(image, number, pixels), f"film-facts-{number}")
