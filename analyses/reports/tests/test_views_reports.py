"""The clerk's page, downloads and the archive: who finds what, and what the log keeps."""

import codecs
import csv
import io
import zipfile

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, RoleAssignment
from accounts.tests.factories import UserFactory
from analyses.models import Analysis, Report, Review, Study
from analyses.reading import services as reading
from analyses.reports import services as report_services
from analyses.reports import views as reports
from analyses.tests.factories import ADVISED, StudyFactory, result

pytestmark = pytest.mark.usefixtures("quick_pdf")


def case_of(department, *, sign_as=None, read="malignant", **fields) -> Study:
    study = StudyFactory(owner=department, **fields)
    result("malignant", study=study)
    if sign_as is not None:
        reading.save_reading(study, user=sign_as, reading=read, structure=ADVISED)
        reading.sign(study, sign_as)
    study.refresh_from_db()
    return study


@pytest.fixture
def unsigned(department):
    return case_of(department)


@pytest.fixture
def signed(department, doctor):
    return case_of(department, sign_as=doctor, accession_number="A/26 118", patient__patient_name="PATIENT KNEE")


def found(client, **query) -> list[Study]:
    return list(client.get(reverse("analyses:report_list"), query).context["rows"])


def archive_of(response) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))


# --- the list ---------------------------------------------------------------------------------------------------
def test_a_clerk_finds_a_case_right_after_the_signature_and_not_before(client, clerk, doctor, department):
    study = case_of(department)
    client.force_login(clerk)
    assert found(client) == []
    reading.save_reading(study, user=doctor, reading="benign")
    assert found(client) == []
    reading.sign(study, doctor)
    assert found(client) == [study]


def test_nobody_finds_reports_of_another_department(client, second_doctor, signed):
    client.force_login(second_doctor)
    assert found(client) == []
    other_clerk = UserFactory(department=second_doctor.department, roles=["clerk"])
    client.force_login(other_clerk)
    assert found(client) == []


def test_a_doctor_also_finds_preliminary_reports_once_issued(client, doctor, signed, unsigned):
    client.force_login(doctor)
    assert found(client) == [signed]
    report_services.issue_report(unsigned, doctor)
    assert found(client) == [signed, unsigned]
    assert found(client, kind="preliminary") == [unsigned]
    assert found(client, kind="signed") == [signed]


def test_a_clerk_is_not_offered_preliminary_reports(client, clerk, signed, unsigned, doctor):
    report_services.issue_report(unsigned, doctor)
    client.force_login(clerk)
    page = client.get(reverse("analyses:report_list"), {"kind": "preliminary"})
    assert list(page.context["rows"]) == [signed]
    assert "kind" not in page.context["form"].fields


@pytest.mark.parametrize("words", ["KNEE", "patient kn", "26 118", "A/26"])
def test_words_are_looked_for_in_number_name_and_accession_number(client, clerk, signed, department, doctor, words):
    case_of(department, sign_as=doctor, patient__patient_name="OTHER", accession_number="B-9")
    client.force_login(clerk)
    assert found(client, q=words) == [signed]
    assert found(client, q=signed.patient.patient_id) == [signed]


def test_reading_reader_and_signing_date_narrow_the_list(client, clerk, doctor, department, signed):
    colleague = UserFactory(email="colleague@example.org", department=department, roles=["doctor"])
    old = case_of(department, sign_as=colleague, read="benign")
    Review.objects.filter(study=old).update(signed_at=timezone.now() - timezone.timedelta(days=30))
    client.force_login(clerk)
    today = timezone.localdate()
    assert found(client) == [signed, old]
    assert found(client, reading="benign") == [old]
    assert found(client, reader=str(colleague.pk)) == [old]
    assert found(client, signed_from=str(today - timezone.timedelta(days=1))) == [signed]
    assert found(client, signed_to=str(today - timezone.timedelta(days=1))) == [old]
    assert found(client, q="nothing like this") == []


def test_a_filter_that_is_not_understood_is_named_and_finds_nothing(client, clerk, signed):
    client.force_login(clerk)
    page = client.get(reverse("analyses:report_list"), {"signed_from": "soon"})
    assert page.status_code == 400
    assert page.context["form"].errors["signed_from"]
    assert list(page.context["rows"]) == []


