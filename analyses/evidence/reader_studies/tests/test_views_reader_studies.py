"""The pages of reader studies: what administrators put together, what readers see, and what neither may."""

import re

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.services import deactivate, set_roles
from accounts.tests.factories import UserFactory
from analyses.evidence.reader_studies import services
from analyses.evidence.reader_studies.tests import draft, read_session, signed_case, signed_in, started
from analyses.models import Condition, Image, ReaderStudy, ReaderStudyReading
from analyses.tests.factories import SUBTYPES, deep_values

pytestmark = pytest.mark.django_db


def text(answer) -> str:
    return answer.content.decode()


def page_of(reader_study) -> str:
    return reverse("analyses:reader_study", args=[reader_study.pk])


def post(client, name, reader_study, body=None, *args):
    return client.post(reverse(f"analyses:{name}", args=[reader_study.pk, *args]), body or {}, follow=True)


def shown_reading(answer) -> ReaderStudyReading:
    return answer.context["reading"]


def read_url(reader_study) -> str:
    return reverse("analyses:reader_study_read", args=[reader_study.pk])


def submit(client, row, **body):
    return client.post(reverse("analyses:reader_study_submit", args=[row.pk]), body, follow=True)


def queries_of(client, url) -> int:
    with CaptureQueriesContext(connection) as context:
        assert client.get(url).status_code == 200
    return len(context)


# --- administrators -------------------------------------------------------------------------------------------
def test_a_reader_study_is_put_together_and_started_on_the_pages(admin, department, doctor):
    assert "No reader study yet" in text(admin.get(reverse("analyses:reader_studies")))
    body = {"name": "Knee films", "department": department.pk, "washout_days": "14"}
    answer = admin.post(reverse("analyses:reader_studies"), body, follow=True)
    reader_study = ReaderStudy.objects.get()
    assert "No case yet" in text(answer)
    first, second = signed_case(department), signed_case(department, "normal")
    listed = SimpleUploadedFile("cases.csv", f"case;truth\n{first.pk};malignant\n".encode(), "text/csv")
    answer = post(admin, "reader_study_cases", reader_study, {"file": listed, "lines": f"{second.pk}, normal"})
    assert str(first.pk) in text(answer)
    assert "Cases added." in text(answer)
    assert list(reader_study.cases.values_list("truth", flat=True)) == ["malignant", "normal"]
    answer = post(admin, "reader_study_readers", reader_study, {"reader": str(doctor.pk)})
    assert "1. doctor@example.org" in text(answer)
    answer = post(admin, "reader_study_start", reader_study)
    assert "0 of 4 readings of 2 cases" in text(answer)
    assert "Knee films" in text(admin.get(reverse("analyses:reader_studies")))


def test_the_pages_of_administrators_hold_no_patient_identity(admin, reader_study):
    pages = [text(admin.get(page_of(reader_study)))]
    services.close(reader_study, reader_study.created_by)
    pages.append(text(admin.get(page_of(reader_study))))
    for case in reader_study.cases.select_related("case__patient"):
        patient = case.case.patient
        for words in (patient.patient_id, patient.patient_name, case.case.accession_number):
            assert not any(words in shown for shown in pages)


@pytest.mark.parametrize("body", [{}, {"name": "x", "washout_days": "400"}])
def test_a_new_reader_study_that_breaks_a_rule_says_which(admin, department, body):
    answer = admin.post(reverse("analyses:reader_studies"), body | {"department": department.pk})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in text(answer)
    assert not ReaderStudy.objects.exists()


def test_refused_rows_are_listed_one_by_one(admin, administrator, department):
    reader_study = draft(department, administrator, cases=1)
    answer = post(admin, "reader_study_cases", reader_study, {"lines": "nothing, malignant\nneither"})
    assert answer.status_code == 400
    for words in ("Row 1: this is not a case id.", "Row 2: this is not a case id.", "nothing, malignant"):
        assert words in text(answer)
    assert reader_study.cases.count() == 1


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe\x00", "not UTF-8 text"), (b"x" * 300_000, "larger than 256 KB")]
)
def test_a_file_that_is_no_list_is_refused(admin, administrator, department, content, says):
    reader_study = draft(department, administrator, cases=1)
    answer = post(admin, "reader_study_cases", reader_study, {"file": SimpleUploadedFile("a.csv", content)})
    assert (answer.status_code, says in text(answer)) == (400, True)


