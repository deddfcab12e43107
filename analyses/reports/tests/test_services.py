"""Issuing reports: once per state of a case, stored whole, ended when the case moves on, found again by anybody."""

import hashlib
import threading
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import F

from accounts.models import AuditEvent
from analyses.case_page import corrections
from analyses.errors import Conflict, ServiceError, StorageFull
from analyses.models import Analysis, Report, ReportKind, ReportState, Study
from analyses.pipeline import summary
from analyses.reading import services as reading
from analyses.record import cases
from analyses.reports import content as reports
from analyses.reports import services as report_services
from analyses.tests.factories import ADVISED, AnalysisFactory, ImageFactory, StudyFactory, result


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


@pytest.fixture
def quick_pdf(monkeypatch):
    """Draw nothing: these tests are about what happens around the drawing."""
    drawn = []

    def draw(report, review, analyses, further=None):
        drawn.append(report)
        return b"%PDF-1.7 " + report.pk.bytes

    monkeypatch.setattr(reports, "render", draw)
    return drawn


def stored_reports() -> list[str]:
    return default_storage.listdir("reports")[1] if default_storage.exists("reports") else []


def test_a_report_is_stored_with_its_hash_size_code_and_a_line_in_the_log(case, doctor):
    report = report_services.issue_report(case, doctor)
    content = report_services.report_bytes(report)
    assert content.startswith(b"%PDF-1.7")
    assert report.pdf_sha256 == hashlib.sha256(content).hexdigest()
    assert report.pdf_size_bytes == len(content)
    assert report.pdf_file in [f"reports/{name}" for name in stored_reports()]
    assert (report.kind, report.state, report.revision) == (ReportKind.PRELIMINARY, ReportState.VALID, case.revision)
    event = AuditEvent.objects.get(action="issue_report")
    assert (event.user, event.case_id, event.subject) == (doctor, case.pk, case.patient.patient_id)


def look_up(fingerprint: str) -> dict:
    return report_services.describe(report_services.find(fingerprint))


def test_asking_again_gives_the_same_report_and_draws_nothing(case, doctor, clerk, quick_pdf):
    first = report_services.issue_report(case, doctor)
    assert report_services.issue_report(case, clerk) == first
    assert len(quick_pdf) == 1


def test_every_change_of_the_case_makes_a_new_report_and_supersedes_the_old_one(case, doctor, quick_pdf):
    first = report_services.issue_report(case, doctor)
    cases.touch(case)
    assert look_up(first.pdf_sha256)["state"] == "superseded"
    second = report_services.issue_report(case, doctor)
    first.refresh_from_db()
    assert (first.state, second.state) == (ReportState.SUPERSEDED, ReportState.VALID)
    assert first.ended_at is not None
    assert report_services.report_bytes(first) != report_services.report_bytes(second)


def test_a_reassigned_case_has_only_void_reports_until_a_new_one_is_issued(case, doctor, quick_pdf):
    first = report_services.issue_report(case, doctor)
    cases.touch(case)
    second = report_services.issue_report(case, doctor)
    corrections.reassign(case, user=doctor, reason="wrong side", laterality="R")
    assert {look_up(report.pdf_sha256)["state"] for report in (first, second)} == {"void"}
    third = report_services.issue_report(case, doctor)
    assert look_up(third.pdf_sha256)["state"] == "valid"
    first.refresh_from_db()
    assert first.end_reason == "wrong side"


def test_a_report_that_was_ended_alone_does_not_block_the_next(case, doctor, quick_pdf):
    first = report_services.issue_report(case, doctor)
    report_services.supersede_reports(case)
    second = report_services.issue_report(case, doctor)
    assert second != first
    assert second.state == ReportState.VALID


def test_a_signed_case_that_was_corrected_gets_an_amended_report(case, doctor, quick_pdf):
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(case, doctor)
    assert report_services.issue_report(case, doctor).kind == ReportKind.FINAL
    corrections.reassign(case, user=doctor, reason="wrong side", laterality="R")
    assert report_services.issue_report(case, doctor).kind == ReportKind.AMENDED


def test_there_is_no_report_without_any_result_unless_the_case_is_signed(department, doctor, quick_pdf):
    study = StudyFactory(owner=department)
    AnalysisFactory(image=ImageFactory(study=study))
    with pytest.raises(Conflict) as caught:
        report_services.issue_report(study, doctor)
    assert caught.value.code == "no_result"
    Analysis.objects.update(status="failed", error_code="unreadable")
    summary.summarise(study)
    reading.save_reading(study, user=doctor, reading="cannot_tell", structure=ADVISED)
    reading.sign(study, doctor)
    assert report_services.issue_report(study, doctor).kind == ReportKind.FINAL


