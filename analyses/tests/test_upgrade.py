"""A database of version 0.1.0 is brought to today's tables in place, and every row says what it said."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from analyses.models import Analysis, ModelHold, ReadingRevision, SavedFilter, Study, Task, UnaidedReading

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
VERSION_0_1_0 = [("accounts", "0005_language"), ("analyses", "0017_study_draws")]
THEN = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)


@pytest.fixture
def earlier():
    """The tables of version 0.1.0 as applications that make rows; today's come back at the end, whatever happens."""
    executor = MigrationExecutor(connection)
    executor.migrate(VERSION_0_1_0)
    yield executor.loader.project_state(VERSION_0_1_0).apps
    upgrade()


def upgrade() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_readings_filters_and_answers_of_the_first_version_are_found_after_the_upgrade(earlier):
    doctor = earlier.get_model("accounts", "User").objects.create(email="doctor@example.org")
    department = earlier.get_model("accounts", "Department").objects.create(name="Radiology")
    study = earlier.get_model("analyses", "Study").objects.create(
        department=department, created_by=doctor, reading_state="final"
    )
    image = earlier.get_model("analyses", "Image").objects.create(
        study=study, original_file="x", original_sha256="0" * 64, original_size_bytes=1
    )
    analysis = earlier.get_model("analyses", "Analysis").objects.create(
        image=image, department=department, requested_by=doctor, status="succeeded", outcome="benign", queued_at=THEN
    )
    own = earlier.get_model("analyses", "OwnReading").objects.create(
        study=study, reader=doctor, mode="own_first", reading="malignant", opened_at=THEN, locked_at=THEN
    )
    review = earlier.get_model("analyses", "Review").objects.create(study=study, reader=doctor, reading="benign")
    earlier.get_model("analyses", "ChangeOfMind").objects.create(
        own=own, review=review, reading="benign", direction="towards", answer_seen=True, own_reading_ms=1200,
        final_reading_ms=300, signed_at=THEN,
    )  # fmt: skip
    earlier.get_model("analyses", "SavedView").objects.create(user=doctor, name="Mine", query="state=open")
    earlier.get_model("analyses", "ModelHold").objects.create(
        modality="DX", set_by=doctor, set_at=THEN, reason="Scanner changed."
    )

    upgrade()

    kept = ReadingRevision.objects.get()
    assert (kept.unaided.reading, kept.unaided_reading_ms, kept.review.revision) == ("malignant", 1200, kept)
    assert Study.objects.get().unaided_readings.get() == UnaidedReading.objects.get(pk=own.pk)
    answered = Analysis.objects.get(pk=analysis.pk)
    assert (answered.task, answered.outcome) == (Task.TUMOUR, "benign")
    assert SavedFilter.objects.get().query == "state=open"
    assert ModelHold.objects.get().task == Task.TUMOUR
