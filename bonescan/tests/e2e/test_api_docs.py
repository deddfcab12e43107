"""The interactive API documentation in a real browser: it works under the strict policy and invents nothing."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bonescan.tests.e2e.conftest import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_doctor_posts_a_film_from_the_documentation_and_axe_finds_nothing(stage: Stage, visit, theme):
    page = visit("doctor@example.org", theme)
    page.evaluate("theme => localStorage.setItem('bonescan-theme', theme)", theme)
    page.goto("/api/v1/docs/")
    post = page.locator("#operations-analyses-create_analysis")
    post.locator(".opblock-summary-control").click()
    post.get_by_role("button", name="Try it out").click()
    post.locator("input[type=file]").set_input_files(str(stage.jpeg))
    post.get_by_label("clinical_question").fill(f"From the documentation, {theme}.")
    post.get_by_role("button", name="Execute").click()
    answer = post.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status")).to_have_text(re.compile("^20[02]$"))
    expect(answer).to_contain_text("/api/v1/analyses/")
    violations = [(found["id"], found["nodes"][0]["target"]) for found in Axe().run(page).response["violations"]]
    assert violations == []
    # What nobody typed was not said: the film has no patient.
    url = answer.locator(".highlight-code code").first.inner_text().split('"url": "')[1].split('"')[0]
    assert page.request.get(url).json()["patient_id"] is None


def test_a_pasted_token_gets_its_word(stage: Stage, visit):
    page = visit("auditor@example.org")
    page.goto("/api/v1/docs/")
    listing = page.locator("#operations-analyses-list_analyses")
    listing.locator(".opblock-summary-control").click()
    listing.get_by_role("button", name="Try it out").click()
    status = listing.locator(".live-responses-table tbody .response-col_status")
    listing.get_by_role("button", name="Execute").click()
    expect(status).to_contain_text("403")
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.locator(".modal-ux input").fill(stage.running.token())
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()
    listing.get_by_role("button", name="Execute").click()
    expect(status).to_have_text("200")
