"""A day in the reading room: two doctors and a clerk; twelve films read blind, signed, referred and measured."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from bench.films import film_jpeg
from bonescan.tests.e2e.conftest import LOOKS, Stage, arrive, look_over

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
FIRST, SECOND, CLERK, MACHINE = (f"{who}.room@example.org" for who in ("first", "second", "clerk", "machine"))
DEPARTMENT = """
from accounts.models import Department
Department.objects.get_or_create(name="Bone tumours", defaults={"reading_mode": "own_first"})
"""


@dataclass(frozen=True)
class Plan:
    """One case of the day: who reads what before and after the answer, and what pathology says in the end."""

    number: int
    reader: str
    own: str
    own_likelihood: int
    final: str
    final_likelihood: int
    truth: str

    @property
    def patient_id(self) -> str:
        return f"40-9000-{self.number:02}"


def plans() -> list[Plan]:
    """Ten malignant cases, of which seven are called so before the answer and nine after it, and two benign ones."""
    made = []
    for number in range(1, 13):
        truth = "malignant" if number <= 10 else "benign"
        own = "malignant" if number <= 7 else "benign"
        final = "malignant" if number <= 9 else "benign"
        reader = FIRST if number % 3 else SECOND
        made.append(
            Plan(
                number, reader, own, 85 if own == "malignant" else 30, final, 90 if final == "malignant" else 25, truth
            )
        )
    return made


def films() -> list[tuple[str, bytes]]:
    """Twelve radiographs: of the shared data where they are at hand, else the one of pydicom-data, turned a little."""
    given = os.environ.get("BONESCAN_DATA")
    data = Path(given) if given else Path(__file__).resolve().parents[3].parent / "shared" / "data"
    found = sorted(
        path for path in (data / "btxrd" / "full_size").glob("*") if path.suffix in (".jpg", ".jpeg", ".png")
    )
    if len(found) >= 12:
        return [(path.name, path.read_bytes()) for path in found[:12]]
    return [(f"film-{number}.jpg", film_jpeg(number, 700, 900)) for number in range(1, 13)]


@pytest.fixture
def room(stage: Stage) -> Stage:
    """The stage with a department that reads first."""
    if FIRST not in stage.passwords:
        stage.running.manage("shell", "--no-imports", "-c", DEPARTMENT)
        for email, role in ((FIRST, "doctor"), (SECOND, "doctor"), (CLERK, "clerk"), (MACHINE, "api_client")):
            stage.passwords[email] = stage.running.person(email, role, "Bone tumours")
    return stage


def post_films(room: Stage) -> dict[str, str]:
    """Post the twelve films, wait for their answers, and return the model's outcome by record number."""
    session = requests.Session()
    session.headers["Authorization"] = f"Token {room.running.token(MACHINE)}"
    url = f"{room.running.url}/api/v1/analyses/"
    posted = {}
    for plan, (name, content) in zip(plans(), films(), strict=True):
        fields = {"patient_id": plan.patient_id, "accession_number": f"A-{plan.number}", "modality": "DX"}
        answer = session.post(url, files={"image": (name, content)}, data=fields, timeout=60)
        assert answer.status_code == 202, answer.text
        posted[plan.patient_id] = answer.json()["id"]
    outcomes: dict[str, str] = {}
    deadline = time.monotonic() + 120
    while len(outcomes) < len(posted):
        assert time.monotonic() < deadline, "the worker did not answer twelve films in two minutes"
        for patient_id, key in posted.items():
            body = session.get(f"{url}{key}/", timeout=30).json()
            if body["status"] == "succeeded":
                outcomes[patient_id] = body["result"]["outcome"]
        time.sleep(0.5)
    return outcomes


def open_case(page: Page, plan: Plan) -> None:
    page.goto(f"/cases/?q={plan.patient_id}")
    page.locator("#rows a").first.click()
    arrive(page, f"Record {plan.patient_id}")


def word(reading: str) -> str:
    return reading.replace("_", " ").capitalize()


def read_blind(page: Page, plan: Plan) -> None:
    """Open, read and lock; nothing of the answer is on the page before."""
    open_case(page, plan)
    page.get_by_role("button", name="Begin reading").click()
    expect(page.get_by_role("button", name="Lock my reading")).to_be_visible()
    expect(page.locator("#answer-head")).to_have_count(0)
    page.get_by_text(word(plan.own), exact=True).first.click()
    page.get_by_label("Likelihood of malignancy").fill(str(plan.own_likelihood))
    page.get_by_role("button", name="Lock my reading").click()
    expect(page.locator("#answer-head")).to_be_visible()
    page.wait_for_load_state()


def fill_final(page: Page, plan: Plan) -> None:
    """The final reading; where it overrules the model, the page asks why."""
    form = page.locator("form.reading-form")
    form.get_by_text(word(plan.final), exact=True).first.click()
    form.get_by_label("Likelihood of malignancy").fill(str(plan.final_likelihood))
    if plan.final == "malignant":
        form.get_by_label("Recommendation", exact=True).select_option("refer")
    reason = form.get_by_label("Why you overrule the model")
    if reason.count() and reason.is_visible():
        reason.select_option(index=1)


def sign(page: Page) -> None:
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Signed by").first).to_be_visible()


def call_of_model(outcome: str) -> bool | None:
    return None if outcome in ("withheld", "not_analysable") else outcome == "malignant"


def rate(hits: list[bool]) -> str:
    """A share as the site page writes it, or that there are too few."""
    return f"{sum(hits) / len(hits):.3f}" if len(hits) >= 10 else (f"n = {len(hits)}, too few" if hits else "none")


