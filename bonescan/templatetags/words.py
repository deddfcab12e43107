"""The scripts' words for the page that is written."""

from django import template
from django.utils import translation

from bonescan import words

register = template.Library()


@register.simple_tag
def words_url() -> str:
    """``{% words_url as words %}``: the catalogue of the page's language; empty where scripts need none."""
    return words.words_url(translation.get_language())
