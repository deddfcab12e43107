"""Which of two warnings about one field stays."""

import itertools

import pytest

from analyses.record.identity import AGAINST_FILE, AGAINST_RECORD, merged, warning

FIELD = "patient_name"


def entry(against: str, confirmed: str | None = None) -> dict:
    return warning(FIELD, against) | {"confirmed": confirmed}


@pytest.mark.parametrize(
    ("old", "new"), list(itertools.product([AGAINST_FILE, AGAINST_RECORD], [AGAINST_FILE, AGAINST_RECORD]))
)
def test_an_open_warning_against_the_file_is_never_replaced_by_one_against_the_record(old, new):
    kept = merged([entry(old)], [entry(new)])
    assert [one["against"] for one in kept] == [AGAINST_FILE if AGAINST_FILE in (old, new) else AGAINST_RECORD]


@pytest.mark.parametrize(
    ("old", "new"), list(itertools.product([AGAINST_FILE, AGAINST_RECORD], [AGAINST_FILE, AGAINST_RECORD]))
)
def test_what_was_decided_stays_unless_its_field_is_opened_again(old, new):
    decided = entry(old, "typed")
    assert merged([decided], [entry(new)]) == [decided]
    assert merged([decided], [entry(new)], [FIELD]) == [entry(new)]
    assert merged([decided], [entry(new)], ["patient_sex"]) == [decided]
    assert merged([decided], [], [FIELD]) == [decided]


def test_warnings_of_other_fields_stand_beside_each_other():
    other = warning("patient_sex", AGAINST_RECORD)
    assert merged([entry(AGAINST_FILE)], [other]) == [entry(AGAINST_FILE), other]
