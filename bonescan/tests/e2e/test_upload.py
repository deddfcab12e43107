"""The upload page in a real browser: what is removed or added while films go up."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from analyses.models import Image, Study
from analyses.tests.factories import png_bytes
from bonescan.tests.e2e.conftest import signed_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]
# Playwright's loop runs in the thread in which the tests, and the clearing of the database after them, ask it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


@pytest.fixture
def page(transactional_db, live_server, browser: Browser, doctor, client) -> Iterator[Page]:
    """The upload page in the doctor's browser."""
    with signed_in_page(browser, live_server.url, client, doctor) as page:
        page.goto("/upload/")
        yield page


def choose(page: Page, *seeds: int) -> None:
    films: Any = [{"name": f"{seed}.png", "mimeType": "image/png", "buffer": png_bytes(seed=seed)} for seed in seeds]
    page.locator("input[type=file]").set_input_files(films)


def send_and_hold(page: Page) -> list[Route]:
    """Press the button; the first film waits in the list until the test lets it go on."""
    held: list[Route] = []

    def answer(route: Route) -> None:
        if held or route.request.method != "POST":
            route.continue_()
        else:
            held.append(route)

    page.route("**/upload/", answer)
    upload_button(page).click()
    expect(page.locator("[data-files] [data-state=sending]")).to_have_count(1)
    return held


def upload_button(page: Page):
    return page.get_by_role("button", name="Upload and analyse")


def test_a_film_that_is_removed_while_others_go_up_is_not_sent(page):
    choose(page, 1, 2, 3)
    held = send_and_hold(page)
    page.get_by_role("button", name="Remove 3.png").click()
    held[0].continue_()
    expect(page.locator("[data-result]")).to_have_text("2 of 2 films received.")
    page.wait_for_load_state("networkidle")
    assert Image.objects.count() == 2


def test_films_that_are_added_during_and_after_an_upload_join_its_case(page):
    choose(page, 1)
    held = send_and_hold(page)
    choose(page, 2)
    held[0].continue_()
    expect(page.locator("[data-result]")).to_have_text("1 of 2 films received.")
    upload_button(page).click()
    expect(page.locator("[data-result]")).to_have_text("2 of 2 films received.")
    expect(upload_button(page)).to_be_hidden()
    choose(page, 3)
    expect(upload_button(page)).to_be_visible()
    page.get_by_role("button", name="Remove 3.png").click()
    expect(upload_button(page)).to_be_hidden()
    choose(page, 4)
    upload_button(page).click()
    expect(page.locator("[data-result]")).to_have_text("3 of 3 films received.")
    assert Study.objects.get().images.count() == 3