def test_cases_and_readers_are_taken_out_on_the_page(admin, administrator, department):
    reader_study = draft(department, administrator)
    assert "Case removed." in text(post(admin, "reader_study_case_remove", reader_study, None, 1))
    assert "Reader removed." in text(post(admin, "reader_study_reader_remove", reader_study, None, 1))
    answer = post(admin, "reader_study_case_remove", reader_study, None, 1)
    assert (answer.status_code, "no longer in the study" in text(answer)) == (409, True)


def test_a_draft_of_one_class_says_that_there_will_be_no_area(admin, administrator, department):
    reader_study = draft(department, administrator, cases=1)
    assert "All cases are of one class" in text(admin.get(page_of(reader_study)))


def test_an_open_reader_study_shows_progress_and_no_figure(admin, reader_study, reader):
    read_session(reader, limit=3)
    shown = text(admin.get(page_of(reader_study)))
    assert "3 of 16 readings" in shown
    for words in ("AUC", "Sensitivity", reader_study.seed):
        assert words not in shown
    answer = admin.get(reverse("analyses:reader_study_export", args=[reader_study.pk]))
    assert (answer.status_code, answer["Content-Type"].startswith("text/html")) == (409, True)


def test_the_progress_names_who_waits_and_who_cannot_read_any_more(admin, administrator, reader_study):
    first, second = reader_study.readers.select_related("user", "reader_study")
    read_session(first)
    deactivate(second.user, by=administrator)
    shown = text(admin.get(page_of(reader_study)))
    assert "session 2 opens" in shown
    assert "can no longer read" in shown


def test_a_washout_is_waived_on_the_page_with_a_reason(admin, reader_study, reader):
    assert post(admin, "reader_study_waive", reader_study, {"waive": str(reader.pk), "reason": ""}).status_code == 400
    answer = post(admin, "reader_study_waive", reader_study, {"waive": str(reader.pk), "reason": "rotation ends"})
    assert "Wash-out of reader 1 waived." in text(answer)
    assert "rotation ends" in text(answer)


def test_who_reads_in_a_reader_study_cannot_manage_it_before_it_is_closed(administrator, reader_study, reader):
    set_roles(reader.user, roles=["doctor", "administrator"], department=reader.user.department, by=administrator)
    both = signed_in(reader.user)
    assert both.get(page_of(reader_study)).status_code == 403
    assert post(both, "reader_study_close", reader_study).status_code == 403
    services.close(reader_study, administrator)
    assert both.get(page_of(reader_study)).status_code == 200
    assert AuditEvent.objects.filter(action="access_denied", object_id=str(reader_study.pk)).exists()


# --- readers --------------------------------------------------------------------------------------------------
def test_the_navigation_has_the_entry_for_readers_of_an_open_reader_study_only(
    administrator, doctor, reader_study, page
):
    url = reverse("analyses:assigned_reader_studies")
    home = reverse("analyses:model")
    assert f'href="{url}"' in text(page.get(home))
    assert f'href="{url}"' not in text(signed_in(doctor).get(home))
    services.close(reader_study, administrator)
    assert f'href="{url}"' not in text(page.get(home))


def test_a_doctor_without_a_reader_study_is_told_so(doctor, reader_study):
    client = signed_in(doctor)
    assert "You are not a reader in any study" in text(client.get(reverse("analyses:assigned_reader_studies")))
    assert client.get(read_url(reader_study)).status_code == 404


def test_a_draft_is_not_known_to_its_readers(administrator, department):
    reader_study = draft(department, administrator)
    client = signed_in(reader_study.readers.first().user)
    assert "Knee films" not in text(client.get(reverse("analyses:assigned_reader_studies")))
    assert client.get(read_url(reader_study)).status_code == 404


def test_the_reading_page_names_no_patient_and_no_case(reader_study, page):
    answer = page.get(read_url(reader_study))
    case = shown_reading(answer).study_case
    patient, shown = case.case.patient, text(answer)
    hidden = [patient.patient_id, patient.patient_name, case.case.accession_number, str(case.case_id), str(case.pk)]
    hidden += ["2026-03-02", "1990", str(Image.objects.get(study=case.case).pk), case.truth]
    shown = shown.replace('value="malignant"', "").replace('value="benign"', "").replace('value="normal"', "")
    shown = re.sub(r"Likelihood of malignancy|malignant\. 100: certainly malignant|Malignant|Benign|Normal", "", shown)
    if shown_reading(answer).condition == Condition.WITHOUT:
        assert [words for words in hidden if words in shown] == []
    else:
        assert [words for words in hidden[:-1] if words in shown] == []


