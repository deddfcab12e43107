"""The verification page in a real browser: the file is hashed there, and only its hash is sent."""

import os

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import sync_playwright

from analyses.services import reading, reporting
from analyses.tests.factories import StudyFactory, result

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(monkeypatch):
    # Playwright's loop makes Django believe that this thread is asynchronous.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        opened = browser.new_page()
        opened.set_default_timeout(15_000)
        yield opened
        browser.close()


def verdict_on(page, name: str, content: bytes) -> str:
    page.set_input_files("#file", {"name": name, "mimeType": "application/pdf", "buffer": content})
    page.wait_for_function("document.querySelector('#verdict strong')?.textContent.includes('ssued here')")
    words = page.inner_text("#verdict")
    page.evaluate("document.getElementById('verdict').replaceChildren()")
    return words


@override_settings(ALLOWED_HOSTS=["*"])
def test_a_dropped_file_is_known_superseded_or_refused_and_never_leaves_the_browser(
    live_server, page, department, doctor
):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    reading.save_reading(study, user=doctor, reading="malignant")
    reading.sign(study, doctor)
    report = reporting.issue_report(study, doctor)
    pdf = reporting.report_bytes(report)
    sent, complaints = [], []
    page.on("request", lambda request: sent.append((request.method, request.url, request.post_data)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(live_server.url + reverse("analyses:verify"))
    sent.clear()

    assert ": valid" in verdict_on(page, "report.pdf", pdf)
    assert "Not issued here" in verdict_on(page, "report.pdf", pdf + b" ")
    reading.add_addendum(study, doctor, "The lesion is new.")
    assert ": superseded" in verdict_on(page, "report.pdf", pdf)

    lookups = [url for _, url, _ in sent if "/verify/" in url]
    assert lookups[0] == live_server.url + reverse("analyses:verify_lookup", args=[report.pdf_sha256])
    assert len(lookups) == 3
    assert {(method, body) for method, _, body in sent} == {("GET", None)}
    assert complaints == []
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
