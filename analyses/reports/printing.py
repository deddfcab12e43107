"""The door to the drawing of PDFs: what no installed font can print is refused with a sentence, never printed."""

import math
import unicodedata

from django.utils.translation import gettext as _

from analyses.errors import Conflict

# Of static/css/report-print.css: the height of a line of the running head, and letters of usual width on its half line.
LINE_MM, LETTERS_ON_HALF = 4.1, 42
HEAD_MM, BANNER_MM = 20, 10


def head_mm(left: str, right: str, *, banner: bool = False) -> float:
    """The top margin of a page whose running head holds these two texts: both are printed whole, however long."""
    lines = max(math.ceil(_width(text) / LETTERS_ON_HALF) for text in (left, right))
    return round(HEAD_MM + max(0, lines - 2) * LINE_MM + banner * BANNER_MM, 1)


def _width(text: str) -> float:
    """How many letters of usual width a text is as long as; capitals and wide letters count for more."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide + 0.3 * sum(letter.isupper() for letter in text)


def draw(html: str, *, identifier: bytes) -> bytes:
    """The page as PDF, as ``pdf.write_pdf`` draws it.

    Raises:
        Conflict: ``letters_missing``.
    """
    from analyses.reports.pdf import MissingGlyphs, write_pdf  # loads WeasyPrint, which is large

    try:
        return write_pdf(html, identifier=identifier)
    except MissingGlyphs as error:
        # Code points and not letters: a few letters can be most of a patient's name.
        points = ", ".join(f"U+{ord(letter):04X}" for letter in error.letters[:5])
        why = _(
            "Not issued: no installed font can print some of the characters (%(code_points)s). Correct them, or ask the"
            " operator to install the fonts."
        )
        raise Conflict("letters_missing", why % {"code_points": points}) from None


def require_printable(text: str) -> None:
    """Refuse what a doctor wrote where a report could not print it.

    Raises:
        Conflict: ``letters_missing``.
    """
    # The shipped font has the letters of western and central Europe.
    if all(letter < "\u0180" for letter in text):
        return
    from analyses.reports.pdf import undrawable  # loads WeasyPrint, which is large

    letters = undrawable(text)
    if letters:
        why = _("No installed font can print these characters of your text: %(letters)s. Replace them, then try again.")
        raise Conflict("letters_missing", why % {"letters": " ".join(letters[:20])})
