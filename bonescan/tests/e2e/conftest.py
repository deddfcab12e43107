"""One real portal for all browser tests: Postgres, Redis, web, worker, sweeper, and the system's Chromium."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from accounts.models import User
from bench.films import film_jpeg
from bench.harness import Portal, portal

SECOND_DOCTOR = "second@example.org"
# Whether a page comes to show something is asked here, not how soon on a machine that others use too.
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Stage:
    """A running portal with the passwords of its cast and films on disk."""

    running: Portal
    passwords: dict[str, str]
    jpeg: Path
    folder: Path

    def dicom(self, patient_id: str) -> Path:
        """The RG3 radiograph as DICOM under this record number."""
        path = self.folder / f"{patient_id}.dcm"
        found = get_testdata_file("RG3_J2KR.dcm", download=False)
        assert found is not None, "pydicom-data ships RG3_J2KR.dcm"
        film = pydicom.dcmread(found)
        film.PatientID = patient_id
        film.StudyInstanceUID = generate_uid()
        film.AccessionNumber = generate_uid()[-12:]
        film.save_as(path)
        return path


# Dark at a desk and light on a tablet: each theme and each size once, not all four.
LOOKS = {"dark": (1280, 800), "light": (820, 1180)}


def arrive(page: Page, heading: str | re.Pattern[str]) -> None:
    """Wait for the page with this heading, which a link or a button brings, until its scripts hear keys and clicks."""
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    page.wait_for_load_state()


def sign_in_beside(page: Page, email: str, password: str) -> Page:
    """Sign in in another tab of the same browser; returns the tab."""
    tab = page.context.new_page()
    tab.goto("/accounts/login/")
    tab.get_by_label("E-mail").fill(email)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(lambda url: "/login/" not in url)
    later(tab)
    return tab


def later(page: Page) -> None:
    """A doctor without a name is asked for it after signing in: not now."""
    if "/account/name/" in page.url:
        page.get_by_role("link", name="Later").click()
        page.wait_for_url(lambda url: "/account/name/" not in url)


def give_session(context: BrowserContext, base: str, client: Client, user: User) -> None:
    """Sign somebody in to a live server without the form."""
    client.force_login(user)
    key = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": key, "url": base}])


@contextmanager
def signed_in_page(browser: Browser, base: str, client: Client, user: User) -> Iterator[Page]:
    """A page of a live server in this browser; at the end no script may have failed, no policy been broken."""
    context = browser.new_context(base_url=base, viewport={"width": 1280, "height": 800})
    watch = Watch(context, base)
    give_session(context, base, client, user)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert watch.complaints == []


def look_over(page: Page, paths: list[str], theme: str) -> list[str]:
    """What is wrong with these pages in one theme: axe's findings, and what is wider than the screen."""
    page.evaluate("theme => localStorage.setItem('bonescan-theme', theme)", theme)
    page.set_viewport_size({"width": LOOKS[theme][0], "height": LOOKS[theme][1]})
    found = []
    for path in paths:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert page.locator("html").get_attribute("data-theme") == theme
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{path}: wider than the screen")
        for violation in Axe().run(page).response["violations"]:
            found.append(f"{path}: {violation['id']}: {[node['html'][:160] for node in violation['nodes']]}")
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """Debian's Chromium; it has no sandbox where tests run as root."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "Chromium is missing; run: scripts/install test"
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    return {**browser_type_launch_args, "executable_path": program, "args": arguments}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start the portal and make the cast."""
    folder = tmp_path_factory.mktemp("films")
    jpeg = folder / "lateral.jpg"
    jpeg.write_bytes(film_jpeg(3, 700, 900))
    with portal(SESSION_IDLE_S="900") as running:
        passwords = running.passwords()
        passwords[SECOND_DOCTOR] = running.person(SECOND_DOCTOR, "doctor", "Radiology")
        yield Stage(running, passwords, jpeg, folder)


class FilmGate:
    """Stands before the pixels of every film from a page's first request on.

    A page that is watched keeps no film in a cache, so what a test refuses or holds back later cannot be there already.
    """

    def __init__(self) -> None:
        self._refused: Callable[[str], bool] = lambda url: False
        self._held_back: Callable[[str], bool] = lambda url: False
        self._held: list[Route] = []

    def watch(self, page: Page) -> None:
        page.route(re.compile(r"/films/[^/]+/(image\.png|values\.bin)"), self._answer)

    def refuse(self, which: Callable[[str], bool]) -> None:
        """Answer 503 for the addresses that `which` names."""
        self._refused = which

    def hold(self, which: Callable[[str], bool]) -> None:
        """Keep the addresses that `which` names waiting until ``open``."""
        self._held_back = which

    def open(self) -> None:
        self._refused = self._held_back = lambda url: False
        for route in self._held:
            route.continue_()
        self._held = []

    def _answer(self, route: Route) -> None:
        url = route.request.url
        if self._refused(url):
            route.fulfill(status=503, body="")
        elif self._held_back(url):
            self._held.append(route)
        else:
            route.continue_()


class Watch:
    """Collects what a browser complains of: policy violations, script errors, requests to other hosts."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.complaints: list[str] = []
        self.base = base
        context.on("weberror", lambda error: self.complaints.append(f"script error: {error.error}"))
        context.on("console", self._console)
        context.on("request", self._request)

    def _console(self, message: object) -> None:
        text = getattr(message, "text", "")
        if "Content Security Policy" in text or "Content-Security-Policy" in text:
            self.complaints.append(text)

    def _request(self, request: object) -> None:
        url = getattr(request, "url", "")
        if not url.startswith((self.base, "data:", "blob:")):
            self.complaints.append(f"request to another host: {url}")


@pytest.fixture
def visit(stage: Stage, browser: Browser) -> Iterator:
    """A function that signs somebody in with a browser of their own and returns the page.

    At the end of the test no browser may have complained.
    """
    watches: list[Watch] = []
    contexts: list[BrowserContext] = []

    def enter(email: str = "", theme: str = "dark") -> Page:
        context = browser.new_context(
            base_url=stage.running.url, viewport={"width": 1280, "height": 800}, color_scheme=theme
        )
        contexts.append(context)
        watches.append(Watch(context, stage.running.url))
        page = context.new_page()
        page.set_default_timeout(20_000)
        if email:
            page.goto("/accounts/login/")
            page.get_by_label("E-mail").fill(email)
            page.get_by_label("Password").fill(stage.passwords[email])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/login/" not in url)
            later(page)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert [complaint for watch in watches for complaint in watch.complaints] == []
