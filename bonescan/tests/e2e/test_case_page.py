"""The case page in a real browser while answers come: what is typed and looked at stays, and the focus with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.tests.factories import UserFactory
from analyses.models import Image, Study, UnaidedReading
from analyses.pipeline import queue
from analyses.reading import second_reading
from analyses.tests.factories import AnalysisFactory, ImageFactory, StudyFactory, png_bytes, result
from bonescan.tests.e2e.conftest import signed_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]
# Playwright's loop runs in the thread in which the tests, and the clearing of the database after them, ask it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
TYPED = "Typed while the films are analysed."


@pytest.fixture
def case(transactional_db, department) -> Study:
    """Two films that can be seen and wait for their answers."""
    study = StudyFactory(owner=department)
    for seed in (1, 2):
        film = ImageFactory(study=study, stored=True, film_bytes=png_bytes(600, 800, seed))
        AnalysisFactory(image=film)
    return study


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", department=department, roles=["doctor"])


@pytest.fixture
def page(transactional_db, live_server, browser: Browser, doctor, client) -> Iterator[Page]:
    """The doctor's browser."""
    with signed_in_page(browser, live_server.url, client, doctor) as page:
        yield page


def films_of(case: Study) -> list[Image]:
    return list(case.images.order_by("created_at", "id"))


def end(film: Image) -> None:
    """The film's analysis comes to its end."""
    claimed = queue.claim(film.analyses.get().pk, "worker")
    assert claimed is not None
    queue.fail(claimed, "unreadable", "Export it again.")


def decode(film: Image, like: Image) -> None:
    """From now on the film can be seen."""
    film.canonical_file, film.canonical_sha256 = like.canonical_file, like.canonical_sha256
    film.canonical_width_px, film.canonical_height_px = like.canonical_width_px, like.canonical_height_px
    film.save()


@contextmanager
def new_body(page: Page) -> Iterator[None]:
    """Wait until the poll has brought the whole body, and its scripts have seen it, after what is done inside."""
    page.evaluate("document.getElementById('case-body').dataset.old = 'yes'")
    yield
    expect(page.locator("#case-body:not([data-old])")).to_be_attached()
    page.wait_for_function("!document.querySelector('.htmx-settling, .htmx-added')")


def test_a_question_that_is_being_typed_outlives_the_answer_to_a_film(page, case, colleague):
    page.goto(f"/cases/{case.pk}/")
    page.get_by_text("Request a second reading").click()
    page.get_by_label("Colleague").last.select_option(str(colleague.pk))
    question = page.get_by_label("Question", exact=True)
    question.press_sequentially(TYPED)
    with new_body(page):
        end(films_of(case)[0])
    expect(question).to_have_value(TYPED)
    expect(question).to_be_focused()
    page.keyboard.type(" And more.")
    expect(question).to_have_value(f"{TYPED} And more.")
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("Second reading requested.", exact=True)).to_be_visible()


def test_a_second_reading_that_is_being_typed_outlives_the_answer_to_a_film(page, case, doctor, colleague):
    second_reading.ask(case, user=colleague, colleague=doctor, question="Is it a tumour?")
    page.goto(f"/cases/{case.pk}/")
    page.get_by_text("Benign", exact=True).click()
    page.get_by_label("Text", exact=True).fill(TYPED)
    with new_body(page):
        end(films_of(case)[0])
    expect(page.get_by_label("Benign", exact=True)).to_be_checked()
    expect(page.get_by_label("Text", exact=True)).to_have_value(TYPED)


def test_zoom_and_focus_of_the_film_outlive_the_answer_to_another(page, case):
    page.goto(f"/cases/{case.pk}/")
    stage, zoom = page.locator("[data-case-stage][data-painted]"), page.locator("[data-zoom-text]")
    expect(stage).to_be_visible()
    page.wait_for_load_state()
    stage.focus()
    page.keyboard.press("1")
    page.keyboard.press("+")
    expect(zoom).to_have_text("125 %")
    with new_body(page):
        end(films_of(case)[1])
    expect(page.locator("#strip li").nth(1)).to_contain_text("Failed")
    expect(zoom).to_have_text("125 %")
    expect(stage).to_be_focused()
    page.keyboard.press("1")
    expect(zoom).to_have_text("100 %")
    with new_body(page):
        end(films_of(case)[0])
    expect(page.locator("#answer-head")).to_be_visible()
    expect(stage).to_be_focused()


@pytest.fixture
def undecoded(department) -> Study:
    """One film with an answer, and one that cannot be seen yet."""
    study = result("malignant", image__study__owner=department, image__film_bytes=png_bytes(600, 800)).image.study
    AnalysisFactory(image=ImageFactory(study=study))
    return study


@pytest.mark.parametrize("locked", [True, False])
def test_a_blind_reading_outlives_the_decoding_of_a_film(page, undecoded, doctor, department, locked):
    department.reading_mode = "trial" if locked else "own_first"
    department.save()
    own = UnaidedReading(study=undecoded, reader=doctor, mode=department.reading_mode, opened_at=undecoded.created_at)
    if locked:
        own.arm, own.reading, own.likelihood = "hidden", "benign", 20
        own.locked_at = own.opened_at + timedelta(seconds=1)
        own.answer = {"complete": True, "outcome": "malignant", "malignant_probability": 0.8, "films": []}
    own.save()
    page.goto(f"/cases/{undecoded.pk}/")
    page.get_by_text("Malignant", exact=True).first.click()
    likelihood = page.get_by_label("Likelihood of malignancy").first
    likelihood.fill("35")
    films = films_of(undecoded)
    with new_body(page):
        decode(films[1], like=films[0])
    expect(likelihood).to_have_value("35")
    expect(likelihood).to_be_focused()
    expect(page.get_by_label("Malignant", exact=True).first).to_be_checked()
    expect(page.get_by_text("Your earlier entries have been restored")).to_be_hidden()


def test_the_focus_stays_in_the_line_of_the_reader_whatever_button_comes_there(page, case):
    page.goto(f"/cases/{case.pk}/")
    start, line = page.get_by_role("button", name="Start reading"), page.locator("#assignment-line")
    with page.expect_response("**/presence/"):
        page.reload()
    start.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are reading this case.")).to_be_visible()
    expect(line).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Release")).to_be_focused()
