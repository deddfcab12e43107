"""A reader study from draft to closing, through its services."""

from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services import deactivate
from accounts.tests.factories import UserFactory
from analyses.blinding.case_state import CaseState
from analyses.blinding.reader_study import hidden_by_reader_study
from analyses.errors import Conflict, Invalid
from analyses.evidence.reader_studies import design, reading, services, snapshot
from analyses.evidence.reader_studies.forms import ReaderStudyCasesForm, parse_rows
from analyses.evidence.reader_studies.tests import draft, read_session, signed_case, started
from analyses.models import Analysis, Condition, Image, ReaderStudyReading, Study
from analyses.tests.factories import REGION, AnalysisFactory, StudyFactory, result

pytestmark = pytest.mark.django_db


# --- the draw -------------------------------------------------------------------------------------------------
TRUTH = {number: ("malignant", "benign", "normal")[number % 3] for number in range(1, 25)}


def test_every_reader_reads_every_case_once_in_each_condition_and_once_in_each_session():
    slots = design.draw("seed", [1, 2, 3], TRUTH)
    for reader in (1, 2, 3):
        mine = [slot for slot in slots if slot.reader == reader]
        assert Counter((slot.case, slot.condition) for slot in mine) == {
            (case, condition): 1 for case in TRUTH for condition in Condition
        }
        assert Counter((slot.case, slot.session) for slot in mine) == {(c, s): 1 for c in TRUTH for s in (1, 2)}
        for session in (1, 2):
            assert [slot.position for slot in mine if slot.session == session] == list(range(1, 25))


@pytest.mark.parametrize("cases", [24, 23, 2])
def test_half_of_the_cases_come_first_without_the_answer_within_each_truth(cases):
    truth = {number: TRUTH[number] for number in range(1, cases + 1)}
    first = [slot for slot in design.draw("another seed", [1], truth) if slot.session == 1]
    without = [slot.case for slot in first if slot.condition == Condition.WITHOUT]
    assert abs(2 * len(without) - cases) <= 1
    for kind in set(truth.values()):
        of_kind = [case for case in truth if truth[case] == kind]
        assert abs(2 * len(set(without) & set(of_kind)) - len(of_kind)) <= 1


def test_the_second_reader_of_a_pair_begins_with_the_other_condition():
    slots = [slot for slot in design.draw("seed", [1, 2], TRUTH) if slot.session == 1]
    first = {(slot.reader, slot.case): slot.condition for slot in slots}
    assert all(first[1, case] != first[2, case] for case in TRUTH)


def test_orders_differ_between_readers_and_sessions_and_follow_from_the_seed_alone():
    def order(seed, reader, session):
        slots = design.draw(seed, [1, 2], TRUTH)
        return [slot.case for slot in slots if (slot.reader, slot.session) == (reader, session)]

    orders = {tuple(order("seed", reader, session)) for reader in (1, 2) for session in (1, 2)}
    assert len(orders) == 4
    assert order("seed", 1, 1) == order("seed", 1, 1)
    assert order("seed", 1, 1) != order("other", 1, 1)


# --- drafts ---------------------------------------------------------------------------------------------------
def test_only_whoever_manages_reader_studies_makes_one(doctor, department):
    with pytest.raises(PermissionDenied):
        services.create_reader_study(name="x", department=department, washout_days=28, by=doctor)


@pytest.mark.parametrize(("name", "days"), [("", 28), ("x" * 121, 28), ("x", -1), ("x", 366)])
def test_a_reader_study_needs_a_name_and_a_sensible_washout(administrator, department, name, days):
    with pytest.raises(Invalid):
        services.create_reader_study(name=name, department=department, washout_days=days, by=administrator)


def test_one_bad_row_keeps_all_rows_out_and_every_bad_row_is_named(administrator, department, other_department):
    reader_study = draft(department, administrator, cases=1)
    known = reader_study.cases.get().case
    unsigned = result("benign", image__study__owner=department).image.study
    bare = signed_case(department)
    Image.objects.filter(study=bare).update(canonical_file="")
    burned = signed_case(department, warnings=[{"code": "burned_in_annotation"}])
    good = signed_case(department)
    rows = [
        (str(good.pk), "malignant"),
        ("case-7", "malignant"),
        (str(good.pk), "benign"),
        (str(signed_case(department).pk), "tumour"),
        (str(known.pk), "normal"),
        (str(signed_case(other_department).pk), "normal"),
        (str(unsigned.pk), "normal"),
        (str(bare.pk), "normal"),
        (str(burned.pk), "normal"),
    ]
    with pytest.raises(Invalid) as refused:
        services.add_cases(reader_study, rows, administrator)
    assert refused.value.fields["rows"] == [
        "Row 2: this is not a case id.",
        "Row 3: this case is already in the study.",
        "Row 4: the truth must be normal, benign or malignant.",
        "Row 5: this case is already in the study.",
        "Row 6: the study's department has no such case.",
        "Row 7: this case is not signed; a study takes closed cases only.",
        "Row 8: this case has no displayable film.",
        "Row 9: this case has a film with burned-in text, which may identify the patient.",
    ]
    assert reader_study.cases.count() == 1


