"""Made reader studies for tests: signed cases, their readers, and a way to read them."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from analyses.evidence.reader_studies import reading, services
from analyses.models import ReaderStudy, ReaderStudyReader, ReaderStudyReading, Review, Study
from analyses.tests.factories import REGION, StudyFactory, result

TRUTHS = ("malignant", "benign", "malignant", "normal")
Judge = Callable[[ReaderStudyReading], tuple[str, int | None]]


def signed_in(user: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def signed_case(department: Any, outcome: str = "malignant", reader: User | None = None, **fields: Any) -> Study:
    """A case with one film and one answer, signed."""
    case = StudyFactory(owner=department)
    result(outcome, study=case, regions=[REGION], **fields)
    Study.objects.filter(pk=case.pk).update(reading_state="final")
    signer = reader or UserFactory(department=department, roles=["doctor"])
    Review.objects.create(study=case, reader=signer, reading="benign", signed_at=timezone.now())
    case.refresh_from_db()
    return case


def draft(department: Any, by: User, *, cases: int = 4, readers: int = 2, washout_days: int = 28) -> ReaderStudy:
    """A reader study with cases and readers, not yet started."""
    reader_study = services.create_reader_study(
        name="Knee films", department=department, washout_days=washout_days, by=by
    )
    rows = [(str(signed_case(department).pk), TRUTHS[index % len(TRUTHS)]) for index in range(cases)]
    services.add_cases(reader_study, rows, by)
    for _ in range(readers):
        services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), by)
    return reader_study


def started(department: Any, by: User, **fields: Any) -> ReaderStudy:
    """An open reader study."""
    reader_study = draft(department, by, **fields)
    services.start(reader_study, by)
    reader_study.refresh_from_db()
    return reader_study


def plain_judge(row: ReaderStudyReading) -> tuple[str, int | None]:
    """Right, and surer with the answer."""
    sure = 90 if row.condition == "with" else 70
    return ("malignant", sure) if row.study_case.is_malignant else ("benign", 100 - sure)


def read_session(reader: ReaderStudyReader, judge: Judge = plain_judge, limit: int = 1000) -> int:
    """Read on through the services until the session ends; how many cases were read."""
    count, session = 0, None
    while count < limit:
        found = reading.open_next(reader, reader.user)
        session = session or found.session
        if found.reading is None or found.session != session:
            break
        word, likelihood = judge(found.reading)
        reading.submit(found.reading.pk, reader.user, reading=word, likelihood=likelihood)
        count += 1
    return count
