"""The auditor's page and export."""

import codecs
import csv
import io
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from accounts import audit
from accounts.models import AuditEvent
from accounts.tests.factories import ApiTokenFactory
from accounts.views.audit_log import COLUMNS, detail_text

pytestmark = pytest.mark.django_db
LOG, EXPORT = "accounts:audit_log", "accounts:audit_export"


@pytest.fixture
def auditors(client, auditor):
    client.force_login(auditor)
    return client


def actions_shown(answer) -> list[str]:
    return [row["event"].action for row in answer.context["rows"]]


def lines(answer) -> list[dict[str, str]]:
    data = b"".join(answer.streaming_content)
    assert data.startswith(codecs.BOM_UTF8)
    assert data.count(codecs.BOM_UTF8) == 1
    text = data.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_log_shows_who_did_what_and_masks_the_patient(auditors, doctor):
    audit.record("search_cases", user=doctor, subject="DOE^JANE")
    audit.record("view_case", user=doctor, subject="40123422", detail={"films": 2, "filters": ["q", "status"]})
    answer = auditors.get(reverse(LOG))
    page = answer.content.decode()
    assert actions_shown(answer) == ["view_case", "search_cases", "sign_in"]
    for words in (doctor.email, "Orthopaedics", "40•••22", "films: 2; filters: q, status"):
        assert words in page
    for identity in ("DOE", "JANE", "40123422"):
        assert identity not in page


def test_reading_and_exporting_are_recorded_without_what_was_typed(auditors, auditor):
    auditors.get(reverse(LOG), {"person": "doctor@example.org", "page": "3"})
    list(auditors.get(reverse(EXPORT), {"allowed": "no"}).streaming_content)
    viewed, exported = (AuditEvent.objects.get(action=name) for name in ("view_audit_log", "export_audit_log"))
    assert viewed.user == auditor
    assert viewed.detail == {"filters": ["person"], "page": 1}
    assert exported.detail == {"filters": ["allowed"], "rows": 0}


def test_events_are_filtered(auditors, doctor, clerk, department):
    first = audit.record("view_case", user=doctor, obj=department)
    second = audit.record("download_report", user=clerk, allowed=False, case_id=department.pk)
    AuditEvent._base_manager.model(
        at=datetime(2020, 5, 4, 23, 30, tzinfo=UTC), action="upload", user=doctor, user_label=doctor.email
    ).save()
    wanted = {
        (("action", "view_case"),): [first.action],
        (("person", "CLERK@"),): [second.action],
        (("allowed", "no"),): [second.action],
        (("object", str(department.pk)),): [second.action, first.action],
        (("since", "2020-05-04"), ("until", "2020-05-04")): ["upload"],
        (("until", "2020-05-03"),): [],
        (("object", "nothing"),): [],
    }
    for query, expected in wanted.items():
        answer = auditors.get(reverse(LOG), dict(query))
        assert [action for action in actions_shown(answer) if action != "view_audit_log"] == expected, query
    assert "No matches" in auditors.get(reverse(LOG), {"until": "2019-01-01"}).content.decode()


def test_a_date_that_is_none_finds_nothing_and_exports_nothing(auditors):
    answer = auditors.get(reverse(LOG), {"since": "yesterday"})
    assert answer.status_code == 200
    assert answer.context["rows"] == []
    assert auditors.get(reverse(EXPORT), {"since": "yesterday"}).status_code == 400


def test_long_logs_have_pages_that_keep_the_filter(auditors, doctor):
    for _ in range(60):
        audit.record("view_case", user=doctor)
    answer = auditors.get(reverse(LOG), {"action": "view_case"})
    assert len(actions_shown(answer)) == 50
    assert "action=view_case&amp;page=2" in answer.content.decode()
    assert len(actions_shown(auditors.get(reverse(LOG), {"action": "view_case", "page": "2"}))) == 10


def test_the_number_of_queries_does_not_grow_with_the_log(auditors, doctor, django_assert_max_num_queries):
    for _ in range(40):
        before = audit.request_context.set(audit.RequestContext(token=ApiTokenFactory(user=doctor)))
        audit.record("view_case", user=doctor)
        audit.request_context.reset(before)
    with django_assert_max_num_queries(16):
        auditors.get(reverse(LOG))


def test_the_export_holds_the_filtered_rows_masked(auditors, doctor):
    audit.record("view_case", user=doctor, subject="40123422", detail={"films": 1})
    audit.record("upload", user=doctor)
    rows = lines(auditors.get(reverse(EXPORT), {"action": "view_case"}))
    assert list(rows[0]) == COLUMNS
    (row,) = rows
    assert (row["action"], row["user"], row["subject_masked"]) == ("view_case", doctor.email, "40•••22")
    assert (row["allowed"], row["department"], row["detail"]) == ("yes", "Orthopaedics", "films: 1")


def test_the_export_of_everything_does_not_hold_itself(auditors):
    assert [row["action"] for row in lines(auditors.get(reverse(EXPORT)))] == ["sign_in"]


def test_a_cell_is_never_a_formula(auditors):
    audit.record("sign_in_failed", user_label='=HYPERLINK("http://evil.example.org")', allowed=False)
    row = lines(auditors.get(reverse(EXPORT), {"action": "sign_in_failed"}))[0]
    assert row["user"].startswith("'=")


def test_details_are_one_line_without_empty_parts():
    assert detail_text({"added": ["a", "b"], "removed": [], "department_before": "", "n": 0}) == "added: a, b; n: 0"


def test_what_strangers_type_is_shown_as_text(auditors):
    audit.record("sign_in_failed", user_label="<script>alert(1)</script>", allowed=False)
    page = auditors.get(reverse(LOG)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
