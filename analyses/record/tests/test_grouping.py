"""Which films make one case: by what headers state, never by what they leave out."""

import itertools
import random

import pytest

from analyses.record.grouping import belong_together, may_join, propose

DOE = {"patient_id": "R1", "patient_name": "Doe Jane", "patient_birth_date": "1980-01-02"}
ROE = {"patient_id": "R2", "patient_name": "Roe John", "patient_birth_date": "1971-03-04"}
KNEE, HAND = {"study_instance_uid": "1.2.3"}, {"study_instance_uid": "1.2.4"}


def groups(*headers):
    return [case.films for case in propose(headers)]


def test_thirteen_films_of_seven_patients_are_seven_cases():
    films = [{"patient_id": f"R{n % 7}", "study_instance_uid": f"1.{n % 7}"} for n in range(13)]
    assert groups(*films) == [(n, n + 7) if n < 6 else (n,) for n in range(7)]


def test_two_examinations_of_one_patient_are_two_cases():
    assert groups(DOE | KNEE, DOE | HAND, DOE | KNEE) == [(0, 2), (1,)]


def test_one_study_uid_with_two_patients_is_two_cases():
    assert groups(DOE | KNEE, ROE | KNEE) == [(0,), (1,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"patient_id": "R1"}, {"patient_id": "R2"}),
        ({"patient_id": "R1", "patient_name": "Doe Jane"}, {"patient_id": "R1", "patient_name": "Roe John"}),
        ({"patient_name": "Doe Jane"}, {"patient_name": "Roe John"}),
        (
            {"patient_id": "R1", "patient_birth_date": "1980-01-02"},
            {"patient_id": "R1", "patient_birth_date": "1980-01-03"},
        ),
        ({"patient_id": "R1", "accession_number": "A1"}, {"patient_id": "R1", "accession_number": "A2"}),
        ({"patient_id": "R1", "study_date": "2026-01-01"}, {"patient_id": "R1", "study_date": "2026-01-02"}),
    ],
)
def test_what_differs_is_never_one_case(one, other):
    assert groups(one, other) == [(0,), (1,)]
    assert not belong_together(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"patient_id": "r 1"}, {"patient_id": "R1"}),
        ({"patient_name": "Müller Jörg"}, {"patient_name": "Mueller Joerg"}),
        (DOE | KNEE, {"patient_id": "R1"}),
        (DOE | KNEE | {"study_date": "2026-01-01"}, DOE | KNEE | {"study_date": "2026-01-02"}),
        ({"accession_number": "A1"}, DOE | {"accession_number": "A1"}),
    ],
)
def test_what_agrees_and_has_something_in_common_is_one_case(one, other):
    assert groups(one, other) == [(0, 1)]


def test_agreement_by_silence_joins_nothing():
    assert groups({"patient_id": "R1"}, {"study_instance_uid": "1.2.3"}) == [(0,), (1,)]


def test_a_film_that_fits_two_cases_is_one_of_its_own():
    assert groups(DOE | KNEE, DOE | HAND, DOE) == [(0,), (1,), (2,)]


def test_pictures_join_the_only_case_and_stand_alone_beside_several():
    assert groups(DOE | KNEE, {}) == [(0, 1)]
    assert groups({}, {}) == [(0, 1)]
    assert groups(DOE | KNEE, {}, ROE | HAND, {}) == [(0,), (1, 3), (2,)]
    assert [case.names_somebody for case in propose([DOE, {}, ROE])] == [True, False, True]


def test_agreement_is_not_passed_on_from_film_to_film():
    middle = {"patient_id": "R1", "patient_name": "Doe"}
    one, other = ({"patient_id": "R1", "patient_name": name} for name in ("Doe Jane", "Doe John"))
    assert belong_together(one, middle)
    assert belong_together(middle, other)
    assert not may_join(other, [one, middle])
    assert all(not {0, 2} <= set(films) for films in groups(one, middle, other))


def test_whatever_the_films_every_one_is_in_one_case_and_no_case_holds_two_that_differ():
    values = {
        "patient_id": ["", "R1", "R2"],
        "patient_name": ["", "Doe Jane", "Doe", "Roe"],
        "study_instance_uid": ["", "1.2", "1.3"],
        "accession_number": ["", "A1", "A2"],
    }
    draw = random.Random(7)
    for _ in range(300):
        films = [{name: draw.choice(some) for name, some in values.items()} for _ in range(draw.randint(0, 9))]
        cases = propose(films)
        assert sorted(place for case in cases for place in case.films) == list(range(len(films)))
        for case in cases:
            assert all(belong_together(films[a], films[b]) for a, b in itertools.combinations(case.films, 2))


def test_a_proposal_says_whose_and_when():
    (case,) = propose([{"patient_id": "R1"}, {"patient_id": "R1", "study_date": "2026-01-01", "laterality": "L"}])
    assert case.header == {"patient_id": "R1", "study_date": "2026-01-01", "laterality": "L"}
