"""Issued reports: made once for each state of a case, stored as issued, superseded or void afterwards."""

import secrets
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.answers.across import require_identity
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, ServiceError, StorageFull
from analyses.models import Analysis, ReadingState, Report, ReportKind, ReportState, Review, Status, Study
from analyses.record import cases, storage
from analyses.record.cases import CaseMoved
from analyses.reports import content as reports
from analyses.structured_reading import signature

# Crockford's base 32: no letter that reads like a digit. 16 letters are 80 random bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_GROUPS, GROUP_LENGTH = 4, 4


def issue_report(study: Study, user: User | None) -> Report:
    """The report of the case as it stands, made and stored when there is none yet.

    Everybody who asks while the case stays the same, also at the same moment, gets the same bytes.

    Raises:
        Conflict: ``read_first`` (it would show the model's answer to a doctor who is blind to it),
            ``identity_unconfirmed``, ``no_result``, ``busy``, ``letters_missing``.
        StorageFull: ``storage_full``.
    """
    busy = _("The case is being changed. Request the report again in a moment.")
    return cases.retry_if_moved(lambda: _report_of(study.pk, user), busy=busy)


def _report_of(study_id: UUID, user: User | None) -> Report:
    """The report of the case as it stands now, or CaseMoved."""
    current = Study.objects.select_related("patient", "department").get(pk=study_id)
    state = CaseState(current, user)
    state.require_unblinded()
    issued = Report.objects.filter(study=current, revision=current.revision).first()
    if issued is not None and issued.state == ReportState.VALID:
        return issued
    if issued is not None:
        # It was ended although the case stayed: what comes next belongs to a state of its own.
        Study.objects.filter(pk=current.pk, revision=current.revision).update(revision=F("revision") + 1)
        raise CaseMoved
    review = state.review
    analyses = snapshots.signed_analyses(state, review.reader if review else None)
    _check_reportable(review, analyses)
    return _issue(state, review, analyses, user)


def report_bytes(report: Report) -> bytes:
    """The PDF as issued.

    Raises:
        ServiceError: ``report_missing`` or ``report_damaged`` (500): the file is gone or no longer what was issued.
    """
    missing = _("The stored report is missing. Ask the operator to restore it from a backup.")
    damaged = _("The stored report is damaged. Ask the operator to restore it from a backup.")
    return storage.read_proven(
        report.pdf_file,
        report.pdf_sha256,
        missing=ServiceError("report_missing", missing, status=500),
        damaged=ServiceError("report_damaged", damaged, status=500),
    )


def void_reports(study: Study, reason: str) -> int:
    """Make every report of the case void, superseded ones too; the caller also touches the case."""
    open_ones = Report.objects.filter(study=study).exclude(state=ReportState.VOID)
    return open_ones.update(state=ReportState.VOID, ended_at=timezone.now(), end_reason=reason[:200])


def supersede_reports(study: Study) -> int:
    """Mark valid reports of the case as superseded and return how many; the caller also touches the case."""
    valid = Report.objects.filter(study=study, state=ReportState.VALID)
    return valid.update(state=ReportState.SUPERSEDED, ended_at=timezone.now())


def state_of(report: Report) -> str:
    """Valid only while the case stands as it stood when the report was issued."""
    if report.state == ReportState.VALID and report.revision != report.study.revision:
        return ReportState.SUPERSEDED
    return report.state


def find(fingerprint: str) -> Report | None:
    """The report with this sha256 (64 hex digits) or verification code, however it was typed."""
    text = "".join(fingerprint.split())
    rows = Report.objects.select_related("study")
    if len(text) == 64:
        return rows.filter(pdf_sha256=text.lower()).first()
    return rows.filter(verification_code=normal_code(text)).first()


def describe(report: Report | None) -> dict[str, Any]:
    """The public answer about a report; nothing in it leads to the case."""
    if report is None:
        return {"known": False}
    return {
        "known": True,
        "state": str(state_of(report)),
        "issued_at": timezone.localtime(report.issued_at).isoformat(timespec="seconds"),
        "kind": report.kind,
    }


def normal_code(typed: str) -> str:
    """A verification code as stored: upper case, in groups, with the letters that people confuse put right."""
    text = "".join(letter for letter in typed.upper() if letter.isalnum())
    text = text.translate(str.maketrans("OIL", "011"))
    return "-".join(text[at : at + GROUP_LENGTH] for at in range(0, len(text), GROUP_LENGTH))


def new_code() -> str:
    """A fresh random verification code."""
    return normal_code("".join(secrets.choice(ALPHABET) for _ in range(CODE_GROUPS * GROUP_LENGTH)))


def kind_of(study: Study, review: Review | None, analyses: list[Analysis]) -> ReportKind:
    """Preliminary until signed; amended after an addendum or a correction of what was signed."""
    if review is None or not review.is_signed:
        return ReportKind.PRELIMINARY
    if study.reading_state == ReadingState.AMENDED or not signature.covers(study, review, analyses):
        return ReportKind.AMENDED
    return ReportKind.FINAL


def _check_reportable(review: Review | None, analyses: list[Analysis]) -> None:
    differ = _("The entry and the file differ. A doctor of the department must confirm one of the two first.")
    require_identity(analyses, differ)
    signed = review is not None and review.is_signed
    if not signed and not any(analysis.status == Status.SUCCEEDED for analysis in analyses):
        raise Conflict(
            "no_result", _("There is no result to report yet. Wait for the analysis, or read and sign the case.")
        )


def _issue(state: CaseState, review: Review | None, analyses: list[Analysis], user: User | None) -> Report:
    study = state.study
    report = Report(
        study=study,
        revision=study.revision,
        kind=kind_of(study, review, analyses),
        verification_code=new_code(),
        issued_by=user,
        issued_at=timezone.now(),
    )
    pdf = reports.render(report, review, analyses, state.further)
    report.pdf_sha256 = storage.digest_of(pdf)
    report.pdf_size_bytes = len(pdf)
    report.pdf_file = _store(pdf)
    try:
        _keep(report, user)
    except IntegrityError as error:
        storage.discard(report.pdf_file)
        # Somebody else issued it first: theirs is the report.
        raise CaseMoved from error
    except BaseException:
        storage.discard(report.pdf_file)
        raise
    return report


@transaction.atomic
def _keep(report: Report, user: User | None) -> None:
    """Write the row, unless the case moved on while the report was drawn; earlier reports are superseded by it."""
    study, issued_at = report.study, report.issued_at
    if Study.objects.select_for_update(no_key=True).get(pk=study.pk).revision != report.revision:
        raise CaseMoved
    earlier = Report.objects.filter(study=study, state=ReportState.VALID, revision__lt=report.revision)
    earlier.update(state=ReportState.SUPERSEDED, ended_at=issued_at)
    report.save(force_insert=True)
    # The moment printed on the page, not that of the row.
    Report.objects.filter(pk=report.pk).update(issued_at=issued_at)
    report.issued_at = issued_at
    audit.record(
        "issue_report",
        user=user,
        department=study.department,
        obj=report,
        case_id=study.pk,
        subject=study.record_number,
        detail={"kind": report.kind, "revision": report.revision, "sha256": report.pdf_sha256},
    )


def _store(pdf: bytes) -> str:
    try:
        return storage.store_bytes("reports", pdf, ".pdf")
    except StorageFull as error:
        raise StorageFull(
            "storage_full", _("The file store is full. The report could not be stored. Inform the operator.")
        ) from error