def test_a_list_of_cases_is_read_with_any_of_three_separators_and_without_its_head():
    assert parse_rows("case,truth\na,benign\n\nb , normal ") == [("a", "benign"), ("b", "normal")]
    assert parse_rows("a;malignant") == parse_rows("a\tmalignant") == [("a", "malignant")]
    assert parse_rows("sep=;\r\ncase;truth\na;benign") == [("a", "benign")]
    assert parse_rows('"a","benign"') == [("a", "benign")]
    assert parse_rows("only-an-id") == [("only-an-id", "")]


def test_a_cell_too_long_for_the_parser_is_an_error_of_the_form():
    form = ReaderStudyCasesForm({"lines": "case,truth\n" + "x" * 131_073})
    assert "Line 2 cannot be read" in form.errors["lines"][0]


def test_readers_are_active_doctors_of_the_department_who_do_not_manage_reader_studies(
    administrator, department, doctor, second_doctor, clerk
):
    reader_study = draft(department, administrator, readers=0)
    UserFactory(department=department, roles=["doctor", "administrator"])
    gone = UserFactory(department=department, roles=["doctor"], is_active=False)
    signers = {case.case.review.reader for case in reader_study.cases.select_related("case__review__reader")}
    assert set(services.possible_readers(reader_study)) == {doctor} | signers
    for person in (second_doctor, clerk, gone):
        with pytest.raises(Invalid):
            services.add_reader(reader_study, person, administrator)
    services.add_reader(reader_study, doctor, administrator)
    with pytest.raises(Invalid):
        services.add_reader(reader_study, doctor, administrator)


def test_cases_and_readers_can_be_taken_out_of_a_draft_only(administrator, department):
    reader_study = draft(department, administrator, cases=3, readers=2)
    services.remove_case(reader_study, 2, administrator)
    services.remove_reader(reader_study, 1, administrator)
    assert list(reader_study.cases.values_list("number", flat=True)) == [1, 3]
    assert list(reader_study.readers.values_list("number", flat=True)) == [2]
    for again in (lambda: services.remove_case(reader_study, 2, administrator),
                  lambda: services.remove_reader(reader_study, 1, administrator)):  # fmt: skip
        with pytest.raises(Conflict):
            again()
    services.start(reader_study, administrator)
    for late in (
        lambda: services.remove_case(reader_study, 1, administrator),
        lambda: services.remove_reader(reader_study, 2, administrator),
        lambda: services.add_cases(reader_study, [(str(signed_case(department).pk), "benign")], administrator),
        lambda: services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator),
        lambda: services.start(reader_study, administrator),
    ):
        with pytest.raises(Conflict) as refused:
            late()
        assert refused.value.code == "not_a_draft"


# --- the start ------------------------------------------------------------------------------------------------
def test_the_start_draws_every_reading_and_keeps_films_and_answers_as_they_stand(administrator, department):
    reader_study = started(department, administrator, cases=3, readers=2)
    assert len(reader_study.seed) == 32
    assert ReaderStudyReading.objects.filter(reader__reader_study=reader_study).count() == 12
    case = reader_study.cases.first()
    later = Analysis.objects.get(image__study=case.case)
    Analysis.objects.filter(pk=later.pk).update(outcome="normal", regions=[], malignant_probability=0.01)
    (kept,) = snapshot.answers_of(case, snapshot.films_of(case))
    assert (kept.outcome, kept.malignant_probability, kept.regions) == ("malignant", 0.8, [REGION])


def test_films_are_kept_in_the_order_in_which_they_came_and_not_by_suspicion(department):
    case = StudyFactory(owner=department)
    for outcome in ("normal", "malignant", "benign"):
        result(outcome, study=case)
    assert [film["answer"]["outcome"] for film in snapshot.take(case)] == ["normal", "malignant", "benign"]


