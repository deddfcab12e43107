"""Allocations of a trial: balanced, unpredictable, unchangeable; nothing tells the arm before it may be known."""

import codecs
import csv
import io
from collections import Counter
from itertools import groupby

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, Invalid
from analyses.evidence.trial import services as trials
from analyses.evidence.trial.views import DICTIONARY
from analyses.models import ReadingState, Study, Trial, TrialAllocation, TrialBlock, UnaidedReading
from analyses.reading import allocation, unaided_reading
from analyses.reading import services as reading
from analyses.tests.factories import ADVISED, StudyFactory, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(doctor):
    doctor.department.reading_mode = "trial"
    doctor.department.save()
    return doctor


@pytest.fixture
def trial(administrator) -> Trial:
    return trials.start_trial(name="With and without", planned_cases=400, user=administrator)


@pytest.fixture
def admin_page(client, administrator):
    client.force_login(administrator)
    return client


def opened(reader, count: int) -> list[UnaidedReading]:
    studies = [StudyFactory(owner=reader.department) for _ in range(count)]
    return [unaided_reading.open_reading(study, reader) for study in studies]


def test_blocks_have_random_sizes_and_are_balanced(reader, trial):
    opened(reader, 200)
    blocks = list(TrialBlock.objects.order_by("number"))
    arms = {key: [row.arm for row in rows] for key, rows in groupby(_allocations(), key=lambda row: row.block.number)}
    assert {block.size for block in blocks} == {2, 4, 6}
    assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
    for block in blocks[:-1]:
        assert Counter(arms[block.number]) == {"shown": block.size // 2, "hidden": block.size // 2}
    sizes = Counter(block.size for block in blocks[:-1])
    # One third each: with some 50 blocks, fewer than five of one size has a chance below 1 in 10,000.
    assert min(sizes.values()) >= 5


def _allocations():
    return TrialAllocation.objects.select_related("block").order_by("block__number", "position")


def test_every_order_of_a_block_has_the_same_chance():
    orders = Counter()
    for _ in range(6000):
        taken: list[str] = []
        while len(taken) < 4:
            taken.append(allocation.draw(4, taken))
        orders["".join(arm[0] for arm in taken)] += 1
    # Six orders of two and two, 1,000 times each: five standard deviations are 144.
    assert len(orders) == 6
    assert all(abs(count - 1000) < 150 for count in orders.values())


def test_the_allocation_comes_from_the_operating_system_and_not_from_a_seed():
    from secrets import SystemRandom

    assert type(allocation._random) is SystemRandom


def test_departments_have_blocks_of_their_own(reader, trial, second_doctor):
    second_doctor.department.reading_mode = "trial"
    second_doctor.department.save()
    opened(reader, 3)
    opened(second_doctor, 3)
    assert TrialBlock.objects.filter(number=1).count() == 2
    assert all(row.block.department_id == row.study.department_id for row in _allocations().select_related("study"))


def test_the_allocation_is_drawn_once_per_case_and_holds_for_every_reader(reader, trial):
    study = StudyFactory(owner=reader.department)
    first = unaided_reading.open_reading(study, reader)
    colleagues = [UserFactory(department=reader.department, roles=["doctor"]) for _ in range(8)]
    arms = {unaided_reading.open_reading(study, colleague).arm for colleague in colleagues}
    assert arms == {first.arm}
    assert TrialAllocation.objects.get().reader == reader


def test_neither_log_nor_trail_tells_the_arm(reader, trial):
    unaided = opened(reader, 1)[0]
    for event in AuditEvent.objects.exclude(action="start_trial"):
        assert "arm" not in event.detail
        assert not {"shown", "hidden"} & {str(value) for value in event.detail.values()}
    assert AuditEvent.objects.get(action="allocate").detail == {"trial": str(trial.pk)}
    assert unaided.arm


def test_a_allocation_cannot_be_changed(reader, trial):
    opened(reader, 1)
    for row in (TrialAllocation.objects.get(), TrialBlock.objects.get()):
        with pytest.raises(TypeError):
            row.save()
        with pytest.raises(TypeError):
            row.delete()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite relies on the models")
def test_the_database_refuses_to_change_a_allocation(reader, trial):
    opened(reader, 1)
    for change in (
        lambda: TrialAllocation.objects.update(arm="shown"),
        lambda: TrialBlock.objects.update(size=2),
        lambda: TrialAllocation.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            change()


def test_without_a_running_trial_the_answer_is_shown_after_the_unaided_reading(reader, administrator):
    unaided = opened(reader, 1)[0]
    assert (unaided.mode, unaided.arm) == ("own_first", "")
    trial = trials.start_trial(name="Small", planned_cases=2, user=administrator)
    assert all(unaided.arm for unaided in opened(reader, 2))
    assert opened(reader, 1)[0].arm == ""  # as many as planned
    trials.close_trial(trial, administrator)
    assert opened(reader, 1)[0].arm == ""


def test_only_one_trial_runs_and_only_administrators_run_it(trial, administrator, doctor):
    with pytest.raises(Conflict) as refused:
        trials.start_trial(name="Another", planned_cases=10, user=administrator)
    assert refused.value.code == "trial_running"
    with pytest.raises(Invalid):
        trials.start_trial(name=" ", planned_cases=1, user=administrator)
    with pytest.raises(PermissionDenied):
        trials.close_trial(trial, doctor)
    trials.close_trial(trial, administrator)
    with pytest.raises(Conflict) as refused:
        trials.close_trial(trial, administrator)
    assert refused.value.code == "trial_closed"
    assert trials.start_trial(name="Another", planned_cases=10, user=administrator).is_open


def test_while_a_trial_runs_its_page_shows_totals_and_no_arm(admin_page, reader, trial):
    url = reverse("analyses:trial", args=[trial.pk])
    opened(reader, 4)
    page = admin_page.get(url).content.decode()
    assert "4 of 400 planned" in page
    assert "Both arms" not in page
    with pytest.raises(Conflict):
        trials.trial_rows(trial)
    answer = admin_page.get(reverse("analyses:trial_export", args=[trial.pk]), follow=True)
    assert answer.redirect_chain
    assert "This trial is running." in answer.content.decode()
    # Nothing in the shown totals moves with the arms: the page is the same for any allocation.
    listed = admin_page.get(reverse("analyses:trials")).content.decode()
    assert "Running" in listed
    assert "Start a trial" not in listed


def test_a_trial_is_started_and_closed_on_its_page(admin_page):
    url = reverse("analyses:trials")
    assert admin_page.post(url, {"name": "", "planned_cases": 1}).status_code == 400
    admin_page.post(url, {"name": "Knees", "planned_cases": 40})
    trial = Trial.objects.get()
    assert AuditEvent.objects.get(action="start_trial").detail == {"planned_cases": 40}
    assert admin_page.post(url, {"name": "Hips", "planned_cases": 40}).status_code == 409
    admin_page.post(reverse("analyses:trial_close", args=[trial.pk]))
    assert AuditEvent.objects.get(action="close_trial").detail == {"allocated": 0}
    page = admin_page.get(reverse("analyses:trial", args=[trial.pk])).content.decode()
    assert "Both arms" in page
    assert "too few cases" in page


def test_rows_are_by_the_arm_drawn_whatever_happened_afterwards(reader, trial, administrator):
    film = result("malignant", image__study__owner=reader.department)
    study = film.image.study
    same_patient = StudyFactory(owner=reader.department, patient=study.patient)
    for case in (study, same_patient):
        unaided_reading.open_reading(case, reader)
    unaided_reading.lock_reading(study, reader, reading="benign", likelihood=30)
    reader.department.reading_mode = "at_once"
    reader.department.save()
    reading.save_reading(study, user=reader, reading="malignant", structure=ADVISED)
    reading.sign(study, reader)
    trials.close_trial(trial, administrator)
    signed, unsigned = trials.trial_rows(trial)
    assert signed["arm"] == TrialAllocation.objects.get(study=study).arm
    assert (signed["own_reading"], signed["own_likelihood"], signed["final_reading"]) == ("benign", 30, "malignant")
    assert (signed["model_outcome"], signed["direction"]) == ("malignant", "towards")
    assert signed["own_s"] is not None
    assert (unsigned["final_reading"], unsigned["model_outcome"], unsigned["own_reading"]) == ("", "", "")
    assert signed["patient"] == unsigned["patient"] == 1
    cases = trials.analysis_cases([signed, unsigned])
    assert (cases[0].changed, cases[1].changed, cases[1].total_s) == (True, None, None)


def test_a_reading_of_films_that_the_case_no_longer_has_is_no_reading_of_the_trial(reader, trial, administrator):
    study = result("malignant", image__study__owner=reader.department).image.study
    unaided_reading.open_reading(study, reader)
    unaided = unaided_reading.lock_reading(study, reader, reading="benign", likelihood=30)
    UnaidedReading.objects.filter(pk=unaided.pk).update(voided_at=unaided.locked_at)
    reading.save_reading(study, user=reader, reading="malignant", structure=ADVISED)
    reading.sign(study, reader)
    trials.close_trial(trial, administrator)
    (row,) = trials.trial_rows(trial)
    assert (row["own_reading"], row["direction"], row["final_reading"]) == ("", "", "malignant")


def test_an_unsigned_hidden_case_keeps_its_answer_out_of_the_export(reader, trial, administrator, admin_page):
    study = result("malignant", image__study__owner=reader.department).image.study
    unaided_reading.open_reading(study, reader)
    unaided_reading.lock_reading(study, reader, reading="benign", likelihood=30)
    trials.close_trial(trial, administrator)
    text = admin_page.get(reverse("analyses:trial_export", args=[trial.pk])).content.decode()
    assert "malignant" not in text
    Study.objects.filter(pk=study.pk).update(reading_state=ReadingState.UNREAD)


def test_the_export_has_every_column_of_its_dictionary_and_no_identity(reader, trial, administrator, admin_page):
    study = result("benign", image__study__owner=reader.department).image.study
    unaided_reading.open_reading(study, reader)
    trials.close_trial(trial, administrator)
    files = [admin_page.get(reverse("analyses:trial_export", args=[trial.pk])).content]
    files.append(admin_page.get(reverse("analyses:trial_dictionary")).content)
    assert all(data.startswith(codecs.BOM_UTF8) for data in files)
    text, dictionary = (data.decode("utf-8-sig") for data in files)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [name for name, _, _ in DICTIONARY]
    assert [line["column"] for line in csv.DictReader(io.StringIO(dictionary))] == list(rows[0])
    assert rows[0]["arm"] in ("shown", "hidden")
    for secret in (study.patient.patient_id, study.patient.patient_name, study.accession_number, str(study.pk)):
        assert secret not in text
    assert AuditEvent.objects.get(action="export_trial").detail == {"rows": 1}


def test_the_times_in_the_export_are_those_of_the_record(reader, trial, administrator):
    unaided = opened(reader, 1)[0]
    trials.close_trial(trial, administrator)
    row = trials.trial_rows(trial)[0]
    assert row["opened_at"] == unaided.opened_at
    assert row["drawn_at"] <= timezone.now()
    assert (row["truth"], row["patient"]) == ("", 1)
