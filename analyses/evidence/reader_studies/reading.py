"""One reader's sessions: one case after the other, each opened, submitted once, and never seen again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.errors import Conflict, invalid_field
from analyses.evidence.reader_studies.services import is_eligible, lock
from analyses.models import Condition, ReaderStudyCase, ReaderStudyReader, ReaderStudyReading, Reading, Task
from analyses.pipeline import holds
from analyses.registry.uses import RADIOGRAPHS, IntendedUse


@dataclass(frozen=True)
class ReaderProgress:
    """How far a reader has come.

    Attributes:
        reading: what is to be read now; None while the wash-out or a hold lasts and at the end.
        session: 1 or 2; done, total: readings of that session.
        opens_at: when session 2 opens, while the wash-out keeps it shut.
        finished: both sessions are read.
        held: the next case comes with the model's answer, and that is withheld from everybody at present.
    """

    reading: ReaderStudyReading | None
    session: int
    done: int
    total: int
    opens_at: datetime | None = None
    finished: bool = False
    held: bool = False


def with_progress(readers: QuerySet[ReaderStudyReader]) -> QuerySet[Any]:
    """The readers with what ``progress`` needs, in one query for all of them."""
    first, second, done = Q(readings__session=1), Q(readings__session=2), Q(readings__submitted_at__isnull=False)
    return readers.select_related("reader_study", "user").annotate(
        first_total=Count("readings", filter=first),
        first_done=Count("readings", filter=first & done),
        second_total=Count("readings", filter=second),
        second_done=Count("readings", filter=second & done),
        first_ended_at=Max("readings__submitted_at", filter=first),
    )


def progress(row: Any) -> ReaderProgress:
    """How far a reader of ``with_progress`` has come, without the reading that comes next."""
    if row.first_done < row.first_total:
        return ReaderProgress(None, 1, row.first_done, row.first_total)
    if row.second_done == row.second_total:
        return ReaderProgress(None, 2, row.second_done, row.second_total, finished=True)
    opens_at = None
    if row.washout_waived_at is None and row.first_ended_at is not None:
        opens_at = row.first_ended_at + timedelta(days=row.reader_study.washout_days)
    shut = opens_at is not None and opens_at > timezone.now()
    return ReaderProgress(None, 2, row.second_done, row.second_total, opens_at if shut else None)


def current_progress(reader: ReaderStudyReader) -> ReaderProgress:
    """How far this reader has come, with the reading that comes next; the same for every tab."""
    found = progress(with_progress(ReaderStudyReader.objects.filter(pk=reader.pk)).get())
    if found.finished or found.opens_at is not None:
        return found
    to_come = reader.readings.filter(session=found.session, submitted_at=None).select_related("study_case__case")
    return replace(found, reading=to_come.order_by("position").first())


@transaction.atomic
def open_next(reader: ReaderStudyReader, user: User) -> ReaderProgress:
    """The reader's progress; the case to be read counts as opened from now, if it was not before.

    While the model is withheld for all, a case that is due with its answer waits, and the reader with it. To show it
    without the answer would spoil the comparison: the reading cannot be had again, and it would count as one *with*.

    Raises:
        Conflict: ``not_open``, ``not_a_reader``.
    """
    _require_reader(reader, user)
    found = current_progress(reader)
    reading = found.reading
    if reading is not None and is_held(reading):
        return replace(found, reading=None, held=True)
    if reading is not None and reading.opened_at is None:
        now = timezone.now()
        ReaderStudyReading.objects.filter(pk=reading.pk, opened_at=None).update(opened_at=now)
        reading.opened_at = now
        audit.record("view_study_case", user=user, obj=reading, case_id=reading.study_case.case_id)
    return found


def is_held(reading: ReaderStudyReading) -> bool:
    """Whether this reading would show an answer that is withheld from everybody at present."""
    return reading.condition == Condition.WITH and any_is_held([reading.study_case])


def any_is_held(cases: Iterable[ReaderStudyCase]) -> bool:
    """Whether an answer of these cases is withheld from everybody at present; an image without one has none to keep.

    Cases that were kept before the answers named a modality are radiographs.
    """
    answers = (film["answer"] for case in cases for film in case.films)
    kept = {answer.get("modality", RADIOGRAPHS) for answer in answers if answer["outcome"] in holds.HELD_BACK}
    return any(holds.in_force(IntendedUse(modality, Task.TUMOUR)) is not None for modality in sorted(kept))


@transaction.atomic
def submit(reading_id: UUID, user: User, *, reading: str, likelihood: int | None) -> ReaderStudyReading:
    """Keep one reading for good; also one that was opened before a hold, which its reader saw as it was to be seen.

    Args:
        likelihood: of malignancy, 0 to 100; None for *cannot tell*, which has none.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``not_open``, ``not_a_reader``, ``already_submitted``, ``not_opened``.
    """
    _check(reading, likelihood)
    row = ReaderStudyReading.objects.select_related("reader__reader_study", "study_case").get(pk=reading_id)
    _require_reader(row.reader, user)
    # The reader study is locked by now: whoever came first has written.
    row.refresh_from_db(fields=["opened_at", "submitted_at"])
    if row.is_submitted:
        raise Conflict("already_submitted", _("This case has already been submitted. The first submission counts."))
    if row.opened_at is None or current_progress(row.reader).reading != row:
        raise Conflict("not_opened", _("This is not the current case. Reload the page."))
    row.reading, row.likelihood, row.submitted_at = reading, likelihood, timezone.now()
    row.save(update_fields=["reading", "likelihood", "submitted_at"])
    audit.record("submit_study_reading", user=user, obj=row, case_id=row.study_case.case_id)
    return row


def _require_reader(reader: ReaderStudyReader, user: User) -> None:
    """Lock the reader study, and refuse a user who may not read in it now."""
    require(user, Action.READ_CASE)
    reader_study = lock(reader.reader_study_id)
    if reader.user_id != user.pk or not is_eligible(user, reader_study):
        raise Conflict("not_a_reader", _("You are not a reader in this study."))
    if not reader_study.is_open:
        raise Conflict("not_open", _("The study is closed. Readings can no longer be submitted."))


def _check(reading: str, likelihood: Any) -> None:
    if reading not in Reading.values:
        raise invalid_field("reading", _("Choose a reading."))
    if reading == Reading.CANNOT_TELL:
        if likelihood is not None:
            raise invalid_field("likelihood", _("Leave the likelihood empty for cannot tell."))
    elif likelihood is None or not 0 <= likelihood <= 100:
        raise invalid_field("likelihood", _("Enter the likelihood of malignancy, 0 to 100."))
