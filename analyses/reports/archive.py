"""Several reports as one ZIP archive, written while it is sent, with a list of what it holds."""

import io
import re
import zipfile
from collections.abc import Iterator

from django.utils import timezone

from accounts.csv_lines import csv_lines, safe_cell
from analyses.models import Report
from analyses.reports import services as report_services

HEAD = (
    "file",
    "patient_id",
    "patient_name",
    "accession_number",
    "study_date",
    "reading",
    "signed_by",
    "signed_at",
    "report",
    "verification_code",
    "sha256",
)
INDEX = "index.csv"


class _Pipe(io.RawIOBase):
    """A file without a way back: what is written is taken out again and sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def file_name(report: Report) -> str:
    """A name that no file system minds: the accession number, or the verification code where there is none."""
    number = re.sub(r"[^A-Za-z0-9-]+", "-", report.study.accession_number).strip("-")[:48]
    return f"report-{number or report.verification_code}.pdf"


def stream(reports: list[Report]) -> Iterator[bytes]:
    """The bytes of the archive, one report in memory at a time; PDFs are stored as they are, they do not shrink.

    Args:
        reports: issued ones, with study, patient, review and reader.
    """
    pipe, names = _Pipe(), _unique_names(reports)
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for report, name in zip(reports, names, strict=True):
            archive.writestr(_entry(name), report_services.report_bytes(report))
            yield pipe.take()
        archive.writestr(_entry(INDEX), _index(reports, names))
    yield pipe.take()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=timezone.localtime().timetuple()[:6])
    entry.external_attr = 0o600 << 16
    return entry


def _unique_names(reports: list[Report]) -> list[str]:
    names: list[str] = []
    for report in reports:
        name = file_name(report)
        names.append(name if name not in names else f"{name[:-4]}-{report.verification_code}.pdf")
    return names


def _index(reports: list[Report], names: list[str]) -> str:
    return "".join(csv_lines([HEAD, *_index_rows(reports, names)]))


def _index_rows(reports: list[Report], names: list[str]) -> Iterator[list[str]]:
    for report, name in zip(reports, names, strict=True):
        study, review = report.study, getattr(report.study, "review", None)
        patient = study.patient
        cells = (
            name,
            patient.patient_id if patient else "",
            patient.patient_name if patient else "",
            study.accession_number,
            str(study.study_date or ""),
            review.reading if review and review.is_signed else "",
            str(review.reader) if review and review.is_signed else "",
            timezone.localtime(review.signed_at).isoformat(timespec="seconds") if review and review.signed_at else "",
            report.kind,
            report.verification_code,
            report.pdf_sha256,
        )
        yield [safe_cell(cell) for cell in cells]
