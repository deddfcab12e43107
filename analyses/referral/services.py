"""Referral to the bone tumour centre before biopsy: letter, films and report as one archive, made with one click."""

import io
import re
import uuid
import zipfile
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from accounts.services import portal_settings
from analyses.answers.across import require_identity
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, ServiceError
from analyses.models import Analysis, Outcome, Reading, Referral, Report, Review, Study
from analyses.record import cases, storage
from analyses.record.cases import CaseMoved
from analyses.referral import letter as letters
from analyses.referral.letter import Enclosed
from analyses.reports import archive as report_archive
from analyses.reports import services as reports

# Likelihood of malignancy (0 to 100) from which a reading asks for a referral whatever its word.
LIKELY = 50
LETTER = "letter.pdf"


def is_suspicious(state: CaseState, review: Review | None) -> bool:
    """Whether a referral is offered: by the reading as far as it is shown, or by the model's answer where that is."""
    by_reading = review is not None and (review.reading == Reading.MALIGNANT or (review.likelihood or 0) >= LIKELY)
    return by_reading or (state.sees_model and snapshots.answered_outcome(state) == Outcome.MALIGNANT)


def shown_reading(state: CaseState, review: Review | None) -> Review | None:
    """The reading as far as this user may lean on it.

    A colleague's may follow the answer that is hidden still, and is hidden itself from who is asked for a second one.
    """
    if review is None or (state.user is not None and review.reader_id == state.user.pk):
        return review
    return review if state.sees_model and not state.hides_first_reading else None


def refer(study: Study, user: User) -> Referral:
    """Make the archive of a suspicious case as it stands; asking twice for the same state gives the same archive.

    A user who must not see the model's answer yet gets an archive without it: the letter leaves it out, and the report,
    which holds it, is not enclosed.

    Raises:
        Conflict: ``unassigned``, ``not_suspicious``, ``identity_unconfirmed``, ``no_film``, ``busy``.
        StorageFull: ``storage_full``.
    """
    require(user, Action.READ_CASE)
    busy = _("The case is being changed. Try again in a moment.")
    return cases.retry_if_moved(lambda: _referral_of(study.pk, user), busy=busy)


def _referral_of(study_id: UUID, user: User) -> Referral:
    """The referral of the case as it stands now, or CaseMoved."""
    current = Study.objects.select_related("patient", "department").get(pk=study_id)
    state = CaseState(current, user)
    seen, review = state.sees_model, shown_reading(state, state.review)
    analyses = snapshots.signed_analyses(state, user)
    _check(state, review, analyses)
    same = Referral.objects.filter(study=current, revision=current.revision, made_by=user, with_answer=seen)
    same = same.filter(voided_at__isnull=True)
    return same.first() or _make(current, review, analyses, user, seen)


def archive_bytes(referral: Referral) -> bytes:
    """The archive as made.

    Raises:
        ServiceError: ``archive_missing`` or ``archive_damaged`` (500).
    """
    missing = _("The stored archive is missing. Ask the operator to restore it from a backup.")
    damaged = _("The stored archive is damaged. Ask the operator to restore it from a backup.")
    return storage.read_proven(
        referral.archive_file,
        referral.archive_sha256,
        missing=ServiceError("archive_missing", missing, status=500),
        damaged=ServiceError("archive_damaged", damaged, status=500),
    )


def _check(state: CaseState, review: Review | None, analyses: list[Analysis]) -> None:
    if not is_suspicious(state, review):
        raise Conflict(
            "not_suspicious",
            _("Neither the model nor a reading calls this case suspicious. Save a suspicious reading, then refer."),
        )
    if state.study.patient_id is None:
        raise Conflict("unassigned", _("The case has no patient. Assign a patient, then refer."))
    require_identity(analyses, _("The entry and the file differ. Confirm one of the two, then refer."))
    if not any(analysis.image.canonical_file for analysis in analyses):
        raise Conflict("no_film", _("This case has no displayable film. Add a readable film, then refer."))


def _make(study: Study, review: Review | None, analyses: list[Analysis], user: User, seen: bool) -> Referral:
    made_at, key = timezone.now(), uuid.uuid4()
    report = _report(study, user) if seen else None
    if report is not None and report.revision != study.revision:
        raise CaseMoved
    files = _films(analyses)
    films = len(files)
    if report is not None:
        files[report_archive.file_name(report)] = reports.report_bytes(report)
    letter = letters.render(
        key,
        study,
        review,
        analysis=letters.most_suspicious(analyses) if seen else None,
        enclosed=[Enclosed(name, storage.digest_of(data)) for name, data in files.items()],
        user=user,
        made_at=made_at,
    )
    archive = _zip({LETTER: letter, **files}, made_at)
    referral = Referral(
        pk=key,
        study=study,
        revision=study.revision,
        reading_state=study.reading_state,
        recipient=portal_settings().tumour_centre,
        report=report,
        with_answer=seen,
        films=films,
        archive_sha256=storage.digest_of(archive),
        archive_size_bytes=len(archive),
        letter_sha256=storage.digest_of(letter),
        made_by=user,
        made_at=made_at,
    )
    referral.archive_file = storage.store_bytes("referrals", archive, ".zip")
    try:
        _keep(referral)
    except BaseException:
        storage.discard(referral.archive_file)
        raise
    return referral


@transaction.atomic
def _keep(referral: Referral) -> None:
    """Write the row, unless the case moved on while the archive was made."""
    locked = cases.lock(referral.study_id)
    if locked.revision != referral.revision:
        raise CaseMoved
    referral.save(force_insert=True)
    audit.record(
        "refer",
        user=referral.made_by,
        obj=referral,
        case_id=locked.pk,
        subject=locked.record_number,
        detail={
            "films": referral.films,
            "report": str(referral.report_id or ""),
            "sha256": referral.archive_sha256,
            "reading_state": referral.reading_state,
        },
    )


def _report(study: Study, user: User) -> Report | None:
    """The report of the case as it stands; None where there is nothing to report yet."""
    try:
        return reports.issue_report(study, user)
    except Conflict as conflict:
        if conflict.code == "no_result":
            return None
        raise


def _films(analyses: list[Analysis]) -> dict[str, bytes]:
    """The canonical images (re-encoded PNG, never an upload), by name."""
    shown = [analysis.image for analysis in analyses if analysis.image.canonical_file]
    named = {f"film-{number}{_view(image.view_position)}.png": image for number, image in enumerate(shown, start=1)}
    return {name: storage.read(image.canonical_file) for name, image in named.items()}


def _view(position: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "-", position.lower()).strip("-")[:20]
    return f"-{word}" if word else ""


def _zip(files: dict[str, bytes], made_at: datetime) -> bytes:
    """An archive of files that do not shrink any more: stored, not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=timezone.localtime(made_at).timetuple()[:6])
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