def test_a_film_whose_second_analysis_failed_is_kept_with_the_answer_that_stands(department):
    first = result("malignant", study=StudyFactory(owner=department))
    AnalysisFactory(image=first.image, status="failed", error_code="unreadable")
    assert [film["answer"]["outcome"] for film in snapshot.take(first.image.study)] == ["malignant"]


def test_the_seed_stands_neither_in_the_log_nor_anywhere_else_before_the_closing(administrator, department):
    reader_study = started(department, administrator)
    assert reader_study.seed
    assert not any(reader_study.seed in str(event.detail) for event in AuditEvent.objects.all())


@pytest.mark.parametrize(("cases", "readers"), [(1, 1), (2, 0)])
def test_a_reader_study_that_is_too_small_does_not_start(administrator, department, cases, readers):
    reader_study = draft(department, administrator, cases=cases, readers=readers)
    with pytest.raises(Conflict) as refused:
        services.start(reader_study, administrator)
    assert refused.value.code == "too_small"


def test_a_case_that_lost_its_film_stops_the_start(administrator, department):
    reader_study = draft(department, administrator)
    Image.objects.filter(study=reader_study.cases.first().case).update(canonical_file="")
    with pytest.raises(Conflict) as refused:
        services.start(reader_study, administrator)
    assert refused.value.code == "unfit_case"
    assert "Case 1 has no displayable film" in refused.value.message


def test_a_reader_who_was_deactivated_in_the_draft_stops_the_start(administrator, department):
    reader_study = draft(department, administrator)
    deactivate(reader_study.readers.first().user, by=administrator)
    with pytest.raises(Conflict) as refused:
        services.start(reader_study, administrator)
    assert refused.value.code == "unfit_reader"


# --- reading --------------------------------------------------------------------------------------------------
def test_cases_come_in_the_drawn_order_and_only_when_the_one_before_is_submitted(reader):
    order = list(reader.readings.filter(session=1).values_list("pk", flat=True))
    seen = []
    for _ in order:
        found = reading.open_next(reader, reader.user)
        assert reading.open_next(reader, reader.user).reading == found.reading
        seen.append(found.reading.pk)
        reading.submit(found.reading.pk, reader.user, reading="benign", likelihood=10)
    assert seen == order


def test_the_time_runs_from_the_first_showing(reader):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first = reading.open_next(reader, reader.user).reading
        clock.shift(40)
        reading.open_next(reader, reader.user)
        clock.shift(2.5)
        assert reading.submit(first.pk, reader.user, reading="normal", likelihood=0).time_s == 42.5


@pytest.mark.parametrize(
    ("word", "likelihood", "field"),
    [
        ("sarcoma", 50, "reading"),
        ("benign", None, "likelihood"),
        ("benign", 101, "likelihood"),
        ("benign", -1, "likelihood"),
        ("cannot_tell", 50, "likelihood"),
    ],
)
def test_a_reading_without_a_sensible_score_is_refused(reader, word, likelihood, field):
    row = reading.open_next(reader, reader.user).reading
    with pytest.raises(Invalid) as refused:
        reading.submit(row.pk, reader.user, reading=word, likelihood=likelihood)
    assert list(refused.value.fields) == [field]
    row.refresh_from_db()
    assert not row.is_submitted


def test_cannot_tell_has_no_score(reader):
    row = reading.open_next(reader, reader.user).reading
    assert reading.submit(row.pk, reader.user, reading="cannot_tell", likelihood=None).likelihood is None


def test_a_second_submission_changes_nothing(reader):
    row = reading.open_next(reader, reader.user).reading
    reading.submit(row.pk, reader.user, reading="benign", likelihood=10)
    with pytest.raises(Conflict) as refused:
        reading.submit(row.pk, reader.user, reading="malignant", likelihood=99)
    assert refused.value.code == "already_submitted"
    row.refresh_from_db()
    assert (row.reading, row.likelihood) == ("benign", 10)


def test_a_case_that_was_not_shown_cannot_be_submitted(reader):
    reading.open_next(reader, reader.user)
    later = reader.readings.filter(session=1).last()
    with pytest.raises(Conflict) as refused:
        reading.submit(later.pk, reader.user, reading="benign", likelihood=10)
    assert refused.value.code == "not_opened"


def test_nobody_reads_for_another(reader_study, reader, second_doctor):
    row = reading.open_next(reader, reader.user).reading
    for stranger in (reader_study.readers.last().user, second_doctor):
        with pytest.raises(Conflict) as refused:
            reading.submit(row.pk, stranger, reading="benign", likelihood=10)
        assert refused.value.code == "not_a_reader"


