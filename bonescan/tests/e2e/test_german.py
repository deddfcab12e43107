"""A German user in a real browser: what scripts say is German, with the German decimal sign."""

import re

import pytest
from playwright.sync_api import Page, expect

from bonescan.tests.e2e.conftest import Stage
from bonescan.tests.e2e.test_viewer import film_file, open_viewer

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
READER = "leserin@example.org"


@pytest.fixture
def page(stage: Stage, visit) -> Page:
    """Signed in as somebody who chose German."""
    if READER not in stage.passwords:
        stage.passwords[READER] = stage.running.person(READER, "doctor", "Radiology")
    page = visit(READER)
    page.goto("/account/")
    page.locator("select[name=language]").select_option("de")
    with page.expect_navigation():
        page.locator("form:has(select[name=language]) button[type=submit]").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    return page


def upload(page: Page, film: object) -> None:
    page.goto("/upload/")
    page.locator("input[type=file]").set_input_files(str(film))
    expect(page.locator("[data-files] [data-answer]")).to_have_text("Bereit")
    remove = page.locator("[data-files] [data-remove]")
    expect(remove).to_have_attribute("aria-label", re.compile(r" entfernen$"))
    page.locator("form[data-upload] button[type=submit]").click()
    expect(page.locator("[data-files] [data-answer]")).to_have_text("Eingegangen, wartet auf die Analyse")
    expect(page.locator("[data-result]")).to_have_text("1 von 1 Aufnahme eingegangen.")
    page.locator("[data-case]").click()


def test_upload_and_viewer_speak_german(stage: Stage, page):
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url) if "/words/" in answer.url else None)
    upload(page, film_file(stage.folder, "51-german", "MONOCHROME2"))
    open_viewer(page)
    expect(page.locator(".viewer-side [data-presets] option")).to_contain_text(
        ["Datei: Fenster", "Automatisch", "Knochen", "Weichteile", "Voller Bereich", "Eigenes Fenster"]
    )
    page.keyboard.press("?")
    help_dialog = page.get_by_role("dialog")
    expect(help_dialog).to_contain_text("Maus: Rad zum Zoomen")
    expect(help_dialog).not_to_contain_text("zoom in")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("[data-measure-state]")).to_contain_text("Länge: Klicken oder ziehen Sie")
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".pane .marks-text")).to_have_text("20,0 mm")
    page.keyboard.press("Enter")
    expect(page.locator("[data-measure-state]")).to_contain_text("Gespeichert: ")
    page.locator("[data-withdraw]").click()
    expect(page.locator("[data-measure-state]")).to_have_text("Messung zurückgezogen. Sie bleibt in der Akte.")
    page.evaluate("() => window.BoneScan.viewer.pane.setWindow({ center: 1.5, width: 2, function: 'LINEAR' })")
    expect(page.locator(".viewer-side [data-window-text]")).to_have_text("C 1,50 W 2,00")
    assert len(set(asked)) == 1, "one address for all pages"


def test_strangers_verify_in_german(stage: Stage, browser):
    with browser.new_context(base_url=stage.running.url, locale="de-DE") as context:
        page = context.new_page()
        page.goto("/verify/")
        page.route("**/verify/*/**", lambda route: route.abort())
        page.locator("#document").fill("AAAA-BBBB-CCCC-DDDD")
        page.locator("#verify-form button[type=submit]").click()
        expect(page.locator("#verdict")).to_contain_text("Das Portal ist nicht erreichbar.")