def test_one_answered_film_is_enough_for_a_preliminary_report(case, doctor, quick_pdf):
    AnalysisFactory(image=ImageFactory(study=case))
    assert report_services.issue_report(case, doctor).kind == ReportKind.PRELIMINARY


def test_an_undecided_contradiction_holds_the_report_back(case, doctor, quick_pdf):
    warning = {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    Analysis.objects.update(warnings=[warning, {"code": "burned_in_annotation"}])
    with pytest.raises(Conflict) as caught:
        report_services.issue_report(case, doctor)
    assert (caught.value.code, caught.value.status) == ("identity_unconfirmed", 409)
    Analysis.objects.update(warnings=[warning | {"confirmed": "typed"}, {"code": "burned_in_annotation"}])
    assert report_services.issue_report(case, doctor).state == ReportState.VALID


def test_a_case_that_changes_while_its_report_is_drawn_gets_the_report_of_what_it_became(case, doctor, monkeypatch):
    drawn = []

    def draw(report, review, analyses, further=None):
        drawn.append(report.revision)
        if len(drawn) == 1:
            Study.objects.filter(pk=case.pk).update(revision=F("revision") + 1)
        return b"%PDF " + report.pk.bytes

    monkeypatch.setattr(reports, "render", draw)
    report = report_services.issue_report(case, doctor)
    assert report.revision == Study.objects.get(pk=case.pk).revision
    assert drawn == [case.revision, case.revision + 1]
    assert len(stored_reports()) == Report.objects.count() == 1


def test_a_case_that_never_stands_still_is_refused_and_leaves_no_file(case, doctor, monkeypatch):
    def draw(report, review, analyses, further=None):
        Study.objects.filter(pk=case.pk).update(revision=F("revision") + 1)
        return b"%PDF " + report.pk.bytes

    monkeypatch.setattr(reports, "render", draw)
    with pytest.raises(Conflict) as caught:
        report_services.issue_report(case, doctor)
    assert caught.value.code == "busy"
    assert stored_reports() == []


def test_a_failure_after_storing_leaves_no_file_and_no_row(case, doctor, quick_pdf, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the log cannot be written")

    monkeypatch.setattr("accounts.audit.record", broken)
    with pytest.raises(RuntimeError):
        report_services.issue_report(case, doctor)
    assert stored_reports() == []
    assert not Report.objects.exists()


def test_a_full_disk_is_said_and_nothing_is_half_stored(case, doctor, quick_pdf, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", full)
    with pytest.raises(StorageFull):
        report_services.issue_report(case, doctor)
    assert not Report.objects.exists()


def test_a_stored_report_that_was_altered_or_lost_is_not_handed_out(case, doctor, quick_pdf):
    report = report_services.issue_report(case, doctor)
    with Path(default_storage.path(report.pdf_file)).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ServiceError) as altered:
        report_services.report_bytes(report)
    default_storage.delete(report.pdf_file)
    with pytest.raises(ServiceError) as lost:
        report_services.report_bytes(report)
    assert (altered.value.code, lost.value.code) == ("report_damaged", "report_missing")


def test_a_document_is_found_by_its_hash_and_by_its_code_however_typed(case, doctor, quick_pdf):
    report = report_services.issue_report(case, doctor)
    code = report.verification_code
    loose = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    for fingerprint in (report.pdf_sha256, report.pdf_sha256.upper(), code, loose):
        assert report_services.find(fingerprint) == report
    for fingerprint in ("f" * 64, "0000-0000-0000-0000", "", code[:-1]):
        assert look_up(fingerprint) == {"known": False}


def test_the_public_answer_names_state_date_and_kind_and_nothing_else(case, doctor, quick_pdf):
    report = report_services.issue_report(case, doctor)
    answer = look_up(report.pdf_sha256)
    assert set(answer) == {"known", "state", "issued_at", "kind"}
    assert (answer["known"], answer["state"], answer["kind"]) == (True, "valid", "preliminary")


def test_verification_codes_are_long_random_and_legible():
    codes = {report_services.new_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert not set(code) & set("ILOU")
        assert report_services.normal_code(code) == code


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_get_one_report(case, doctor, quick_pdf):
    if connection.vendor != "postgresql":
        pytest.skip("needs row locks of PostgreSQL (scripts/with_services)")
    issued, start = [], threading.Barrier(4)

    def ask():
        try:
            start.wait(10)
            issued.append(report_services.issue_report(case, doctor).pk)
        finally:
            connection.close()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join(30)
    assert len(issued) == 4
    assert len(set(issued)) == 1
    assert len(stored_reports()) == Report.objects.count() == 1
