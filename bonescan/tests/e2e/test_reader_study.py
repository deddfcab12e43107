"""A reader study in a real browser: read by keyboard, looked over by axe, with nothing typed by mouse."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bonescan.tests.e2e.conftest import Stage, arrive

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
DOCTOR, ADMINISTRATOR = "doctor@example.org", "admin@example.org"

# Signed cases whose answers and films are made, in studies that are drafts, open and closed.
MAKE = """
import io
from PIL import Image
from accounts.models import User
from accounts.tests.factories import UserFactory
from analyses.models import Study
from analyses.evidence.reader_studies import services
from analyses.tests.factories import result
from analyses.evidence.reader_studies.tests import plain_judge, read_session, signed_case
from bench.films import film_jpeg

doctor, admin = (User.objects.get(email=name + "@example.org") for name in ("doctor", "admin"))

def film(seed):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(film_jpeg(seed, 700, 900))).convert("L").save(buffer, "PNG")
    return buffer.getvalue()

def study(name, judge=None, start=True, cases=6, readers=0, films=1):
    made = services.create_reader_study(name=name, department=doctor.department, washout_days=0, by=admin)
    outcomes = ("malignant", "withheld", "benign", "normal", "malignant", "benign")
    rows = [
        (str(signed_case(doctor.department, outcomes[n % 6], doctor, image__film_bytes=film(n)).pk),
         "malignant" if n % 2 else "benign")
        for n in range(cases)
    ]
    for key, _ in rows:
        for n in range(1, films):
            result("benign", study=Study.objects.get(pk=key), image__film_bytes=film(n))
    services.add_cases(made, rows, admin)
    others = [UserFactory(department=doctor.department, roles=["doctor"]) for _ in range(readers)]
    for reader in (doctor, *others):
        services.add_reader(made, reader, admin)
    if start:
        services.start(made, admin)
    if judge:
        for reader in [*made.readers.all(), *made.readers.all()]:
            read_session(reader, judge)
        services.close(made, admin)

def judge(row):
    sure = 30 if row.condition == "with" else 15
    score = 35 + (row.study_case.number * 37 + row.reader.number * 23 + sure) % 30
    score += sure if row.study_case.is_malignant else -sure
    return ("cannot_tell", None) if row.study_case.number == 4 else ("malignant" if score > 50 else "benign", score)

for name in ("Study to read", "Study for dark", "Study for light"):
    study(name)
study("Study of two films", cases=2, films=2)
study("Study in draft", start=False)
study("Study that is closed", judge, cases=22, readers=2)
"""


@pytest.fixture(scope="module")
def studies(stage: Stage) -> None:
    stage.running.manage("shell", "--no-imports", "-c", MAKE)


def enter(visit, email: str, theme: str) -> Page:
    """A signed-in page in this theme."""
    page = visit(email)
    page.locator(f"[data-theme-choice={theme}]").click()
    assert page.locator("html").get_attribute("data-theme") == theme
    return page


def no_violations(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}" for violation in found
    ] == []


def condition(page: Page) -> str:
    return page.locator(".banner dl > div", has_text="Condition").locator("dd").inner_text()


def test_a_session_is_read_by_keyboard_alone(studies, visit):
    page = visit(DOCTOR)
    page.get_by_role("link", name="Reader studies").click()
    page.get_by_role("link", name="Study to read").click()
    arrive(page, "Case 1 of 6")
    stage = page.locator("[data-case-stage]").first
    expect(stage).to_have_attribute("data-painted", "1")
    before = page.locator("[data-zoom-text]").first.inner_text()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[data-zoom-text]").first).not_to_have_text(before)
    stage.press("i")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("m")
    expect(page.get_by_label("Malignant", exact=True)).to_be_checked()
    expect(page.get_by_label("Likelihood")).to_be_focused()
    page.keyboard.type("83")
    page.keyboard.press("c")
    expect(page.get_by_label("Likelihood")).to_be_disabled()
    expect(page.get_by_label("Likelihood")).to_have_value("")
    page.keyboard.press("b")
    expect(page.get_by_label("Likelihood")).to_have_value("83")
    page.keyboard.press("Enter")
    arrive(page, "Case 2 of 6")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    arrive(page, "Case 3 of 6")

    page.go_back()
    page.keyboard.press("m")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    arrive(page, re.compile("Case [34] of 6"))


# The second film (700 x 900 pixels) is fitted to its stage, and the text beside it says so.
SAYS_ITS_FIT = """() => {
  const stage = document.querySelectorAll("[data-case-stage]")[1];
  const fit = Math.round(100 * Math.min(stage.clientWidth / 700, stage.clientHeight / 900));
  return document.querySelectorAll("[data-zoom-text]")[1].textContent === `${fit} %`;
}"""


def test_films_are_shown_one_at_a_time_and_what_was_typed_stays(studies, visit):
    page = visit(DOCTOR)
    page.goto("/reader-studies/")
    page.get_by_role("link", name="Study of two films").click()
    expect(page.get_by_role("region", name="Film viewer 1")).to_be_visible()
    expect(page.get_by_role("region", name="Film viewer 2")).to_be_hidden()
    page.wait_for_load_state()
    expect(page.locator("[data-case-stage]").first).to_have_attribute("data-painted", "1")
    page.keyboard.press("b")
    page.keyboard.type("12")
    page.get_by_label("Window preset").first.press("m")  # there letters choose a preset, not a reading
    expect(page.get_by_label("Benign", exact=True)).to_be_checked()
    page.get_by_role("button", name="Film 2").click()
    expect(page.get_by_role("region", name="Film viewer 2")).to_be_focused()
    expect(page.get_by_role("region", name="Film viewer 1")).to_be_hidden()
    page.wait_for_function(SAYS_ITS_FIT)  # fitted anew once it was shown
    expect(page.get_by_label("Likelihood")).to_have_value("12")
    no_violations(page)
    if condition(page).startswith("without"):
        with page.expect_navigation():
            page.get_by_role("button", name="Submit and continue").click()
    for number in (1, 2):
        page.get_by_role("button", name=f"Film {number}").locator("visible=true").click()
        expect(page.get_by_role("heading", name=f"Second opinion, film {number}")).to_be_visible()
        expect(page.get_by_role("heading", name="Second opinion").locator("visible=true")).to_have_count(1)
        expect(page.get_by_role("button", name="Submit and continue")).to_be_in_viewport()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_reading_page_shows_the_answer_in_one_condition_only_and_axe_finds_nothing(studies, visit, theme):
    page = enter(visit, DOCTOR, theme)
    page.goto("/reader-studies/")
    no_violations(page)
    page.get_by_role("link", name=f"Study for {theme}").click()
    met = set()
    for _ in range(6):
        expect(page.get_by_role("button", name="Submit and continue")).to_be_visible()
        page.wait_for_load_state()
        now = condition(page)
        expect(page.get_by_role("heading", name="Second opinion")).to_have_count(1 if now.startswith("with the") else 0)
        if now not in met:
            no_violations(page)
        met.add(now)
        if len(met) == 2:
            break
        page.keyboard.press("c")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert met == {"with the model's answer", "without the model's answer"}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_administrators_pages_have_nothing_that_axe_finds(studies, visit, theme):
    page = enter(visit, ADMINISTRATOR, theme)
    for name in ("Study in draft", "Study to read", "Study that is closed"):
        page.goto("/admin/reader-studies/")
        no_violations(page)
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        no_violations(page)
