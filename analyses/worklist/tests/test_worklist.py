"""The worklist: states and whose work a case is, filters, saved ones, and what a blind doctor must not learn of it."""

import csv
import io

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.models import SavedFilter, Study, UnaidedReading
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result
from analyses.worklist import assignment, presence

pytestmark = pytest.mark.django_db
OUTCOMES = ("normal", "benign", "malignant", "withheld", "not_analysable")


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", name="Colleague", department=department, roles=["doctor"])


def case_of(department, record="R1", **fields) -> Study:
    patient = {name: fields.pop(name) for name in ("patient_birth_date", "patient_sex") if name in fields}
    patient = PatientFactory(department=department, patient_id=record, **patient)
    return StudyFactory(patient=patient, owner=department, **fields)


def listed(response) -> list[str]:
    assert response.status_code == 200
    return [row.patient.patient_id for row in response.context["rows"]]


def counts(response, name: str) -> dict[str, int]:
    return {tab["value"]: tab["count"] for tab in response.context[name]}


def read_first(department) -> None:
    department.reading_mode = ReadingMode.OWN_FIRST
    department.save(update_fields=["reading_mode"])


def lock(study, reader) -> None:
    now = timezone.now()
    UnaidedReading.objects.create(study=study, reader=reader, mode="own_first", opened_at=now, locked_at=now)


# --- states, assignment, filters ---------------------------------------------------------------------------------
def test_tabs_count_by_state_and_by_assignment_within_the_other_filters(web, doctor, department, colleague):
    mine, theirs = case_of(department, "MINE"), case_of(department, "THEIRS")
    assignment.start_reading(mine, doctor)
    assignment.start_reading(theirs, colleague)
    case_of(department, "FREE", body_part_examined="HIP")
    case_of(department, "SIGNED", reading_state="final")
    page = web.get("/cases/")
    assert counts(page, "tabs") == {"": 4, "unread": 1, "in_reading": 2, "preliminary": 0, "final": 1, "amended": 0}
    assert counts(page, "segments") == {"": 4, "mine": 1, "unassigned": 2, "asked": 0}
    assert listed(web.get("/cases/?reading=in_reading")) == ["MINE", "THEIRS"]
    assert listed(web.get("/cases/?assigned=mine")) == ["MINE"]
    assert listed(web.get("/cases/?assigned=unassigned&reading=unread")) == ["FREE"]
    hips = web.get("/cases/?body_part=HIP&assigned=mine")
    assert (counts(hips, "tabs")["unread"], counts(hips, "segments")["unassigned"]) == (0, 1)


def test_the_list_says_who_has_a_case_who_has_it_open_and_who_is_gone(web, doctor, department, colleague):
    study = case_of(department)
    assignment.start_reading(study, colleague)
    assert "has it open" not in web.get("/cases/").content.decode()
    presence.record_presence(study, colleague)
    presence.record_presence(study, doctor)
    text = web.get("/cases/").content.decode()
    assert "Colleague has it open" in text
    assert text.count("has it open") == 1
    colleague.is_active = False
    colleague.save()
    assert "Colleague, no longer in the department" in web.get("/cases/").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("age=child", ["CHILD"]),
        ("age=young", ["YOUNG"]),
        ("age=middle", []),
        ("age=old", ["OLD"]),
        ("sex=M", ["OLD"]),
        ("modality=CR", ["YOUNG"]),
        ("sex=F&age=child", ["CHILD"]),
        ("age=banana&sex=X", ["CHILD", "OLD", "UNKNOWN", "YOUNG"]),
    ],
)
def test_filters_narrow_by_age_at_the_examination_sex_and_modality(web, department, query, found):
    day = timezone.localdate().replace(year=2026, month=3, day=2)
    # Eighteen on the day itself, and one day short of it.
    case_of(department, "YOUNG", patient_birth_date=day.replace(year=2008), study_date=day, modality="CR")
    case_of(department, "CHILD", patient_birth_date=day.replace(year=2008, day=3), study_date=day)
    case_of(department, "OLD", patient_birth_date=day.replace(year=1940), study_date=None, patient_sex="M")
    case_of(department, "UNKNOWN", patient_birth_date=None)
    assert sorted(listed(web.get(f"/cases/?{query}"))) == found


