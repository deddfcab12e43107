"""HTML in, tagged PDF out. Imported only when a report is drawn: WeasyPrint is large."""

from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.utils.html import escape
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

STYLESHEET = "css/report-print.css"


# Marks that turn the order of letters (Unicode Standard Annex 9): printed, they would show a signed text backwards.
_TURNING = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


class MissingGlyphs(ValueError):
    """No installed font draws some letters of the page: they would be printed as boxes.

    Attributes:
        letters: each once, in the order of their code points.
    """

    def __init__(self, letters: str) -> None:
        super().__init__("letters without a glyph")
        self.letters = letters


class ForbiddenUrl(ValueError):
    """A report asked for something that is neither inline nor one of the project's own static files."""


class OwnFilesFetcher(URLFetcher):
    """Hands out ``data:`` URIs and files of the project's static folder; anything else stops the drawing."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=("data", "file"), allow_redirects=False, fail_on_errors=True)
        self._root = static_root()

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        """The resource.

        Raises:
            ForbiddenUrl: another scheme, another host, or a path that leads out of the folder.
        """
        parts = urlsplit(url)
        if parts.scheme == "data":
            return super().fetch(url, headers)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise ForbiddenUrl("reports fetch nothing from elsewhere")
        if not Path(unquote(parts.path)).resolve().is_relative_to(self._root):
            raise ForbiddenUrl("reports read no files but the project's own")
        return super().fetch(url, headers)


def static_root() -> Path:
    """The folder of style sheet and fonts as shipped, not as collected: names there carry no hash."""
    return Path(settings.STATICFILES_DIRS[0]).resolve()


class _Renderer:
    """Fonts and style sheet, unpacked once per process, and the lock that lets one report be drawn at a time.

    Pango's font map is not safe to share between threads, and one drawing needs some 100 MB.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.fonts: FontConfiguration | None = None
        self.sheet: CSS | None = None

    def ready(self) -> None:
        if self.sheet is None:
            self.fonts = FontConfiguration()
            self.sheet = CSS(filename=static_root() / STYLESHEET, font_config=self.fonts, url_fetcher=OwnFilesFetcher())


_renderer = _Renderer()


def write_pdf(html: str, *, identifier: bytes) -> bytes:
    """Draw an HTML page as A4 PDF/UA-1.

    Args:
        html: with ``lang``, a title, and alternative texts; relative addresses start at the static folder.
        identifier: goes into the file's ID, so that the same page is the same bytes.

    Raises:
        MissingGlyphs: a letter of it would be printed as a box.
    """
    options: dict[str, Any] = {"pdf_variant": "pdf/ua-1", "pdf_identifier": identifier}
    with _renderer.lock:
        _renderer.ready()
        page = html.translate(_TURNING)
        document = HTML(string=page, base_url=static_root().as_uri() + "/", url_fetcher=OwnFilesFetcher())
        drawn = document.render(stylesheets=[_renderer.sheet], font_config=_renderer.fonts, **options)
        pdf: bytes = drawn.write_pdf(**options)
        # Pango marks what no font covers, and each font of the drawing keeps the code points that were marked.
        missing = {chr(point) for font in drawn.fonts.values() for point in font.missing}
    if missing:
        raise MissingGlyphs("".join(sorted(missing)))
    return pdf


def undrawable(text: str) -> str:
    """The letters of a text that no installed font draws, each once; empty where all can be printed."""
    page = f'<html lang="en"><head><title>t</title></head><body><p>{escape(text)}</p></body></html>'
    try:
        write_pdf(page, identifier=b"0")
    except MissingGlyphs as error:
        return error.letters
    return ""
