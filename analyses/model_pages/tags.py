"""Stored English on pages: names of monitored figures, and what is wrong with a model."""

from django import template

from analyses import stored_words

register = template.Library()


@register.filter
def figure_word(name: str) -> str:
    """The name of a monitored figure."""
    return stored_words.figure_word(name)


@register.filter
def fault_words(message: str) -> str:
    """What is wrong with an installed model, or why a comparison ended."""
    return stored_words.fault_words(message)