# --- blind ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def answered(department) -> dict[str, Study]:
    """One case for every way in which an analysis may end, the most suspicious last; all hidden from the doctor."""
    studies = {name: case_of(department, name.upper()) for name in (*OUTCOMES, "failed")}
    for name, study in studies.items():
        result(name, study=study)
    read_first(department)
    return studies


def masked_page(response, studies) -> list[str]:
    """The list's rows as text, with whatever names the case taken out."""
    rows = response.content.decode().split('<tr id="case-')[1:]
    texts = []
    for row, study in zip(rows, studies, strict=True):
        text = row.split("</tr>")[0]
        for own in (str(study.pk), study.patient.patient_id, study.patient.patient_name, study.accession_number):
            text = text.replace(own, "")
        texts.append(text.split("<time")[0] + text.split("</time>")[1])
    return texts


def test_every_hidden_row_looks_the_same_whatever_was_answered(web, answered):
    page = web.get("/cases/")
    texts = masked_page(page, answered.values())
    assert len(texts) == len(answered)
    assert len(set(texts)) == 1
    assert "Read first" in texts[0]


def test_a_hidden_case_that_waits_says_that_it_waits_and_no_stage(web, department):
    AnalysisFactory(image__study=case_of(department), status="running", stage="explaining")
    read_first(department)
    text = web.get("/cases/").content.decode()
    assert "Waiting</span>" in text
    assert "Explaining" not in text


@pytest.mark.parametrize("order", ["", "priority", "suspicion", "-suspicion"])
def test_no_order_of_hidden_cases_depends_on_the_answers(web, answered, order):
    arrived = [study.patient.patient_id for study in answered.values()]
    expected = arrived[::-1] if "suspicion" in order else arrived
    assert listed(web.get(f"/cases/?order={order}")) == expected


@pytest.mark.parametrize(
    "query", [*(f"outcome={name}" for name in OUTCOMES), "status=succeeded", "status=failed", "status=cancelled"]
)
def test_no_filter_of_answers_or_their_state_finds_a_hidden_case_in_list_count_or_export(web, answered, query):
    page = web.get(f"/cases/?{query}")
    assert listed(page) == []
    assert set(counts(page, "tabs").values()) == set(counts(page, "segments").values()) == {0}
    assert len(b"".join(web.get(f"/cases/export.csv?{query}").streaming_content).decode().splitlines()) == 1


def test_the_head_line_counts_no_hidden_case_as_suspicious(web, answered):
    assert web.get("/cases/").context["above"] == 0
    assert "suspicious" not in web.get("/cases/").content.decode().split("<main")[1].split("<form")[0]


def test_the_export_leaves_the_columns_of_hidden_answers_empty_and_keeps_their_order(web, answered):
    text = b"".join(web.get("/cases/export.csv?order=-suspicion").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["patient_id"] for row in rows] == [s.patient.patient_id for s in answered.values()][::-1]
    assert {(row["status"], row["outcome"], row["malignant_probability"]) for row in rows} == {("", "", "")}


def test_the_poll_of_waiting_rows_shows_no_hidden_answer(web, answered):
    query = "&".join(f"id={study.pk}" for study in answered.values())
    text = web.get(f"/cases/rows/?{query}").content.decode()
    assert text.count("Read first") == len(answered)
    for word in ("Malignant", "Suspicious", "Withheld", "Failed", "Benign", "0.8"):
        assert word not in text


def test_what_a_doctor_has_unlocked_is_shown_found_counted_and_exported_but_orders_nothing(web, doctor, answered):
    lock(answered["malignant"], doctor)
    page = web.get("/cases/")
    assert listed(page) == [study.patient.patient_id for study in answered.values()]
    assert page.content.decode().count("Read first") == len(answered) - 1
    assert page.context["above"] == 1
    assert listed(web.get("/cases/?outcome=malignant")) == ["MALIGNANT"]
    assert listed(web.get("/cases/?order=-suspicion"))[0] == "MALIGNANT"
    exported = b"".join(web.get("/cases/export.csv").streaming_content).decode()
    assert exported.count("0.8000") == 1


