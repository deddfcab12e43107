"""Numbers as the language of the page writes them."""

from django.utils.formats import number_format


def written(value: float, places: int, *, grouped: bool = False) -> str:
    """A number rounded to some decimals. (Django's own ``number_format`` cuts a float off: 0.857 would read 0.85.)"""
    return str(number_format(f"{value:.{places}f}", places, force_grouping=grouped))
