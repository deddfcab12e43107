"""The drawing of HTML as PDF: what it may fetch."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from weasyprint.urls import FatalURLFetchingError

from analyses.reports.pdf import ForbiddenUrl, OwnFilesFetcher, static_root, write_pdf

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def page(source: str) -> str:
    return f'<html lang="en"><head><title>t</title></head><body><p>text</p><img src="{source}" alt="a"></body></html>'


def test_inline_pictures_and_own_static_files_are_handed_out():
    fetcher = OwnFilesFetcher()
    assert fetcher.fetch(PIXEL).read().startswith(b"GIF89a")
    font = static_root() / "fonts" / "IBMPlexSans-Regular.woff2"
    assert fetcher.fetch(font.as_uri()).read() == font.read_bytes()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/film.png",
        "https://example.org/film.png",
        "ftp://example.org/film.png",
        "file:///etc/hostname",
        "file://example.org/etc/hostname",
        "HTTP://example.org/",
        "//example.org/film.png",
    ],
)
def test_nothing_else_is_fetched(url):
    with pytest.raises(ForbiddenUrl):
        OwnFilesFetcher().fetch(url)


@pytest.mark.parametrize("way", ["/../manage.py", "/css/../../manage.py", "/%2e%2e/manage.py", "2/file"])
def test_no_way_leads_out_of_the_static_folder(way):
    with pytest.raises(ForbiddenUrl):
        OwnFilesFetcher().fetch(static_root().as_uri() + way)


def test_a_link_inside_the_static_folder_that_points_outside_is_refused(tmp_path, settings):
    static, secret = tmp_path / "static", tmp_path / "secret"
    static.mkdir()
    secret.write_text("secret")
    (static / "link").symlink_to(secret)
    settings.STATICFILES_DIRS = [static]
    with pytest.raises(ForbiddenUrl):
        OwnFilesFetcher().fetch((static / "link").as_uri())


@pytest.mark.parametrize("source", ["http://127.0.0.1:9/film.png", "file:///etc/hostname", "../manage.py"])
def test_a_page_that_asks_for_something_foreign_is_not_drawn_at_all(source):
    with pytest.raises(FatalURLFetchingError):
        write_pdf(page(source), identifier=b"x" * 16)


def test_the_same_page_gives_the_same_bytes():
    first, second = (write_pdf(page(PIXEL), identifier=b"x" * 16) for _ in range(2))
    assert first == second


def test_the_drawing_library_is_not_loaded_until_a_report_is_drawn():
    code = (
        "import sys, django; django.setup(); import analyses.urls.reports; "
        "assert 'analyses.reports.content' in sys.modules; assert 'weasyprint' not in sys.modules"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "bonescan.settings"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=settings.BASE_DIR)