def test_a_day_in_the_reading_room(room: Stage, visit, tmp_path):
    outcomes = post_films(room)
    pages = {FIRST: visit(FIRST), SECOND: visit(SECOND)}
    for page in pages.values():
        page.on("dialog", lambda dialog: dialog.accept())

    for plan in plans():
        page, other = pages[plan.reader], pages[SECOND if plan.reader == FIRST else FIRST]
        read_blind(page, plan)
        if plan.number == 1:
            ask_and_answer(page, other, plan)
        fill_final(page, plan)
        sign(page)
        if plan.final == "malignant" and plan.number == 2:
            refer(page, tmp_path)
        if plan.number == 3:
            amend(page)

    fetch_a_report(visit(CLERK), plans()[0])
    import_outcomes(pages[FIRST], tmp_path)
    pages[FIRST].goto("/performance/")
    check_performance(pages[FIRST], outcomes)
    look_over_a_full_day(pages[FIRST])


def look_over_a_full_day(page: Page) -> None:
    """The pages as they are once there is something on them, in both themes and both sizes."""
    open_case(page, plans()[1])
    paths = ["/cases/?state=final", page.url, f"{page.url}viewer/", f"{page.url}versions/", "/performance/", "/model/"]
    for theme in LOOKS:
        assert look_over(page, paths, theme) == []


def ask_and_answer(page: Page, colleague: Page, plan: Plan) -> None:
    """A second reading: the colleague reads without sight of the first, and both see the two beside each other."""
    page.locator("form.reading-form").get_by_text(word(plan.final), exact=True).first.click()
    page.get_by_role("button", name="Save preliminary").click()
    expect(page.get_by_text("Preliminary reading saved.")).to_be_visible()
    asked = page.get_by_role("region", name="Second readings")
    asked.get_by_text("Request a second reading").click()
    asked.get_by_label("Colleague").select_option(index=1)
    asked.get_by_label("Question").fill("Is the cortex broken?")
    asked.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("not answered yet")).to_be_visible()

    open_case(colleague, plan)
    second = colleague.get_by_role("region", name="Second reading")
    expect(second.get_by_text("Is the cortex broken?")).to_be_visible()
    second.get_by_text("Malignant", exact=True).click()
    second.get_by_label("Likelihood").fill("70")
    second.get_by_role("button", name="Answer").click()
    expect(colleague.get_by_text("Answered").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("Both readings agree.")).to_be_visible()


def refer(page: Page, folder: Path) -> None:
    """One click, and the archive can be fetched."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Create letter, films and report").click()
    path = folder / "referral.zip"
    download.value.save_as(path)
    assert path.read_bytes().startswith(b"PK")


def amend(page: Page) -> None:
    page.get_by_text("Add an addendum").click()
    page.get_by_label("Reason").select_option(index=1)
    page.get_by_label("Addendum", exact=True).fill("Earlier films came from outside: the lesion has grown.")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("the lesion has grown")).to_be_visible()
    page.get_by_role("link", name="All versions").click()
    expect(page.get_by_text(re.compile("superseded", re.I)).first).to_be_visible()


def fetch_a_report(clerk: Page, plan: Plan) -> None:
    clerk.goto(f"/reports/?q={plan.patient_id}")
    with clerk.expect_download() as download:
        clerk.get_by_role("link", name=plan.patient_id).click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def import_outcomes(page: Page, folder: Path) -> None:
    """A file with one unknown record stores nothing; the mended one stores all."""
    head = "patient_id,accession_number,method,date,truth"
    lines = [f"{plan.patient_id},A-{plan.number},pathology,2026-11-20,{plan.truth}" for plan in plans()]
    wrong = folder / "wrong.csv"
    wrong.write_text("\n".join([head, *lines, "40-0000-00,A-0,pathology,2026-11-20,benign"]) + "\n")
    page.goto("/outcomes/import/")
    page.locator("input[type=file]").set_input_files(str(wrong))
    page.get_by_role("button", name="Check and import").click()
    expect(page.get_by_text("Nothing was stored")).to_be_visible()
    right = folder / "right.csv"
    right.write_text("\n".join([head, *lines]) + "\n")
    page.locator("input[type=file]").set_input_files(str(right))
    page.get_by_role("button", name="Check and import").click()
    expect(page.get_by_text("12 stored")).to_be_visible()


def check_performance(page: Page, outcomes: dict[str, str]) -> None:
    """The site page shows what is computed here from the plan of the day and the model's answers alone."""
    day = plans()
    ill = [plan for plan in day if plan.truth == "malignant"]
    well = [plan for plan in day if plan.truth != "malignant"]
    model = {plan.patient_id: call_of_model(outcomes[plan.patient_id]) for plan in day}
    table = page.locator("#observers table").first
    expected = {
        "Reader without the model": (
            [plan.own == "malignant" for plan in ill],
            [plan.own != "malignant" for plan in well],
        ),
        "Reader with the model": (
            [plan.final == "malignant" for plan in ill],
            [plan.final != "malignant" for plan in well],
        ),
        "Model alone": (
            [model[plan.patient_id] for plan in ill if model[plan.patient_id] is not None],
            [not model[plan.patient_id] for plan in well if model[plan.patient_id] is not None],
        ),
    }
    for name, (found, cleared) in expected.items():
        row = table.locator("tbody tr").filter(has=page.get_by_role("rowheader", name=name)).first
        cells = [" ".join(text.split()) for text in row.locator("td").all_inner_texts()]
        assert cells[0] == "12", (name, cells)
        assert cells[2].startswith(rate(found)[:4]) or cells[2] == rate(found), (name, cells)
        assert cells[3].startswith(rate(cleared)[:4]) or cells[3] == rate(cleared), (name, cells)