def test_session_two_opens_when_the_washout_has_passed_and_not_a_moment_before(reader):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert read_session(reader) == 4
        last = timezone.now()
        found = reading.open_next(reader, reader.user)
        assert (found.reading, found.session, found.opens_at) == (None, 2, last + timedelta(days=28))
        early = reader.readings.filter(session=2).first()
        with pytest.raises(Conflict):
            reading.submit(early.pk, reader.user, reading="benign", likelihood=10)
        clock.shift(timedelta(days=28, seconds=-1))
        assert reading.open_next(reader, reader.user).reading is None
        clock.shift(1)
        assert reading.open_next(reader, reader.user).reading == early
        assert read_session(reader) == 4
        assert reading.open_next(reader, reader.user).finished


def test_the_washout_counts_from_the_last_reading_of_session_one(reader):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        read_session(reader, limit=3)
        clock.shift(timedelta(days=20))
        read_session(reader, limit=1)
        assert reading.current_progress(reader).opens_at == timezone.now() + timedelta(days=28)


def test_an_administrator_waives_the_washout_of_one_reader_with_a_reason_that_is_kept(
    administrator, reader_study, reader
):
    for row in reader_study.readers.select_related("user", "reader_study"):
        read_session(row)
    with pytest.raises(Invalid):
        services.waive_washout(reader, " ", administrator)
    with pytest.raises(PermissionDenied):
        services.waive_washout(reader, "x", reader.user)
    services.waive_washout(reader, "leaves the hospital", administrator)
    reader.refresh_from_db()
    assert reading.open_next(reader, reader.user).reading.session == 2
    other = reader_study.readers.select_related("user").last()
    assert reading.open_next(other, other.user).reading is None
    event = AuditEvent.objects.get(action="waive_washout")
    assert event.detail == {"reader": 1, "reason": "leaves the hospital"}
    with pytest.raises(Conflict):
        services.waive_washout(reader, "again", administrator)


def test_a_reader_deactivated_in_mid_reader_study_reads_no_more_and_keeps_what_was_read(administrator, reader):
    read_session(reader, limit=2)
    row = reading.open_next(reader, reader.user).reading
    deactivate(reader.user, by=administrator)
    reader.user.refresh_from_db()
    with pytest.raises(PermissionDenied):
        reading.submit(row.pk, reader.user, reading="benign", likelihood=10)
    assert reader.readings.filter(submitted_at__isnull=False).count() == 2


def test_a_reader_who_left_the_department_reads_no_more(reader, other_department):
    row = reading.open_next(reader, reader.user).reading
    reader.user.department = other_department
    reader.user.save()
    with pytest.raises(Conflict):
        reading.submit(row.pk, reader.user, reading="benign", likelihood=10)
    assert not ReaderStudyReading.objects.for_user(reader.user).exists()


def test_nothing_is_submitted_after_the_closing(administrator, reader_study, reader):
    row = reading.open_next(reader, reader.user).reading
    services.close(reader_study, administrator)
    with pytest.raises(Conflict) as refused:
        reading.submit(row.pk, reader.user, reading="benign", likelihood=10)
    assert refused.value.code == "not_open"
    with pytest.raises(Conflict):
        services.close(reader_study, administrator)
    assert AuditEvent.objects.get(action="close_reader_study").detail == {"missing": 16}


# --- blindness ------------------------------------------------------------------------------------------------
def hidden(user, reader_study) -> bool:
    """Both ways of asking; they must agree."""
    one = CaseState(reader_study, user).hidden_by_reader_study
    assert Study.objects.filter(hidden_by_reader_study(user), pk=reader_study.pk).exists() is one
    assert (
        Analysis.objects.filter(hidden_by_reader_study(user, "image__study"), image__study=reader_study).exists() is one
    )
    return one


def test_the_answers_of_an_open_reader_studys_cases_are_hidden_from_its_readers_and_from_no_one_else(
    administrator, department, doctor
):
    reader_study = draft(department, administrator)
    case, elsewhere = reader_study.cases.first().case, signed_case(department)
    reader = reader_study.readers.select_related("user", "reader_study").first()
    assert not hidden(reader.user, case)
    services.start(reader_study, administrator)
    assert hidden(reader.user, case)
    assert not hidden(reader.user, elsewhere)
    assert not hidden(doctor, case)
    read_session(reader)
    assert hidden(reader.user, case)
    services.close(reader_study, administrator)
    assert not hidden(reader.user, case)