def read_until(client, reader_study, reader, condition):
    """The page of the first case in this condition."""
    while True:
        answer = client.get(read_url(reader_study))
        if shown_reading(answer).condition == condition:
            return answer
        read_session(reader, limit=1)


def test_without_the_answer_nothing_of_it_is_on_the_page(reader_study, page, reader):
    shown = text(read_until(page, reader_study, reader, "without"))
    for words in ("Second opinion", "bonescan-test", "0.80", "outline", "Outline", "polygon", "operating point"):
        assert words not in shown


def test_the_page_without_the_answer_is_the_same_whatever_the_model_said(administrator, department):
    """Two reader studies that differ in the answers only give the same page, to the byte, once keys are taken out."""
    pages = []
    for outcome in ("malignant", "normal", "withheld"):
        reader_study = services.create_reader_study(
            name="Same", department=department, washout_days=1, by=administrator
        )
        rows = [(str(signed_case(department, outcome).pk), truth) for truth in ("malignant", "normal")]
        services.add_cases(reader_study, rows, administrator)
        reader = services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator)
        services.start(reader_study, administrator)
        client = signed_in(reader.user)
        shown = text(read_until(client, reader_study, reader, "without"))
        shown = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "KEY", shown).replace(reader.user.email, "READER")
        shown = re.sub(r"csrf(middleware)?token[^>]*>|X-CSRFToken[^}]*}", "", shown, flags=re.IGNORECASE)
        shown = re.sub(r"nonce-?=?\"?[\w+/=-]+|Case \d of 2|value=\"[01]\"|>[01] of 2<", "", shown)
        pages.append(shown)
    assert pages[0] == pages[1] == pages[2]


def test_with_the_answer_it_is_the_one_that_was_kept_with_its_outline(reader_study, page, reader):
    shown = text(read_until(page, reader_study, reader, "with"))
    for words in ("Second opinion", "Suspicious for malignancy", "0.80", "outline-line", "Outline, bonescan-test 0.0"):
        assert words in shown


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("failed", "gave no answer to this film"),
        ("withheld", "cannot decide between"),
        ("not_analysable", "did not recognise a bone radiograph"),
    ],
)
def test_a_case_without_an_answer_is_read_with_the_reason(administrator, department, outcome, says):
    reader_study = services.create_reader_study(name="x", department=department, washout_days=1, by=administrator)
    rows = [(str(signed_case(department, outcome, subtypes=SUBTYPES).pk), "malignant") for _ in range(2)]
    services.add_cases(reader_study, rows, administrator)
    reader = services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator)
    services.start(reader_study, administrator)
    assert says in text(read_until(signed_in(reader.user), reader_study, reader, "with"))


def test_a_reading_is_submitted_once_and_the_next_case_follows(reader_study, page):
    first = shown_reading(page.get(read_url(reader_study)))
    answer = submit(page, first, reading="malignant", likelihood="83")
    assert "Case 2 of 4" in text(answer)
    first.refresh_from_db()
    assert (first.reading, first.likelihood) == ("malignant", 83)
    answer = submit(page, first, reading="benign", likelihood="3")
    assert "The first submission counts." in text(answer)
    first.refresh_from_db()
    assert first.likelihood == 83


def test_two_tabs_show_one_case_and_the_slower_one_loses(reader_study, page):
    one, other = shown_reading(page.get(read_url(reader_study))), shown_reading(page.get(read_url(reader_study)))
    assert one == other
    submit(page, one, reading="benign", likelihood="20")
    for late in ({"reading": "malignant", "likelihood": "90"}, {"reading": "malignant", "likelihood": ""}):
        answer = submit(page, other, **late)
        assert "The first submission counts." in text(answer)
        assert "Case 2 of 4" in text(answer)
    other.refresh_from_db()
    assert other.likelihood == 20


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"likelihood": "20"}, "This field is required"),
        ({"reading": "benign"}, "Enter the likelihood of malignancy"),
        ({"reading": "benign", "likelihood": "101"}, "less than or equal to 100"),
        ({"reading": "cannot_tell", "likelihood": "50"}, "Leave the likelihood empty"),
    ],
)
def test_a_refused_reading_stays_on_the_page_with_what_was_typed(reader_study, page, body, says):
    row = shown_reading(page.get(read_url(reader_study)))
    answer = submit(page, row, **body)
    assert (answer.status_code, says in text(answer)) == (400, True)
    assert shown_reading(answer) == row
    if "likelihood" in body:
        assert f'value="{body["likelihood"]}"' in text(answer)
    row.refresh_from_db()
    assert not row.is_submitted


