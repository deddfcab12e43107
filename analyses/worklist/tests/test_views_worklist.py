"""The case list, its waiting rows and its export."""

import codecs
import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.csv_lines import safe_cell
from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.models import Study
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result
from analyses.worklist import presence

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def case_of(department, patient_id="R1", name="PATIENT 0001", **fields) -> Study:
    patient = PatientFactory(department=department, patient_id=patient_id, patient_name=name)
    return StudyFactory(patient=patient, owner=department, **fields)


def waiting_case(department, **fields) -> Study:
    study = case_of(department, **fields)
    AnalysisFactory(image=ImageFactory(study=study))
    return study


def listed(response) -> list[str]:
    return [row.patient.patient_id if row.patient else "" for row in response.context["rows"]]


def test_an_empty_department_is_told_how_to_begin(web):
    assert "No case yet" in web.get("/cases/").content.decode()


def test_a_search_without_hits_says_so_and_offers_all_cases(web, department):
    case_of(department)
    text = web.get("/cases/?q=nobody").content.decode()
    assert "No matches" in text
    assert "Show all cases" in text


def test_the_list_holds_only_cases_of_the_own_department(web, department, other_department):
    case_of(department, "MINE")
    case_of(other_department, "THEIRS")
    assert listed(web.get("/cases/")) == ["MINE"]


@pytest.mark.parametrize("words", ["R77", "miller", "MILLER r77", "ACC-9"])
def test_search_finds_by_record_number_name_and_accession_number(web, department, words):
    case_of(department, "R77", "MILLER^A", accession_number="ACC-9")
    case_of(department, "R78", "SMITH^B", accession_number="ACC-1")
    assert listed(web.get("/cases/", {"q": words})) == ["R77"]


def test_filters_narrow_by_outcome_status_body_part_date_and_reading(web, department):
    malignant = result("malignant", study=case_of(department, "M", body_part_examined="TIBIA")).image.study
    result("normal", study=case_of(department, "N", body_part_examined="HAND"))
    waiting_case(department, patient_id="W", body_part_examined="HIP")
    today = malignant.created_at.date().isoformat()
    assert listed(web.get("/cases/?outcome=malignant")) == ["M"]
    assert listed(web.get("/cases/?status=queued")) == ["W"]
    assert listed(web.get("/cases/?body_part=HAND")) == ["N"]
    assert listed(web.get("/cases/?received_from=2100-01-01")) == []
    assert len(listed(web.get(f"/cases/?received_from={today}&received_to={today}"))) == 3
    assert listed(web.get("/cases/?reading=final")) == []
    assert len(listed(web.get("/cases/?reading=unread"))) == 3


def test_sorting_by_suspicion_puts_cases_without_a_probability_last_both_ways(web, department):
    for name, outcome in (("LOW", "normal"), ("HIGH", "malignant"), ("NONE", "not_analysable")):
        result(outcome, study=case_of(department, name))
    assert listed(web.get("/cases/?order=-suspicion")) == ["HIGH", "LOW", "NONE"]
    assert listed(web.get("/cases/?order=suspicion")) == ["LOW", "HIGH", "NONE"]


def test_an_unknown_order_or_page_shows_the_list_by_priority(web, department):
    case_of(department, "OLD")
    case_of(department, "NEW")
    assert listed(web.get("/cases/?order=password&page=banana")) == ["OLD", "NEW"]


def test_the_order_of_arrival_can_be_chosen_both_ways(web, department):
    case_of(department, "OLD")
    case_of(department, "NEW")
    assert listed(web.get("/cases/?order=-received")) == ["NEW", "OLD"]
    assert listed(web.get("/cases/?order=received")) == ["OLD", "NEW"]


def test_priority_is_by_operating_point_then_by_waiting_time_and_signed_cases_come_last(web, department):
    result("malignant", study=case_of(department, "SIGNED", reading_state="final"))
    for name, outcome in (
        ("N", "normal"), ("B", "benign"), ("W", "withheld"), ("M1", "malignant"), ("X", "not_analysable"),
    ):  # fmt: skip
        result(outcome, study=case_of(department, name))
    result("failed", study=case_of(department, "F"))
    result("malignant", study=case_of(department, "M2"), malignant_probability=0.99)
    assert listed(web.get("/cases/")) == ["M1", "M2", "W", "B", "N", "X", "F", "SIGNED"]
    assert listed(web.get("/cases/?order=priority")) == listed(web.get("/cases/"))


def test_a_case_shows_its_most_suspicious_film(web, department):
    study = case_of(department)
    result("normal", study=study)
    result("malignant", study=study)
    text = web.get("/cases/").content.decode()
    assert "tag--malignant" in text
    assert "tag--normal" not in text
    assert "2 films" in text


def test_pages_hold_fifty_cases_and_say_how_many_there_are(web, department):
    patient = PatientFactory(department=department)
    for _ in range(51):
        StudyFactory(patient=patient, owner=department)
    assert len(listed(web.get("/cases/"))) == 50
    second = web.get("/cases/?page=2")
    assert len(listed(second)) == 1
    assert "51 to 51 of 51 cases" in " ".join(second.content.decode().split())


