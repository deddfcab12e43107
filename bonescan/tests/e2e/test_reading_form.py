"""The reading form in a real browser: text from the structure, contradictions, what a lost session leaves behind."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect

from accounts.models import Language
from analyses.models import Review
from analyses.reading import services as reading
from analyses.reading import templates as reading_templates
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import ImageFactory, StudyFactory, png_bytes, result
from bonescan.tests.e2e.conftest import give_session, signed_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]
OUTCOME = "malignant"
TYPED = "Typed with care."
# Playwright's loop runs in the thread in which the tests, and the clearing of the database after them, ask it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


@pytest.fixture
def case(transactional_db, department):
    study = StudyFactory(owner=department)
    result(OUTCOME, image=ImageFactory(study=study, stored=True, film_bytes=png_bytes(600, 800)))
    study.refresh_from_db()
    return study


@pytest.fixture
def page(case, live_server, browser: Browser, doctor, client) -> Iterator[Page]:
    """The case, open in the doctor's browser."""
    with signed_in_page(browser, live_server.url, client, doctor) as page:
        page.goto(f"/cases/{case.pk}/")
        yield page


def open_findings(page: Page) -> None:
    page.locator("[data-findings] > summary").click()


def test_the_structure_writes_the_text_and_an_edited_text_is_only_offered_the_new_one(page):
    open_findings(page)
    text = page.get_by_label("Findings (free text)")
    page.get_by_label("Lesions", exact=True).select_option("one")
    page.get_by_label("Bone", exact=True).select_option("tibia")
    expect(text).to_have_value("Solitary lesion, tibia.")
    page.get_by_label("Matrix", exact=True).select_option("osteoid")
    expect(text).to_have_value("Solitary lesion, tibia. Osteoid matrix.")
    text.fill("My own words.")
    page.get_by_label("Matrix", exact=True).select_option("chondroid")
    offer = page.locator('[data-rewrite="findings_text"]')
    expect(offer).to_contain_text("Solitary lesion, tibia. Chondroid matrix.")
    expect(text).to_have_value("My own words.")
    offer.get_by_role("button").click()
    expect(text).to_have_value("Solitary lesion, tibia. Chondroid matrix.")


def test_contradictions_show_while_typing_and_must_be_confirmed_to_sign(page):
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_text("Malignant", exact=True).first.click()
    open_findings(page)
    page.get_by_label(re.compile("Margin")).select_option("IIIB")
    page.get_by_label("Recommendation", exact=True).select_option("none")
    found = page.locator("[data-contradictions]")
    expect(found).to_contain_text("The margin is aggressive (grade IIIB), but the recommendation is no follow-up.")
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Resolve or confirm each of them")
    for box in found.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed by")).to_be_visible()


def test_what_is_confirmed_stays_so_whatever_a_check_of_before_answers(page, case, doctor):
    content = Structured(findings=Findings(margin="IIIB"), recommendation="none")
    reading.save_reading(case, user=doctor, reading="malignant", structure=content)
    held: list[Route] = []
    page.route("**/reading/check/", lambda route: held.append(route))
    with page.expect_request("**/reading/check/"):
        page.reload()
    box = page.locator("[data-contradictions]").get_by_role("checkbox").first
    with page.expect_request("**/reading/check/"):
        box.check()
    for route in held:
        route.continue_()
    page.wait_for_load_state("networkidle")
    expect(box).to_be_checked()
    expect(box).to_be_focused()


def test_a_reason_is_asked_for_only_while_the_reading_overrules_the_model(page):
    reason = page.get_by_label("Why you overrule the model")
    expect(reason).to_be_hidden()
    page.get_by_text("Benign", exact=True).first.click()
    expect(reason).to_be_visible()
    expect(page.locator("[data-agreement]")).to_have_text("Overrules the model.")
    page.get_by_text("Malignant", exact=True).first.click()
    expect(reason).to_be_hidden()


def test_a_session_that_ends_in_mid_reading_loses_nothing_that_was_typed(page, case, live_server, client, doctor):
    page.get_by_text("Malignant", exact=True).first.click()
    page.get_by_label("Impression").fill("Typed before the session ended.")
    page.get_by_label("Likelihood of malignancy, 0 to 100").fill("85")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save preliminary").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    assert not Review.objects.exists()
    give_session(page.context, live_server.url, client, doctor)
    page.goto(f"/cases/{case.pk}/")
    expect(page.get_by_text("Your earlier entries have been restored")).to_be_visible()
    expect(page.get_by_label("Impression")).to_have_value("Typed before the session ended.")
    expect(page.get_by_label("Malignant", exact=True)).to_be_checked()
    kept = page.evaluate("JSON.stringify(localStorage)")
    for identity in (case.patient.patient_id, case.patient.patient_name, case.accession_number):
        assert identity not in kept
    page.get_by_role("button", name="Save preliminary").click()
    expect(page.get_by_text("Preliminary reading saved.")).to_be_visible()
    assert Review.objects.get().likelihood == 85
    expect(page.get_by_text("Your earlier entries have been restored")).to_be_hidden()
    assert "bonescan-reading" not in page.evaluate("JSON.stringify(localStorage)")


