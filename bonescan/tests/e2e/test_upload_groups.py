"""Several patients chosen together: the page shows the cases before it sends anything, and lets them be corrected."""

import pytest
from playwright.sync_api import expect

from bonescan.tests.e2e.conftest import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
DOCTOR = "doctor@example.org"


def test_films_of_two_patients_are_shown_as_two_cases_corrected_and_filed(stage: Stage, visit):
    page = visit(DOCTOR)
    page.goto("/upload/")
    films = [stage.dicom("70-1"), stage.dicom("70-2"), stage.dicom("70-3")]
    page.locator("input[type=file]").set_input_files([str(film) for film in films])
    summary = page.locator("[data-summary]")
    expect(summary).to_have_text("3 films → 3 cases")
    expect(page.locator("[data-cases] li")).to_have_count(3)
    expect(page.locator("[data-cases]")).to_contain_text("70-2")
    expect(page.get_by_text("Your entries apply only to films that name no patient.")).to_be_visible()

    page.get_by_label("Case of 70-3.dcm").select_option(index=1)
    expect(summary).to_have_text("3 films → 2 cases")
    submit = page.get_by_role("button", name="Upload and analyse")
    submit.click()
    # The first press shows what the second one does.
    expect(summary).to_be_focused()
    expect(page.locator("[data-files] [data-state=accepted]")).to_have_count(0)
    submit.click()
    expect(page.locator("[data-files] [data-state=accepted]")).to_have_count(3, timeout=20_000)
    links = page.locator("[data-result] a")
    expect(links).to_have_count(2)
    links.nth(1).click()
    expect(page.locator(".strip li")).to_have_count(2, timeout=20_000)