def test_readers_of_other_departments_are_not_offered(client, clerk, signed, second_doctor, doctor):
    case_of(second_doctor.department, sign_as=second_doctor)
    client.force_login(clerk)
    page = client.get(reverse("analyses:report_list"))
    assert list(page.context["form"].fields["reader"].queryset) == [doctor]


def test_the_list_asks_the_database_equally_often_for_one_and_many(
    client, clerk, department, doctor, signed, django_assert_max_num_queries
):
    client.force_login(clerk)
    for _ in range(6):
        case_of(department, sign_as=doctor)
    with django_assert_max_num_queries(18):
        client.get(reverse("analyses:report_list"))


def test_listing_and_searching_are_recorded(client, clerk, signed):
    client.force_login(clerk)
    found(client)
    found(client, q="KNEE")
    events = AuditEvent.objects.filter(user=clerk, detail__page="reports").order_by("id")
    assert [(event.action, event.subject, event.detail["rows"]) for event in events] == [
        ("list_cases", "", 1),
        ("search_cases", "KNEE", 1),
    ]


def test_empty_pages_say_why(client, clerk, department, doctor):
    client.force_login(clerk)
    assert b"No report yet" in client.get(reverse("analyses:report_list")).content
    case_of(department, sign_as=doctor)
    assert b"No matches" in client.get(reverse("analyses:report_list"), {"q": "zzz"}).content


# --- downloads --------------------------------------------------------------------------------------------------
def test_a_download_is_the_stored_pdf_as_an_attachment_that_no_cache_keeps(client, clerk, signed):
    client.force_login(clerk)
    response = client.get(reverse("analyses:case_report", args=[signed.pk]))
    report = Report.objects.get(study=signed, state="valid")
    assert response.content == report_services.report_bytes(report)
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="report-A-26-118.pdf"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    event = AuditEvent.objects.get(action="download_report")
    assert (event.user, event.case_id, event.subject) == (clerk, signed.pk, signed.patient.patient_id)


def test_a_clerk_cannot_get_an_unsigned_report_by_its_address(client, clerk, doctor, unsigned):
    report = report_services.issue_report(unsigned, doctor)
    client.force_login(clerk)
    for name, key in (("case_report", unsigned.pk), ("report_download", report.pk)):
        assert client.get(reverse(f"analyses:{name}", args=[key])).status_code == 404
    assert AuditEvent.objects.filter(action="access_denied", user=clerk, allowed=False).count() == 2
    assert not AuditEvent.objects.filter(action="download_report").exists()


def test_another_department_gets_nothing(client, second_doctor, signed, doctor):
    report = report_services.issue_report(signed, doctor)
    client.force_login(second_doctor)
    for name, key in (("case_report", signed.pk), ("report_download", report.pk)):
        assert client.get(reverse(f"analyses:{name}", args=[key])).status_code == 404
    assert AuditEvent.objects.filter(action="access_denied", user=second_doctor).count() == 2


@pytest.mark.parametrize("who", ["administrator", "auditor"])
def test_people_without_the_right_are_refused(client, request, who, signed, doctor):
    report = report_services.issue_report(signed, doctor)
    client.force_login(request.getfixturevalue(who))
    assert client.get(reverse("analyses:report_list")).status_code == 403
    assert client.post(reverse("analyses:report_archive")).status_code == 403
    assert client.get(reverse("analyses:case_report", args=[signed.pk])).status_code == 403
    assert client.get(reverse("analyses:report_download", args=[report.pk])).status_code == 403


def test_a_doctor_downloads_preliminary_and_earlier_reports(client, doctor, unsigned):
    first = report_services.issue_report(unsigned, doctor)
    reading.save_reading(unsigned, user=doctor, reading="benign")
    client.force_login(doctor)
    assert client.get(reverse("analyses:report_download", args=[first.pk])).content == report_services.report_bytes(
        first
    )
    now = client.get(reverse("analyses:case_report", args=[unsigned.pk]))
    assert now.status_code == 200
    assert now.content != report_services.report_bytes(first)
    states = AuditEvent.objects.filter(action="download_report").order_by("id").values_list("detail__state", flat=True)
    assert list(states) == ["superseded", "valid"]


