"""The public verification page: what strangers learn, what people of the department learn, and how often."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from analyses.case_page import corrections
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.reports import verify
from analyses.tests.factories import StudyFactory, result

pytestmark = pytest.mark.usefixtures("quick_pdf")


@pytest.fixture
def case(signed):
    return signed


@pytest.fixture
def report(case, doctor):
    return reports.issue_report(case, doctor)


def look_up(client, fingerprint) -> dict:
    return client.get(reverse("analyses:verify_lookup", args=[fingerprint])).json()


def test_a_stranger_learns_state_date_and_kind_and_nothing_of_the_case(client, report, case):
    response = client.get(reverse("analyses:verify_lookup", args=[report.pdf_sha256]))
    answer = response.json()
    assert answer["headline"] == f"Issued here on {report.issued_at:%Y-%m-%d}: valid"
    assert set(answer) == {"known", "state", "issued_at", "kind", "headline", "advice", "tone"}
    for secret in (str(case.pk), str(report.pk), case.patient.patient_id, case.patient.patient_name):
        assert secret not in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_superseded_void_and_unknown_documents_are_told_apart(client, report, case, doctor):
    reading.add_addendum(case, doctor, "The lesion is new.")
    assert look_up(client, report.pdf_sha256)["headline"].endswith(": superseded")
    assert "Do not use" in look_up(client, report.pdf_sha256)["advice"]
    corrections.reassign(case, user=doctor, reason="wrong side", laterality="R")
    assert look_up(client, report.pdf_sha256)["headline"].endswith(": void")
    assert look_up(client, "0" * 64)["headline"] == "Not issued here"


def test_a_preliminary_report_is_said_to_be_preliminary(client, department, doctor):
    study = StudyFactory(owner=department)
    result("benign", study=study)
    report = reports.issue_report(study, doctor)
    assert "not signed by a doctor" in look_up(client, report.pdf_sha256)["advice"]


def test_a_code_is_answered_with_the_warning_that_it_proves_no_copy(client, report):
    assert str(verify.CODE_ONLY) in look_up(client, report.verification_code)["advice"]
    assert str(verify.CODE_ONLY) not in look_up(client, report.pdf_sha256)["advice"]


@pytest.mark.parametrize("text", ["nonsense", "g" * 64, "a" * 63, "1234-5678-9ABC", "UUUU-UUUU-UUUU-UUUU"])
def test_what_cannot_be_a_fingerprint_is_refused_with_a_hint(client, db, text):
    response = client.get(reverse("analyses:verify_lookup", args=[text]))
    assert (response.status_code, response.json()["code"]) == (400, "bad_fingerprint")
    assert client.post(reverse("analyses:verify"), {"document": text}).status_code == 400


def test_only_people_of_the_department_are_shown_the_way_to_the_case(
    client, report, case, doctor, clerk, second_doctor, administrator
):
    ways = {}
    for user in (doctor, clerk, second_doctor, administrator):
        client.force_login(user)
        answer = look_up(client, report.pdf_sha256)
        ways[user.email] = answer.get("case_url"), answer.get("report_url")
    assert ways[doctor.email] == (reverse("analyses:case", args=[case.pk]), None)
    assert ways[clerk.email] == (None, reverse("analyses:report_download", args=[report.pk]))
    assert ways[second_doctor.email] == ways[administrator.email] == (None, None)


def test_the_page_answers_without_script(client, report):
    page = client.get(reverse("analyses:verify"))
    assert page.status_code == 200
    answer = client.post(reverse("analyses:verify"), {"document": f" {report.verification_code.lower()} "})
    assert f"Issued here on {report.issued_at:%Y-%m-%d}: valid" in answer.content.decode()
    assert "Not issued here" in client.post(reverse("analyses:verify"), {"document": "0" * 64}).content.decode()


def test_a_link_with_a_code_fills_the_field_but_asks_nothing(client, report):
    page = client.get(reverse("analyses:verify"), {"code": report.verification_code})
    assert f'value="{report.verification_code}"' in page.content.decode()
    assert not AuditEvent.objects.filter(action="verify_document").exists()


def test_every_look_up_is_recorded_with_what_it_found(client, report, doctor):
    look_up(client, "0" * 64)
    client.force_login(doctor)
    look_up(client, report.pdf_sha256)
    unknown, known = AuditEvent.objects.filter(action="verify_document").order_by("id")
    assert (unknown.user, unknown.case_id, unknown.detail["known"]) == (None, None, False)
    assert (known.user, known.case_id, known.detail["state"]) == (doctor, report.study_id, "valid")


def test_one_address_may_look_up_so_many_documents_a_minute(client, db, monkeypatch):
    monkeypatch.setattr(verify.time, "time", lambda: 1_800_000_000.0)
    for _ in range(verify.LOOKUPS_PER_MINUTE):
        assert client.get(reverse("analyses:verify_lookup", args=["0" * 64])).status_code == 200
    refused = client.get(reverse("analyses:verify_lookup", args=["0" * 64]))
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "throttled", "60")
    assert client.post(reverse("analyses:verify"), {"document": "0" * 64}).status_code == 429
    assert client.get(reverse("analyses:verify")).status_code == 200
    elsewhere = client.get(reverse("analyses:verify_lookup", args=["0" * 64]), REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 200
    monkeypatch.setattr(verify.time, "time", lambda: 1_800_000_060.0)
    assert client.get(reverse("analyses:verify_lookup", args=["0" * 64])).status_code == 200
