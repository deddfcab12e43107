"""Reading first in a real browser: a region is drawn, nothing typed is lost when a session ends, the answer follows."""

import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from django.db import connection
from PIL import Image as Picture
from playwright.sync_api import Page, Route, expect

from accounts.tests.factories import PASSWORD
from analyses.evidence.trial import services as trials
from analyses.models import UnaidedReading
from analyses.tests.factories import REGION, SUBTYPES, PatientFactory, StudyFactory, result
from bench.films import film_jpeg

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]


# Playwright keeps an event loop in this thread, beside which Django refuses the database unless told otherwise.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(autouse=True)
def no_lasting_connections(monkeypatch):
    """The live server's threads must not hold the database when the test session ends."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", False)


def film() -> bytes:
    out = io.BytesIO()
    Picture.open(io.BytesIO(film_jpeg(7, 900, 1200))).convert("L").save(out, "PNG")
    return out.getvalue()


def sign_in(page: Page, base: str, email: str) -> None:
    page.goto(f"{base}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def look(page: Page, name: str) -> None:
    """axe finds nothing; with LOOK_AT naming a folder, both themes are photographed."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    if folder := os.environ.get("LOOK_AT"):
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            page.screenshot(path=Path(folder) / f"{name}-{theme}.png")
        page.evaluate("document.documentElement.dataset.theme = 'dark'")


def test_a_reading_is_begun_kept_locked_and_compared(live_server, browser, doctor, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    patient = PatientFactory(department=doctor.department, patient_id="40-1187")
    study = StudyFactory(owner=doctor.department, patient=patient)
    result("malignant", study=study, regions=[REGION], subtypes=SUBTYPES, image__film_bytes=film())
    page = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark").new_page()
    page.set_default_timeout(20_000)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, live_server.url, doctor.email)
    url = f"{live_server.url}/cases/{study.pk}/"
    page.goto(url)
    look(page, "1-closed")
    page.get_by_role("button", name="Begin reading").click()
    expect(page.get_by_role("button", name="Lock my reading")).to_be_visible()
    page.wait_for_load_state()
    page.get_by_text("Benign", exact=True).click()
    page.get_by_label("Likelihood of malignancy").fill("20")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    page.get_by_text("Region (optional)").click()
    box = page.locator("svg.region").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=4)
    page.mouse.up()
    expect(page.locator("[data-region-words]")).to_contain_text("film 1")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    look(page, "2-open")
    Session.objects.all().delete()
    page.get_by_label("Likelihood of malignancy").fill("35")
    expect(page.locator("[data-own-state]")).to_contain_text("Your session has ended.")
    sign_in(page, live_server.url, doctor.email)
    page.goto(url)
    expect(page.get_by_label("Likelihood of malignancy")).to_have_value("35")
    expect(page.locator("[data-region-words]")).to_contain_text("film 1")
    page.get_by_role("button", name="Lock my reading").click()
    expect(page.get_by_text("Suspicious for malignancy").first).to_be_visible()
    expect(page.locator("#answer-head")).to_be_in_viewport()
    look(page, "3-revealed")
    own = UnaidedReading.objects.get()
    assert (own.reading, own.likelihood) == ("benign", 35)
    assert own.region["box"][0] == pytest.approx(0.4, abs=0.1)


def next_of(held: list[Route], page: Page) -> Route:
    """The next request that is held back; the test's time runs out where none comes."""
    while not held:
        page.wait_for_timeout(20)
    return held.pop(0)


@pytest.fixture
def reading_page(live_server, browser, doctor, settings) -> Iterator[Page]:
    """A case whose unaided reading is begun, in a browser that has fingers too."""
    settings.ACCOUNT_RATE_LIMITS = False
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    study = result("benign", image__study__owner=doctor.department, image__film_bytes=film()).image.study
    page = browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=True).new_page()
    page.set_default_timeout(20_000)
    sign_in(page, live_server.url, doctor.email)
    page.goto(f"{live_server.url}/cases/{study.pk}/")
    page.get_by_role("button", name="Begin reading").click()
    expect(page.get_by_role("button", name="Lock my reading")).to_be_visible()
    page.wait_for_load_state()
    yield page
    page.context.close()


def drawn_box(page: Page) -> list[float] | None:
    value = page.locator("input[name=region]").input_value()
    return json.loads(value)["box"] if value else None


def test_neither_click_nor_tap_nor_an_interrupted_finger_takes_the_region_away(reading_page):
    page = reading_page
    page.get_by_text("Region (optional)").click()
    svg = page.locator("svg.region")
    svg.scroll_into_view_if_needed()
    place = svg.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x - 30, y - 30)
    page.mouse.down()
    page.mouse.move(x + 30, y + 30, steps=3)
    page.mouse.up()
    box = drawn_box(page)
    assert box is not None
    page.mouse.click(x, y)
    page.touchscreen.tap(x + 5, y)
    assert drawn_box(page) == box
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": left, "y": top, "id": number} for number, (left, top) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x, y))
    touch("touchMove", (x + 40, y + 40))
    touch("touchCancel")
    assert drawn_box(page) == box
    touch("touchStart", (x, y))
    touch("touchMove", (x + 20, y + 20))
    touch("touchStart", (x + 20, y + 20), (x - 40, y - 40))
    touch("touchMove", (x + 20, y + 20), (x - 60, y - 60))
    touch("touchEnd")
    drawn = drawn_box(page)
    assert drawn is not None
    span = (box[2] - box[0]) / 60  # of one pixel: the first box is 60 wide about the same middle
    assert drawn[0] == pytest.approx((box[0] + box[2]) / 2, abs=0.01)
    assert drawn[2] == pytest.approx(drawn[0] + 20 * span, abs=0.01)


