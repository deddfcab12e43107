"""A day at the portal, played in a real browser on real processes."""

import re

import pytest
from playwright.sync_api import Page, expect

from bonescan.tests.e2e.conftest import LOOKS, SECOND_DOCTOR, Stage, look_over

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
DOCTOR, CLERK = "doctor@example.org", "clerk@example.org"
ENDED_MS = 60_000


def upload(page: Page, *films: object, **fields: str) -> None:
    """Fill in the upload form, send the films and open their case."""
    page.goto("/upload/")
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=False).first.fill(value)
    page.locator("input[type=file]").set_input_files([str(film) for film in films])
    page.get_by_role("button", name="Upload and analyse").click()
    expect(page.locator("[data-files] [data-state=accepted]")).to_have_count(len(films), timeout=20_000)
    page.get_by_role("link", name="Open the case").click()
    page.wait_for_url(re.compile(r"/cases/[0-9a-f-]{36}/"))


def wait_for_answer(page: Page) -> None:
    """The page moves to the end state by itself: nothing is reloaded here."""
    expect(page.locator("[data-unanswered]")).to_have_count(0, timeout=ENDED_MS)
    expect(page.get_by_role("button", name="Sign", exact=True)).to_be_visible(timeout=ENDED_MS)


def sign(page: Page, reading: str, impression: str) -> None:
    """Read and sign the open case."""
    page.get_by_text(reading, exact=True).first.click()
    page.get_by_label("Impression").fill(impression)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Sign", exact=True).click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Sign")
    if confirm.count():
        confirm.click()
    expect(page.get_by_text("Signed by")).to_be_visible()


def test_from_sign_in_to_a_verified_report(stage: Stage, visit, tmp_path):
    page = visit(DOCTOR)
    upload(page, stage.dicom("40-1187-22"))
    expect(page.get_by_role("heading", name="Unassigned case")).to_be_visible()
    wait_for_answer(page)
    expect(page.get_by_role("heading", name="Record 40-1187-22")).to_be_visible()
    expect(page.locator("#answer-head")).to_contain_text("Second opinion")
    expect(page.get_by_text("Probabilities", exact=True)).to_be_attached()
    sign(page, "Benign", "Well-defined cortical lesion of the distal tibia with a sclerotic margin.")
    case = page.url
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download final report", re.I)).click()
    pdf = tmp_path / "report.pdf"
    download.value.save_as(pdf)
    assert pdf.read_bytes().startswith(b"%PDF-")

    clerk = visit(CLERK)
    clerk.goto("/reports/")
    expect(clerk.get_by_text("40-1187-22")).to_be_visible()
    with clerk.expect_download() as download:
        clerk.get_by_role("link", name="40-1187-22").click()
    fetched = tmp_path / "fetched.pdf"
    download.value.save_as(fetched)
    assert fetched.read_bytes() == pdf.read_bytes(), "the clerk gets the report that was issued"

    stranger = visit(SECOND_DOCTOR)
    assert stranger.goto(case).status == 404
    stranger.goto("/cases/?q=40-1187-22")
    expect(stranger.get_by_text("40-1187-22")).to_have_count(0)

    anybody = visit()
    anybody.goto("/verify/")
    anybody.locator("input[type=file]").set_input_files(str(pdf))
    expect(anybody.locator("#verdict")).to_contain_text("valid")

    page.goto(case)
    page.get_by_text("Add an addendum").click()
    page.get_by_label("Reason", exact=True).select_option(index=1)
    page.get_by_label("Addendum", exact=True).fill("Follow-up after six months agreed.")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Follow-up after six months agreed.")).to_be_visible()
    anybody.goto("/verify/")
    anybody.locator("input[type=file]").set_input_files(str(pdf))
    expect(anybody.locator("#verdict")).to_contain_text("superseded")
    tampered = tmp_path / "tampered.pdf"
    tampered.write_bytes(pdf.read_bytes() + b"\n")
    anybody.locator("input[type=file]").set_input_files(str(tampered))
    expect(anybody.locator("#verdict")).to_contain_text(re.compile("not issued here", re.I))