def test_films_are_served_to_the_reader_of_the_open_case_only(administrator, reader_study, page, reader, doctor):
    row = shown_reading(page.get(read_url(reader_study)))
    url = reverse("analyses:reader_study_film", args=[row.pk, 1])
    answer = page.get(url)
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("image/png", "private, no-store")
    assert answer.content.startswith(b"\x89PNG")
    others = [reader_study.readers.last().user, doctor]
    assert [signed_in(other).get(url).status_code for other in others] == [404, 404]
    later = reader.readings.filter(session=1).last()
    for key, film in ((row.pk, 0), (row.pk, 2), (later.pk, 1)):
        for name in ("analyses:reader_study_film", "analyses:reader_study_values"):
            assert page.get(reverse(name, args=[key, film])).status_code == 404
    submit(page, row, reading="benign", likelihood="1")
    assert page.get(url).status_code == 404
    following = shown_reading(page.get(read_url(reader_study)))
    services.close(reader_study, administrator)
    assert page.get(reverse("analyses:reader_study_film", args=[following.pk, 1])).status_code == 404


def test_the_values_of_a_film_go_to_the_reader_of_the_open_case_only(reader_study, page, doctor):
    row = shown_reading(page.get(read_url(reader_study)))
    deep = {name.removeprefix("image__"): value for name, value in deep_values().items()}
    Image.objects.filter(study=row.study_case.case).update(**deep)
    url = reverse("analyses:reader_study_values", args=[row.pk, 1])
    answer = page.get(url, headers={"Accept-Encoding": "gzip"})
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/octet-stream", "private, no-store")
    assert url in text(page.get(read_url(reader_study)))
    assert signed_in(doctor).get(url).status_code == 404
    submit(page, row, reading="benign", likelihood="1")
    assert page.get(url).status_code == 404


def test_a_film_whose_file_is_gone_is_missing_and_the_case_can_still_be_submitted(reader_study, page):
    row = shown_reading(page.get(read_url(reader_study)))
    default_storage.delete(Image.objects.get(study=row.study_case.case).canonical_file)
    assert page.get(reverse("analyses:reader_study_film", args=[row.pk, 1])).status_code == 404
    assert "Case 2 of 4" in text(submit(page, row, reading="cannot_tell"))


def test_the_washout_the_end_and_the_closing_each_say_what_is_next(administrator, reader_study, page, reader):
    read_session(reader)
    shown = text(page.get(read_url(reader_study)))
    assert "Session 1 is complete" in shown
    assert "wash-out of 28 days" in shown
    services.waive_washout(reader, "x", administrator)
    reader.refresh_from_db()
    read_session(reader)
    assert "You have read every case" in text(page.get(read_url(reader_study)))
    services.close(reader_study, administrator)
    assert "The study is closed" in text(page.get(read_url(reader_study)))


def test_a_look_at_a_case_and_its_reading_are_recorded_but_not_in_the_trail_of_the_case(reader_study, page, reader):
    row = shown_reading(page.get(read_url(reader_study)))
    submit(page, row, reading="benign", likelihood="1")
    for action in ("view_study_case", "submit_study_reading"):
        assert AuditEvent.objects.get(action=action, object_id=str(row.pk)).case_id == row.study_case.case_id
    shown = text(page.get(reverse("analyses:case", args=[row.study_case.case_id])))
    assert "study case" not in shown
    assert "study reading" not in shown


def test_the_pages_ask_the_database_as_often_for_many_cases_and_readers_as_for_few(administrator, department, admin):
    counts = []
    for cases, readers in ((2, 1), (8, 4)):
        reader_study = started(department, administrator, cases=cases, readers=readers)
        reader = reader_study.readers.first()
        client = signed_in(reader.user)
        read_until(client, reader_study, reader, "with")  # which asks for a hold once more than one without the answer
        asked = [
            (client, read_url(reader_study)),
            (client, reverse("analyses:assigned_reader_studies")),
            (admin, page_of(reader_study)),
        ]
        # What is asked once in some seconds (sessions, holds) is asked right before each measurement.
        counts.append([who.get(url) and queries_of(who, url) for who, url in asked])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 22
