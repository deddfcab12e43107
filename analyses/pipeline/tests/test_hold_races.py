"""A case that is signed while a hold looks for the unsigned ones keeps what its reader saw."""

from contextlib import contextmanager

import pytest
from django.db import transaction

from analyses.models import Analysis, ReadingState, Report, Study
from analyses.pipeline import holds
from analyses.reports import services as reports
from analyses.tests.factories import StudyFactory, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(department) -> list[Analysis]:
    return [result("malignant", study=StudyFactory(owner=department)) for _ in range(2)]


def sign_before_the_lock(monkeypatch, study: Study) -> None:
    """Between the list of the unsigned cases and their lock, as another process does it."""
    real = transaction.atomic

    class Between:
        @staticmethod
        @contextmanager
        def atomic():
            with real():
                Study.objects.filter(pk=study.pk).update(reading_state=ReadingState.FINAL)
                yield

    monkeypatch.setattr(holds, "transaction", Between)


@pytest.mark.parametrize("back", [False, True])
def test_a_case_signed_between_list_and_lock_is_left_alone(two, doctor, administrator, monkeypatch, quick_pdf, back):
    late, other = two
    if back:
        holds.withhold_for_all(reason="drift", by=administrator)
    study = late.image.study
    study.refresh_from_db()
    report = reports.issue_report(study, doctor) if not back else None
    before = Analysis.objects.filter(pk=late.pk).values().get(), Study.objects.filter(pk=study.pk).values().get()
    if back:
        monkeypatch.setattr(holds, "in_force", lambda use: None)
    else:
        monkeypatch.setattr(holds, "in_force", lambda use: object())
    sign_before_the_lock(monkeypatch, study)
    assert holds.apply_to_unsigned() == 1
    assert Analysis.objects.filter(pk=late.pk).values().get() == before[0]
    after = Study.objects.filter(pk=study.pk).values().get()
    assert after == before[1] | {"reading_state": ReadingState.FINAL}
    if report is not None:
        assert Report.objects.get(pk=report.pk).state == "valid"
    changed = Analysis.objects.get(pk=other.pk)
    assert changed.outcome == ("malignant" if back else "withheld")
