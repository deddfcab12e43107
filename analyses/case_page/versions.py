"""The states that a reading went through: signed, added to, and issued as a report."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from analyses.blinding.case_state import CaseState
from analyses.models import Report, Review, Study
from analyses.reports import services as report_services


@dataclass(frozen=True)
class Version:
    """One state: ``kind`` is signed, addendum or report; ``row`` what it was."""

    kind: str
    at: datetime
    who: Any
    sha256: str
    row: Any
    state: str = ""


def versions_of(study: Study, user: User) -> list[Version]:
    """All states, the newest first; superseded and void reports stay readable.

    Reports hold the model's answer: they are left out for whoever must not see it yet. A reader of an open study that
    holds the case sees no earlier reading of it either.
    """
    state = CaseState(study, user)
    if state.hidden_by_reader_study:
        return []
    reports = Report.objects.filter(study=study).select_related("issued_by", "study")
    found = [
        Version(
            kind="report",
            at=report.issued_at,
            who=report.issued_by,
            sha256=report.pdf_sha256,
            row=report,
            state=report_services.state_of(report),
        )
        for report in (reports if state.sees_model else reports.none())
    ]
    review = Review.objects.filter(study=study, signed_at__isnull=False).select_related("reader").first()
    if review is not None and review.signed_at is not None:
        found.append(
            Version("signed", review.signed_at, review.signed_as or review.reader, review.signed_sha256, review)
        )
        addenda = review.addenda.select_related("author")
        found += [Version("addendum", row.created_at, row.signed_as or row.author, "", row) for row in addenda]
    return sorted(found, key=lambda version: version.at, reverse=True)