def test_two_films_are_one_case_and_rubbish_says_what_to_do(stage: Stage, visit, tmp_path):
    page = visit(DOCTOR)
    upload(page, stage.dicom("40-2000-01"), stage.jpeg)
    wait_for_answer(page)
    expect(page.get_by_text("film 1").first).to_be_visible()
    rubbish = tmp_path / "notes.txt"
    rubbish.write_text("no image")
    upload(page, rubbish, record_number="40-2000-02")
    expect(page.get_by_text("not_an_image")).to_be_visible(timeout=ENDED_MS)
    expect(page.get_by_text("Upload a JPEG, PNG, TIFF")).to_be_visible()


def test_a_contradiction_waits_for_a_decision(stage: Stage, visit):
    page = visit(DOCTOR)
    upload(page, stage.dicom("40-2500-01"), record_number="40-2500-99")
    wait_for_answer(page)
    expect(
        page.get_by_text("The report is available after the contradictions above have been resolved.")
    ).to_be_visible()
    page.get_by_role("region", name="Warnings").get_by_role("button").filter(has_text="40-2500-01").click()
    expect(page.get_by_role("heading", name="Record 40-2500-01")).to_be_visible()
    expect(page.get_by_role("link", name="Download preliminary report")).to_be_visible()


def test_the_case_list_is_walked_by_keyboard(stage: Stage, visit):
    page = visit(DOCTOR)
    upload(page, stage.jpeg, record_number="40-3000-01")
    wait_for_answer(page)
    page.goto("/cases/")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/cases/[0-9a-f-]{36}/"))


DOCTORS = ["/cases/", "/upload/", "/reports/", "/model/", "/account/", "/cases/?q=nothing-like-this", "/performance/"]
DOCTORS += ["/outcomes/import/", "/templates/", "/templates/new/", "/notifications/", "/reader-studies/"]
ADMINISTRATORS = ["status", "admin/people", "admin/departments", "admin/settings", "admin/models", "admin/drift"]
ADMINISTRATORS += ["admin/trial", "admin/reader-studies"]


@pytest.mark.parametrize("theme", LOOKS)
@pytest.mark.parametrize(
    ("email", "paths"),
    [
        (DOCTOR, DOCTORS),
        (CLERK, ["/reports/"]),
        ("admin@example.org", [f"/{path}/" for path in ADMINISTRATORS]),
        ("auditor@example.org", ["/audit/"]),
        ("", ["/accounts/login/", "/accounts/password/reset/", "/verify/"]),
    ],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(stage: Stage, visit, theme, email, paths):
    page = visit(email)
    if email == DOCTOR:
        upload(page, stage.jpeg, record_number=f"40-4000-{theme}")
        wait_for_answer(page)
        paths = [*paths, page.url]
    if not email:
        page.goto(paths[0])
    assert look_over(page, paths, theme) == []


def test_a_deactivated_doctor_is_out_at_once(stage: Stage, visit):
    email = "leaving@example.org"
    stage.passwords[email] = stage.running.person(email, "doctor", "Orthopaedics")
    page = visit(email)
    page.goto("/cases/")
    admin = visit("admin@example.org")
    admin.goto("/admin/people/")
    admin.get_by_role("link", name=email).click()
    admin.on("dialog", lambda dialog: dialog.accept())
    admin.get_by_role("button", name=re.compile("deactivate", re.I)).first.click()
    confirm = admin.get_by_role("dialog").get_by_role("button", name=re.compile("deactivate", re.I))
    if confirm.count():
        confirm.click()
    expect(admin.get_by_text(re.compile("deactivated", re.I)).first).to_be_visible()
    page.goto("/cases/")
    assert "/login/" in page.url