@pytest.mark.parametrize("mode", ["at_once", "own_first"])
def test_the_list_asks_the_database_no_more_for_many_rows_than_for_few(web, doctor, department, mode):
    department.reading_mode = mode
    department.save()
    colleague = UserFactory(department=department, roles=["doctor"])

    def more(count: int) -> None:
        for number in range(count):
            study = waiting_case(department, patient_id=f"W{count}-{number}", assigned_to=colleague)
            presence.record_presence(study, colleague)
            result("normal", study=case_of(department, f"N{count}-{number}"))

    def asked(address: str) -> int:
        web.get(address)  # the list that the next-case key goes on in is kept once
        with CaptureQueriesContext(connection) as queries:
            assert web.get(address).status_code == 200
        return len(queries)

    filtered = "/cases/?reading=unread&outcome=normal&age=young&sex=F&assigned=unassigned&order=-suspicion"
    more(2)
    few = {address: asked(address) for address in ("/cases/", filtered)}
    more(12)
    assert {address: asked(address) for address in few} == few
    assert max(few.values()) <= 24


def test_a_waiting_row_shows_its_place_and_is_asked_for_again(web, department):
    study = waiting_case(department)
    text = web.get("/cases/").content.decode()
    assert "next in the queue" in text
    assert f"id={study.pk}" in text
    assert 'hx-trigger="every 3s"' in text


def test_the_poll_ends_when_no_row_waits_any_more(web, department):
    study = result("benign", study=case_of(department)).image.study
    text = web.get(f"/cases/rows/?id={study.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "tag--benign" in text
    assert "hx-trigger" not in text


def test_the_poll_ignores_ids_of_other_departments_and_rubbish(web, other_department):
    foreign = case_of(other_department, "THEIRS")
    response = web.get(f"/cases/rows/?id={foreign.pk}&id=rubbish")
    assert response.status_code == 200
    assert "THEIRS" not in response.content.decode()


def test_listing_searching_and_exporting_are_in_the_log_but_a_poll_is_not(web, department):
    case_of(department)
    web.get("/cases/")
    web.get("/cases/?q=R1")
    web.get("/cases/rows/")
    b"".join(web.get("/cases/export.csv?q=R1").streaming_content)
    events = AuditEvent.objects.filter(action__in=("list_cases", "search_cases", "export_cases")).order_by("id")
    assert [(event.action, event.subject) for event in events] == [
        ("list_cases", ""),
        ("search_cases", "R1"),
        ("export_cases", "R1"),
    ]


def test_the_export_holds_the_filtered_rows_of_the_own_department(web, department, other_department):
    result("malignant", study=case_of(department, "M"))
    result("normal", study=case_of(department, "N"))
    result("malignant", study=case_of(other_department, "THEIRS"))
    response = web.get("/cases/export.csv?outcome=malignant")
    data = b"".join(response.streaming_content)
    assert data.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [(row["patient_id"], row["outcome"]) for row in rows] == [("M", "malignant")]
    assert "attachment" in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]


def test_a_withheld_case_stands_in_list_and_export_as_an_answer_of_its_own_without_a_probability(web, department):
    result("withheld", study=case_of(department))
    text = web.get("/cases/").content.decode()
    assert 'class="tag tag--withheld">Withheld<' in text
    assert "0.42" not in text
    assert listed(web.get("/cases/?outcome=withheld")) == ["R1"]
    exported = b"".join(web.get("/cases/export.csv").streaming_content).decode()
    row = next(csv.DictReader(io.StringIO(exported)))
    assert (row["outcome"], row["malignant_probability"]) == ("withheld", "")


def test_the_export_cannot_smuggle_a_formula_into_a_spreadsheet(web, department):
    case_of(department, "R1", '=HYPERLINK("x")')
    text = b"".join(web.get("/cases/export.csv").streaming_content).decode()
    assert "'=HYPERLINK" in text


@pytest.mark.parametrize(("text", "cell"), [("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("40-1", "40-1"), ("", "")])
def test_only_what_looks_like_a_formula_is_quoted(text, cell):
    assert safe_cell(text) == cell


@pytest.mark.parametrize(
    ("role", "address"),
    [("doctor", "/cases/"), ("clerk", "/reports/"), ("administrator", "/status/"), ("auditor", "/audit/")],
)
def test_the_way_in_leads_each_role_to_its_work(client, request, role, address):
    client.force_login(request.getfixturevalue(role))
    assert client.get("/")["Location"] == address


@pytest.mark.parametrize("role", ["clerk", "api_client", "administrator", "auditor"])
@pytest.mark.parametrize("address", ["/cases/", "/cases/rows/", "/cases/export.csv"])
def test_nobody_but_doctors_sees_the_list(client, request, role, address):
    client.force_login(request.getfixturevalue(role))
    assert client.get(address).status_code == 403
    assert AuditEvent.objects.filter(action="access_denied", allowed=False).exists()