def test_another_readers_lock_opens_nothing_in_my_list(web, answered, colleague):
    lock(answered["malignant"], colleague)
    assert web.get("/cases/").content.decode().count("Read first") == len(answered)


# --- saved filters ---------------------------------------------------------------------------------------------------
def test_a_saved_filter_keeps_filters_and_order_but_no_search_words(web, doctor):
    query = "q=MILLER&reading=unread&order=-received&page=3&password=x"
    web.post("/cases/views/", {"name": " My  unread ", "query": query})
    saved = SavedFilter.objects.get()
    assert (saved.user, saved.name, saved.query) == (doctor, "My unread", "reading=unread&order=-received")


def test_the_list_opens_with_the_default_filter_and_all_cases_stay_one_step_away(web, department):
    case_of(department, "A")
    case_of(department, "B", reading_state="final")
    web.post("/cases/views/", {"name": "Signed", "query": "reading=final", "default": "on"})
    opened = web.get("/cases/")
    assert opened["Location"] == "/cases/?reading=final"
    assert listed(web.get(opened["Location"])) == ["B"]
    assert listed(web.get("/cases/?view=all")) == ["A", "B"]


def test_there_is_one_default_filter_and_a_name_is_used_once(web):
    web.post("/cases/views/", {"name": "One", "query": "reading=final", "default": "on"})
    web.post("/cases/views/", {"name": "Two", "query": "reading=unread", "default": "on"})
    web.post("/cases/views/", {"name": "two", "query": "reading=amended"})
    web.post("/cases/views/", {"name": "", "query": "reading=amended"})
    assert list(SavedFilter.objects.values_list("name", "is_default")) == [("One", False), ("Two", True)]


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "a\x00b", "query": "reading=final"},
        {"name": "One", "query": "&".join(f"{name}={'%C3%A4' * 64}" for name in ("modality", "order"))},
    ],
)
def test_a_filter_that_cannot_be_kept_is_refused_in_words(web, odd):
    answer = web.post("/cases/views/", odd, follow=True)
    assert [str(message.level_tag) for message in answer.context["messages"]] == ["error"]
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("path", ["/cases/", "/cases/export.csv", "/reports/"])
def test_a_null_byte_in_a_search_finds_nothing_to_search_for(web, path):
    """Postgres refuses null bytes, in the log too."""
    answer = web.get(path, {"q": "a\x00b", "\x00": "c"})
    assert answer.status_code == (400 if path == "/reports/" else 200)
    event = AuditEvent.objects.exclude(action="sign_in").get()
    assert (event.subject, event.detail.get("filters", [])) == ("", ["q"] if path != "/reports/" else [])


def test_a_saved_filter_is_renamed_made_default_and_deleted_by_its_owner_only(web, client, doctor, colleague):
    saved = SavedFilter.objects.create(user=doctor, name="Old", query="reading=final")
    foreign = SavedFilter.objects.create(user=colleague, name="Theirs", query="reading=final")
    web.post(f"/cases/views/{saved.pk}/", {"name": "New", "default": "on"})
    saved.refresh_from_db()
    assert (saved.name, saved.is_default) == ("New", True)
    for tail in ("", "delete/"):
        assert web.post(f"/cases/views/{foreign.pk}/{tail}", {"name": "Mine"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.name == "Theirs"
    web.post(f"/cases/views/{saved.pk}/delete/")
    assert not SavedFilter.objects.filter(user=doctor).exists()
    told = AuditEvent.objects.get(action="delete_view")
    assert (told.object_type, told.object_id) == ("savedview", str(saved.pk))


def test_a_film_count_is_that_of_the_case(web, department):
    study = case_of(department)
    for _ in range(2):
        ImageFactory(study=study)
    exported = b"".join(web.get("/cases/export.csv").streaming_content).decode()
    assert next(csv.DictReader(io.StringIO(exported)))["films"] == "2"
    assert "2 films" in web.get("/cases/").content.decode()
