"""Two doctors at one worklist, in real browsers: who has a case, a take-over while typing, the next-case key."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bonescan.tests.e2e.conftest import Stage, arrive, sign_in_beside

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
DOCTOR, COLLEAGUE = "doctor@example.org", "colleague@example.org"
TYPED = "Typed with care before the take-over."
# Two answered cases without a worker: what the pages do is asked here, not what the model says.
TWO_CASES = """
from accounts.models import Department, User
from analyses.tests.factories import PatientFactory, StudyFactory, png_bytes, result
department = Department.objects.get(name="Orthopaedics")
doctor = User.objects.get(email="doctor@example.org")
for number in (1, 2):
    patient = PatientFactory(department=department, patient_id=f"40-7000-0{number}")
    study = StudyFactory(owner=department, patient=patient, created_by=doctor)
    result("benign", study=study, image__film_bytes=png_bytes(300, 400, number))
"""


@pytest.fixture
def colleague(stage: Stage) -> str:
    if COLLEAGUE not in stage.passwords:
        stage.passwords[COLLEAGUE] = stage.running.person(COLLEAGUE, "doctor", "Orthopaedics")
        stage.running.manage("shell", "--no-imports", "-c", TWO_CASES)
    return COLLEAGUE


def no_violations(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []


def test_two_doctors_see_each_other_and_nothing_typed_is_lost_through_a_take_over(stage: Stage, visit, colleague):
    first, second = visit(DOCTOR), visit(colleague)
    first.goto("/cases/?q=40-7000")
    first.locator("#rows a").first.click()
    first.get_by_role("button", name="Start reading").click()
    expect(first.get_by_text("You are reading this case.")).to_be_visible()

    second.goto(first.url)
    expect(second.get_by_text(f"{DOCTOR} is reading this case.")).to_be_visible()
    expect(second.get_by_text(f"{DOCTOR} has this case open.")).to_be_visible()
    second.get_by_text("Benign", exact=True).first.click()
    second.get_by_label("Impression").fill(TYPED)
    second.get_by_role("button", name=re.compile("Save preliminary")).click()
    expect(second.get_by_text("Nothing was saved").first).to_be_visible()
    no_violations(second)
    second.get_by_role("button", name="Take over").click()
    expect(second.get_by_text("You are reading this case.")).to_be_visible()
    expect(second.get_by_label("Impression")).to_have_value(TYPED)
    second.get_by_role("button", name=re.compile("Save preliminary")).click()
    expect(second.get_by_text("Preliminary reading saved.")).to_be_visible()

    first.goto("/notifications/")
    expect(first.get_by_text(f"{COLLEAGUE} took over your case.")).to_be_visible()
    no_violations(first)


def test_the_next_key_goes_on_in_the_list_and_not_while_somebody_types(stage: Stage, visit, colleague):
    page = visit(colleague)
    page.goto("/cases/?q=40-7000&order=record")
    page.locator("#rows a").first.click()
    arrive(page, "Record 40-7000-01")
    page.get_by_label("Impression").fill("n")
    page.get_by_label("Impression").press("n")
    arrive(page, "Record 40-7000-01")
    page.locator("#main").focus()
    page.keyboard.press("n")
    arrive(page, "Record 40-7000-02")
    # From the last one on from the top, while there are open cases.
    page.keyboard.press("n")
    arrive(page, "Record 40-7000-01")
    page.goto("/cases/?q=40-7000-02&order=record")
    page.locator("#rows a").first.click()
    arrive(page, "Record 40-7000-02")
    page.keyboard.press("n")
    expect(page.get_by_text("This was the last open case in the list.")).to_be_visible()


def test_a_page_that_outlives_its_session_stays_with_what_was_typed(stage: Stage, visit, colleague):
    page = visit(colleague)
    page.goto("/cases/?q=40-7000&order=record")
    with page.expect_response("**/presence/"):
        page.locator("#rows a").last.click()
    page.wait_for_load_state()
    page.get_by_label("Impression").fill(TYPED)
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Start reading").click()
    ended = page.get_by_role("heading", name="Your session has ended")
    expect(ended).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Impression")).to_have_value(TYPED)
    sign_in_beside(page, colleague, stage.passwords[colleague])
    expect(ended).to_be_hidden()
    # The next two beats bring the page new tokens and take the note away.
    expect(page.get_by_text("Your session has ended.")).to_be_hidden(timeout=60_000)
    page.get_by_text("Benign", exact=True).first.click()
    page.get_by_role("button", name=re.compile("Save preliminary")).click()
    expect(page.get_by_text("Preliminary reading saved.")).to_be_visible()
    expect(page.get_by_label("Impression")).to_have_value(TYPED)