def test_what_was_typed_on_a_draft_that_changed_meanwhile_is_shown_beside_it_and_overwrites_nothing(page, case, doctor):
    page.get_by_text("Malignant", exact=True).first.click()
    page.get_by_label("Impression").fill("Typed here.")
    reading.save_reading(case, user=doctor, reading="malignant", impression="Saved in another tab.")
    page.reload()
    expect(page.get_by_label("Impression")).to_have_value("Typed here.")
    page.get_by_role("button", name="Save preliminary").click()
    expect(page.get_by_text("Saved in another tab.")).to_be_visible()
    expect(page.get_by_label("Impression")).to_have_value("Typed here.")
    assert Review.objects.get().impression == "Saved in another tab."


def kept(page: Page) -> dict | None:
    """What the browser keeps of the reading that is typed."""
    find = "Object.entries(localStorage).find(([key]) => key.startsWith('bonescan-reading:'))"
    return page.evaluate(f"() => {{ const found = {find}; return found ? JSON.parse(found[1]) : null; }}")


# In one task of the page, so that no pause of the machine lets a timer of the form run between the two.
TYPE_AND_CLICK = """([name, text, button]) => {
  const field = document.querySelector("form[data-reading]").elements[name];
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector(button).click();
}"""


def test_a_signature_that_is_not_given_keeps_what_was_typed_though_a_draft_is_saved_elsewhere(page, case, doctor):
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.get_by_text("Malignant", exact=True).first.click()
    page.get_by_label("Impression").fill(TYPED)
    page.wait_for_timeout(300)  # the form's own pause
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Sign", exact=True).click()
    entry = kept(page)
    assert entry is not None
    assert not entry["sent"]
    page.goto("/cases/")
    reading.save_reading(case, user=doctor, reading="malignant", impression="Saved in another tab.")
    page.goto(f"/cases/{case.pk}/")
    expect(page.get_by_label("Impression")).to_have_value(TYPED)


def test_what_is_sent_is_not_kept_as_unsent_by_a_check_that_waited(page):
    page.get_by_text("Malignant", exact=True).first.click()
    sent: list[Route] = []

    def stay(route: Route) -> None:
        sent.append(route)
        route.fulfill(status=204)  # the page stays, as while an answer is slow

    page.route("**/reading/?*", stay)
    page.evaluate(TYPE_AND_CLICK, ["impression", TYPED, "button[value=save]"])
    page.wait_for_timeout(300)  # the form's own pause
    page.wait_for_load_state("networkidle")
    assert len(sent) == 1
    entry = kept(page)
    assert entry is not None
    assert entry["sent"]


def test_what_is_discarded_comes_back_by_no_check_and_the_draft_of_now_can_be_saved(page, case, doctor):
    page.get_by_text("Malignant", exact=True).first.click()
    page.get_by_label("Impression").fill("Typed here.")
    reading.save_reading(case, user=doctor, reading="malignant", impression="Saved in another tab.")
    page.reload()
    expect(page.get_by_text("Your earlier entries have been restored")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.evaluate(TYPE_AND_CLICK, ["impression", TYPED, "[data-discard]"])
    expect(page.get_by_label("Impression")).to_have_value("Saved in another tab.")
    page.wait_for_timeout(300)  # the form's own pause
    page.wait_for_load_state("networkidle")
    assert kept(page) is None
    page.get_by_label("Impression").fill("Better words.")
    page.get_by_role("button", name="Save preliminary").click()
    expect(page.get_by_text("Preliminary reading saved.")).to_be_visible()
    assert Review.objects.get().impression == "Better words."


def test_who_signs_out_on_any_page_leaves_nothing_typed_behind(page):
    page.get_by_label("Impression").fill("Typed and not saved.")
    page.evaluate("sessionStorage.setItem('own-1-2', 'kept in this tab')")
    page.goto("/cases/")
    assert "Typed and not saved." in page.evaluate("JSON.stringify(localStorage)")
    page.once("dialog", lambda dialog: dialog.accept())  # it asks before what was typed is gone
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/accounts/login/"))
    kept = page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "bonescan-reading" not in kept
    assert "own-1-2" not in kept


def test_what_lies_longer_than_a_day_is_forgotten(page, case, doctor):
    old = int((timezone.now() - timedelta(hours=25)).timestamp() * 1000)
    entry = f'{{"at": {old}, "version": "0", "sent": false, "fields": {{"impression": "Old."}}}}'
    page.evaluate(
        "([key, entry]) => localStorage.setItem(key, entry)", [f"bonescan-reading:{doctor.pk}:{case.pk}", entry]
    )
    page.reload()
    expect(page.get_by_label("Impression")).to_have_value("")


@pytest.mark.parametrize("language", Language.values)
def test_axe_finds_nothing_on_the_pages_of_the_reading(page, case, doctor, department, language):
    department.language = language
    department.save()
    template = reading_templates.save_template(doctor, name="Cyst", findings=Findings(number="one", margin="IB"))
    reading.save_reading(case, user=doctor, reading="malignant")
    for theme in ("dark", "light"):
        page.evaluate("theme => localStorage.setItem('bonescan-theme', theme)", theme)
        for url in (f"/cases/{case.pk}/", "/templates/", f"/templates/{template.pk}/", f"/cases/{case.pk}/versions/"):
            page.goto(url)
            page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{url} {theme}: {found.generate_report()}"