def test_a_clerk_who_is_also_a_doctor_gets_preliminary_ones(client, clerk, unsigned):
    RoleAssignment.objects.create(user=clerk, role="doctor")
    client.force_login(clerk)
    assert client.get(reverse("analyses:case_report", args=[unsigned.pk])).status_code == 200


def test_a_report_that_must_wait_is_refused_with_its_reason_and_the_way_on(client, doctor, unsigned):
    warning = {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    Analysis.objects.update(warnings=[warning])
    client.force_login(doctor)
    response = client.get(reverse("analyses:case_report", args=[unsigned.pk]))
    assert response.status_code == 409
    assert b"identity_unconfirmed" in response.content
    assert reverse("analyses:case", args=[unsigned.pk]).encode() in response.content


def test_nobody_signed_in_gets_nothing(client, signed):
    for name, args in (("report_list", []), ("case_report", [signed.pk])):
        assert client.get(reverse(f"analyses:{name}", args=args)).status_code == 302


# --- the archive ------------------------------------------------------------------------------------------------
def test_an_archive_holds_the_chosen_reports_with_a_list_and_is_recorded_for_each_case(
    client, clerk, doctor, department, signed
):
    second = case_of(department, sign_as=doctor, accession_number="A 26-118")
    third = case_of(department, sign_as=doctor, accession_number="", patient__patient_name="=cmd|' /C calc'!A0")
    client.force_login(clerk)
    chosen = [str(study.pk) for study in (signed, second, third)]
    response = client.post(reverse("analyses:report_archive"), {"case": chosen})
    assert response["Content-Type"] == "application/zip"
    assert "no-store" in response["Cache-Control"]
    archive = archive_of(response)
    assert archive.testzip() is None
    codes = {report.study_id: report.verification_code for report in Report.objects.all()}
    names = ["report-A-26-118.pdf", f"report-A-26-118-{codes[second.pk]}.pdf", f"report-{codes[third.pk]}.pdf"]
    assert archive.namelist() == [*names, "index.csv"]
    for study, name in zip((signed, second, third), names, strict=True):
        assert archive.read(name) == report_services.report_bytes(Report.objects.get(study=study))
    assert archive.read("index.csv").startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(archive.read("index.csv").decode("utf-8-sig"))))
    assert [row["file"] for row in rows] == names
    assert rows[0]["patient_id"] == signed.patient.patient_id
    assert rows[0]["signed_by"] == doctor.email
    assert rows[2]["patient_name"].startswith("'=cmd")
    events = AuditEvent.objects.filter(action="download_archive", user=clerk)
    assert {event.case_id for event in events} == {signed.pk, second.pk, third.pk}
    assert {event.detail["reports"] for event in events} == {3}


def test_an_archive_with_a_case_that_the_clerk_may_not_have_is_refused_whole(
    client, clerk, doctor, signed, unsigned, second_doctor
):
    foreign = case_of(second_doctor.department, sign_as=second_doctor)
    client.force_login(clerk)
    for bad in (unsigned.pk, foreign.pk, "no-uuid"):
        response = client.post(reverse("analyses:report_archive"), {"case": [str(signed.pk), str(bad)]})
        assert response.status_code == 404
    assert not AuditEvent.objects.filter(action="download_archive").exists()
    assert AuditEvent.objects.filter(action="access_denied", user=clerk).count() == 2


def test_nothing_or_too_much_chosen_is_said(client, clerk, doctor, department, signed, monkeypatch):
    monkeypatch.setattr(reports, "ARCHIVE_LIMIT", 1)
    second = case_of(department, sign_as=doctor)
    client.force_login(clerk)
    for chosen in ([], [str(signed.pk), str(second.pk)]):
        response = client.post(reverse("analyses:report_archive"), {"case": chosen}, follow=True)
        assert b"Choose 1 to 1 reports" in response.content
    assert not AuditEvent.objects.filter(action="download_archive").exists()


def test_an_archive_is_made_of_all_reports_or_none(client, clerk, doctor, signed, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", full)
    client.force_login(clerk)
    response = client.post(reverse("analyses:report_archive"), {"case": [str(signed.pk)]}, follow=True)
    assert b"No archive was created." in response.content


def test_an_archive_is_not_made_by_following_a_link(client, clerk):
    client.force_login(clerk)
    assert client.get(reverse("analyses:report_archive")).status_code == 405