def test_arrow_keys_stop_at_the_edge_and_pass_cannot_tell_without_loss(reading_page):
    page = reading_page
    page.get_by_text("Region (optional)").click()
    page.locator("svg.region").focus()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    assert drawn_box(page) == [0, 0.35, 0.3, 0.65]
    for _ in range(20):
        page.keyboard.press("Shift+ArrowUp")
    assert drawn_box(page) == [0, 0.35, 0.3, 0.37]
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    assert drawn_box(page) == [0.7, 0.35, 1, 0.37]

    likelihood = page.get_by_label("Likelihood of malignancy")
    likelihood.fill("35")
    page.get_by_label("Malignant", exact=True).check()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Cannot tell")).to_be_checked()
    expect(likelihood).to_have_value("")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Malignant", exact=True)).to_be_checked()
    expect(likelihood).to_have_value("35")


def test_a_lock_that_is_called_off_still_keeps_what_was_typed_before(reading_page):
    page = reading_page
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_label("Benign", exact=True).check()
    # In one task of the page, so that the pause after which a draft is sent cannot be over between the two.
    page.evaluate("""() => {
      const form = document.querySelector("form[data-own]");
      form.elements.likelihood.value = "35";
      form.elements.likelihood.dispatchEvent(new Event("input", { bubbles: true }));
      form.querySelector("button[type=submit]").click();
    }""")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert UnaidedReading.objects.get().likelihood == 35
    assert not UnaidedReading.objects.get().is_locked


def test_an_answer_to_what_was_typed_before_does_not_forget_what_was_typed_since(
    live_server, browser, doctor, settings
):
    settings.ACCOUNT_RATE_LIMITS = False
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    study = result("benign", image__study__owner=doctor.department, image__film_bytes=film()).image.study
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(20_000)
    sign_in(page, live_server.url, doctor.email)
    url = f"{live_server.url}/cases/{study.pk}/"
    page.goto(url)
    page.get_by_role("button", name="Begin reading").click()
    likelihood, drafts, held = page.get_by_label("Likelihood of malignancy"), "**/own/draft/", []
    expect(likelihood).to_be_visible()
    page.wait_for_load_state()
    page.route(drafts, lambda route: held.append(route))
    likelihood.fill("20")
    first = next_of(held, page)
    likelihood.fill("35")
    with page.expect_response(drafts):
        first.continue_()
    assert UnaidedReading.objects.get().likelihood == 20
    Session.objects.all().delete()
    next_of(held, page).continue_()
    expect(page.locator("[data-own-state]")).to_contain_text("Your session has ended.")
    sign_in(page, live_server.url, doctor.email)
    page.goto(url)
    expect(likelihood).to_have_value("35")


def test_a_trial_hides_the_answer_and_its_page_tells_no_arm(live_server, browser, doctor, administrator, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    doctor.department.reading_mode = "trial"
    doctor.department.save()
    page = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark").new_page()
    page.set_default_timeout(20_000)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, live_server.url, administrator.email)
    page.goto(f"{live_server.url}/admin/trial/")
    look(page, "4-trials")
    page.get_by_label("Name").fill("With and without")
    page.get_by_label("Planned cases").fill("40")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("0 of 40 planned")).to_be_visible()
    look(page, "5-running")
    page.goto(f"{live_server.url}/admin/departments/{doctor.department_id}/")
    look(page, "6-department")

    study = result("malignant", image__study__owner=doctor.department, image__film_bytes=film()).image.study
    reader = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark").new_page()
    sign_in(reader, live_server.url, doctor.email)
    UnaidedReading.objects.create(
        study=study,
        reader=doctor,
        mode="trial",
        arm="hidden",
        opened_at=study.created_at,
        locked_at=study.created_at,
        reading="benign",
        likelihood=20,
        answer={"complete": True, "outcome": "malignant", "malignant_probability": 0.8, "films": []},
    )
    reader.goto(f"{live_server.url}/cases/{study.pk}/")
    expect(reader.get_by_text("hides the model's answer until you sign")).to_be_visible()
    expect(reader.get_by_text(re.compile("suspicious", re.I))).to_have_count(0)
    look(reader, "7-hidden")

    trial = trials.Trial.objects.get()
    trials.close_trial(trial, administrator)
    page.goto(f"{live_server.url}/admin/trial/{trial.pk}/")
    expect(page.get_by_text("too few cases").first).to_be_visible()
    look(page, "8-closed")
