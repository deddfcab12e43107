"""A hold and an open reader study: what is due with the model's answer waits, and nothing of the answer is shown."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import UserFactory
from analyses.evidence.reader_studies import reading, services
from analyses.evidence.reader_studies.tests import plain_judge, read_session, signed_case
from analyses.models import ReaderStudyReading
from analyses.pipeline import holds

pytestmark = pytest.mark.django_db
WAITS = "Your next case is on hold"


def hold(administrator) -> None:
    holds.withhold_for_all(reason="drift", by=administrator)


def lift(administrator) -> None:
    holds.lift(reason="repaired", by=administrator)


def url(reader_study) -> str:
    return reverse("analyses:reader_study_read", args=[reader_study.pk])


def read_until(reader, condition) -> ReaderStudyReading:
    """Read on until a case in this condition is next, and return it unopened."""
    while True:
        following = reading.current_progress(reader).reading
        if following.condition == condition:
            return following
        read_session(reader, limit=1)


def test_a_case_that_is_due_with_the_answer_waits_until_the_hold_is_lifted(administrator, reader_study, reader, page):
    row = read_until(reader, "with")
    hold(administrator)
    shown = page.get(url(reader_study)).content.decode()
    assert WAITS in shown
    for words in ("Second opinion", "Suspicious for malignancy", "0.80", "outline"):
        assert words not in shown
    row.refresh_from_db()
    assert row.opened_at is None
    assert page.get(reverse("analyses:reader_study_film", args=[row.pk, 1])).status_code == 404
    lift(administrator)
    answer = page.get(url(reader_study))
    assert answer.context["reading"] == row
    assert "Second opinion" in answer.content.decode()


def test_a_case_without_the_answer_is_read_during_a_hold(administrator, reader_study, reader, page):
    row = read_until(reader, "without")
    hold(administrator)
    answer = page.get(url(reader_study))
    assert answer.context["reading"] == row
    body = {"reading": "benign", "likelihood": "10"}
    page.post(reverse("analyses:reader_study_submit", args=[row.pk]), body)
    row.refresh_from_db()
    assert row.is_submitted


def test_an_answer_seen_before_the_hold_is_not_shown_again_but_its_reading_can_be_submitted(
    administrator, reader_study, reader, page
):
    row = read_until(reader, "with")
    assert page.get(url(reader_study)).context["reading"] == row
    hold(administrator)
    assert WAITS in page.get(url(reader_study)).content.decode()
    page.post(reverse("analyses:reader_study_submit", args=[row.pk]), {"reading": "malignant", "likelihood": "90"})
    row.refresh_from_db()
    assert (row.reading, row.likelihood) == ("malignant", 90)


def test_a_reading_begun_before_the_hold_can_be_mended_and_submitted_in_it(administrator, reader_study, reader, page):
    row = read_until(reader, "with")
    page.get(url(reader_study))
    hold(administrator)
    address = reverse("analyses:reader_study_submit", args=[row.pk])
    refused = page.post(address, {"reading": "malignant"})
    assert refused.status_code == 400
    assert refused.context["form"]["reading"].value() == "malignant"
    assert "Second opinion" not in refused.content.decode()
    page.post(address, {"reading": "malignant", "likelihood": "90"})
    row.refresh_from_db()
    assert row.likelihood == 90


def test_a_case_that_was_not_opened_before_the_hold_cannot_be_submitted_in_it(
    administrator, reader_study, reader, page
):
    row = read_until(reader, "with")
    hold(administrator)
    page.post(reverse("analyses:reader_study_submit", args=[row.pk]), {"reading": "malignant", "likelihood": "90"})
    row.refresh_from_db()
    assert not row.is_submitted


def test_a_film_that_the_model_did_not_answer_has_nothing_to_hold_back(administrator, department):
    reader_study = services.create_reader_study(name="x", department=department, washout_days=1, by=administrator)
    rows = [(str(signed_case(department, "not_analysable").pk), "malignant") for _ in range(2)]
    services.add_cases(reader_study, rows, administrator)
    reader = services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator)
    services.start(reader_study, administrator)
    row = read_until(reader, "with")
    hold(administrator)
    assert reading.open_next(reader, reader.user).reading == row


def test_the_administrators_page_says_why_readers_wait_and_the_order_stays(administrator, reader_study, reader):
    order = list(reader.readings.filter(session=1).values_list("pk", flat=True))
    admin = Client()
    admin.force_login(administrator)
    address = reverse("analyses:reader_study", args=[reader_study.pk])
    assert "Readings with the answer are on hold" not in admin.get(address).content.decode()
    hold(administrator)
    assert "Readings with the answer are on hold" in admin.get(address).content.decode()
    assert reading.open_next(reader, reader.user).held or read_session(reader, plain_judge) < len(order)
    lift(administrator)
    read_session(reader)
    done = reader.readings.filter(session=1).order_by("submitted_at").values_list("pk", flat=True)
    assert list(done) == order


def test_the_hold_of_another_modality_lets_the_readers_go_on(
    administrator, reader_study, reader, page, magnetic, fracture
):
    read_until(reader, "with")
    for use in (magnetic, fracture):
        holds.withhold_for_all(reason="drift", by=administrator, use=use)
    assert WAITS not in page.get(url(reader_study)).content.decode()
    assert not reading.any_is_held(reader_study.cases.all())


def test_a_case_of_another_modality_waits_for_the_hold_of_its_own(administrator, reader_study, reader, magnetic):
    row = read_until(reader, "with").study_case
    for film in row.films:
        film["answer"]["modality"] = "MR"
    hold(administrator)
    assert not reading.any_is_held([row])
    holds.withhold_for_all(reason="drift", by=administrator, use=magnetic)
    assert reading.any_is_held([row])


def test_a_case_that_was_kept_before_answers_named_a_modality_is_of_radiographs(administrator, reader_study, reader):
    row = read_until(reader, "with").study_case
    for film in row.films:
        del film["answer"]["modality"]
    hold(administrator)
    assert reading.any_is_held([row])
