"""What stays on the screen after a session: nothing of a patient, also with the back/forward cache switched on."""

import os
import re
from collections.abc import Iterator

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Browser, BrowserType, Page, expect

from accounts.models import User
from analyses.models import Study
from analyses.tests.factories import StudyFactory, result
from bonescan.middleware import NothingKeptMiddleware
from bonescan.tests.e2e.conftest import give_session, signed_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.django_db(transaction=True)]
# Playwright keeps an event loop in this thread, beside which Django refuses the database unless told otherwise.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
NAME = "SURNAME-OF-A-PATIENT"


@pytest.fixture
def case(department) -> Study:
    study = StudyFactory(owner=department, patient__patient_name=f"{NAME}^Anna")
    result("benign", study=study)
    return study


@pytest.fixture(scope="module")
def keeping_browser(browser_type: BrowserType, browser_type_launch_args: dict) -> Iterator[Browser]:
    """A browser that keeps whole pages for Back and Forward, as installed ones do and Playwright's does not."""
    arguments = [*browser_type_launch_args["args"], "--enable-features=BackForwardCache"]
    options = {**browser_type_launch_args, "args": arguments}
    browser = browser_type.launch(**options, ignore_default_args=["--disable-back-forward-cache"])
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser, live_server, client: Client, doctor: User) -> Iterator[Page]:
    with signed_in_page(browser, live_server.url, client, doctor) as opened:
        yield opened


def text_of(page: Page) -> str:
    """What can be seen, selected or printed."""
    return str(page.evaluate("document.title + ' ' + document.body.innerText"))


def test_back_after_sign_out_shows_the_sign_in_page(live_server, keeping_browser, client, doctor, case):
    with signed_in_page(keeping_browser, live_server.url, client, doctor) as page:
        page.goto("/cases/")
        page.goto(f"/cases/{case.pk}/")
        expect(page.get_by_text(NAME).first).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(re.compile("/accounts/login/"))
        for _ in range(2):
            page.go_back()
            page.wait_for_url(re.compile("/accounts/login/"))
            assert NAME not in text_of(page)


@pytest.fixture
def pages_may_be_kept(monkeypatch) -> None:
    """As if no header forbade it: what another program in between, or a browser of its own rules, may do."""
    monkeypatch.setattr(NothingKeptMiddleware, "__call__", lambda self, request: self.get_response(request))


def test_a_page_that_was_kept_whole_is_asked_for_again(
    live_server, keeping_browser, client, doctor, case, pages_may_be_kept
):
    with signed_in_page(keeping_browser, live_server.url, client, doctor) as page:
        page.goto(f"/cases/{case.pk}/")
        page.evaluate("addEventListener('pageshow', (event) => { sessionStorage.back = event.persisted; })")
        page.goto("/account/")
        Session.objects.all().delete()
        page.go_back()
        page.wait_for_url(re.compile("/accounts/login/"))
        assert NAME not in text_of(page)
        assert page.evaluate("sessionStorage.back") == "true", "the browser did keep the page"


def test_a_page_out_of_an_ordinary_cache_is_blank_until_the_session_is_known(
    live_server, browser, client, doctor, case, pages_may_be_kept
):
    with signed_in_page(browser, live_server.url, client, doctor) as page:
        page.goto(f"/cases/{case.pk}/")
        page.goto("/account/")
        Session.objects.all().delete()
        page.go_back()
        expect(
            page.get_by_role("heading", name="Your session has ended").or_(page.get_by_label("E-mail"))
        ).to_be_visible()
        assert NAME not in text_of(page)


def test_a_page_blanks_at_the_idle_limit_and_shows_itself_again_after_signing_in(
    page, case, settings, client, doctor, live_server
):
    settings.SESSION_IDLE_S = 4
    page.goto(f"/cases/{case.pk}/")
    page.get_by_label("Impression").fill("Typed and not saved.")
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible(timeout=20_000)
    assert NAME not in text_of(page)
    assert page.locator("main").is_hidden()
    assert case.patient.patient_id not in page.title()
    settings.SESSION_IDLE_S = 900
    give_session(page.context, live_server.url, client, doctor)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_label("Impression")).to_have_value("Typed and not saved.")
    expect(page.get_by_label("Impression")).to_be_visible()


def test_a_page_of_somebody_else_stays_blank_when_another_person_signs_in(
    page, case, client, live_server, second_doctor
):
    page.goto(f"/cases/{case.pk}/")
    Session.objects.all().delete()
    page.evaluate("fetch('/cases/', { headers: { Accept: 'application/json' } })")
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    give_session(page.context, live_server.url, Client(), second_doctor)
    with page.expect_response("**/account/session/"):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    assert NAME not in text_of(page)


def test_a_refusal_for_lack_of_a_session_blanks_every_open_tab(page, case):
    page.goto(f"/cases/{case.pk}/")
    other = page.context.new_page()
    other.goto(f"/cases/{case.pk}/")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url(re.compile("/accounts/login/"))
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    assert NAME not in text_of(page)


def test_signing_out_with_something_typed_asks_first(page, case):
    asked: list[str] = []
    page.goto(f"/cases/{case.pk}/")
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_label("Impression").fill("Typed and not saved.")
    page.get_by_role("button", name="Sign out").click()
    assert "not saved" in asked[0]
    expect(page.get_by_label("Impression")).to_have_value("Typed and not saved.")
    # On another page the browser still keeps what was typed.
    page.goto("/cases/")
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    assert len(asked) == 2


def test_signing_out_with_everything_saved_asks_nothing(page, case):
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.goto(f"/cases/{case.pk}/")
    page.get_by_label("Impression").fill("x")
    page.get_by_label("Impression").fill("")
    page.get_by_text("Benign", exact=True).first.click()
    page.get_by_role("button", name="Save preliminary").click()
    expect(page.get_by_text("Preliminary reading saved.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    assert asked == []
