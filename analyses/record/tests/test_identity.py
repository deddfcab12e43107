"""When two statements about a patient contradict each other, and when they only look different."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.record import identity
from analyses.record.identity import agree, contradictions, merged, warning


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("patient_name", "DOE^JANE", "Jane Doe"),
        ("patient_name", "Doe, Jane", "DOE JANE"),
        ("patient_name", "Müller^Zoë", "MULLER ZOE"),
        ("patient_name", "Doe Jane", "DOE^JANE^M"),
        ("patient_name", "", "DOE^JANE"),
        ("patient_id", "ab 12", "AB12"),
        ("patient_id", "ＡＢ－１２", "ab-12"),
        ("patient_id", "A\u00a01\u30002", "a12"),
        ("accession_number", "ﬁ-7", "FI-7"),
        ("laterality", "L", "B"),
        ("modality", "DX", "CR"),
        ("body_part_examined", "Knee", "TIBIA"),
        ("body_part_examined", "left distal femur", "KNEE"),
        ("body_part_examined", "EXTREMITY", "CHEST"),
        ("body_part_examined", "HIP", "PELVIS"),
    ],
)
def test_different_spellings_do_not_contradict(field, one, other):
    assert agree(field, one, other)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("patient_name", "DOE^JANE", "DOE^JOHN"),
        ("patient_id", "0123", "123"),
        ("patient_id", "12\u00ad3", "123"),
        ("patient_id", "12\ufffd3", "123"),
        ("patient_id", "AB-12", "AB12"),
        ("patient_birth_date", "1980-01-02", "1980-02-01"),
        ("patient_sex", "F", "M"),
        ("accession_number", "A1", "A2"),
        ("laterality", "L", "R"),
        ("modality", "DX", "MR"),
        ("body_part_examined", "HAND", "FOOT"),
    ],
)
def test_different_statements_contradict(field, one, other):
    assert not agree(field, one, other)


texts = st.text(max_size=12)


@given(st.sampled_from(sorted(identity.AGREE)), texts, texts)
def test_agreement_is_symmetric_and_everything_agrees_with_itself_and_with_silence(field, one, other):
    assert agree(field, one, other) == agree(field, other, one)
    assert agree(field, one, one)
    assert agree(field, one, "")


words = st.dictionaries(st.sampled_from(sorted(identity.AGREE)), st.sampled_from(["", "L", "R", "MR", "HAND", "FOOT"]))


@given(words, words, words)
def test_a_warning_is_raised_exactly_where_the_three_sources_do_not_agree(typed, header, record):
    found = {entry["field"]: entry["against"] for entry in contradictions(typed, header, record)}
    for field in ("laterality", "modality", "patient_id"):
        one, two, three = (source.get(field, "") for source in (typed, header, record))
        if not agree(field, one, two):
            assert found[field] == "file"
        elif agree(field, one, three) and agree(field, two, three):
            assert field not in found
        else:
            assert found[field] == "record"


def test_a_warning_holds_no_values():
    (entry,) = contradictions({"patient_id": "SECRET"}, {"patient_id": "OTHER"}, {})
    assert entry == {"code": "patient_id_mismatch", "field": "patient_id", "against": "file", "confirmed": None}


def test_the_name_of_another_person_is_not_held_against_the_record_as_well():
    record = {"patient_id": "R1", "patient_name": "DOE JANE"}
    found = contradictions({"patient_id": "R1"}, {"patient_id": "R2", "patient_name": "ROE JOHN"}, record)
    assert [entry["field"] for entry in found] == ["patient_id"]


def test_what_a_doctor_decided_stays_decided_unless_it_is_reopened():
    decided = [{**warning("laterality", "record"), "confirmed": "typed"}]
    news = [warning("laterality", "file"), warning("modality", "file")]
    assert [entry["confirmed"] for entry in merged(decided, news)] == ["typed", None]
    assert [entry["confirmed"] for entry in merged(decided, news, {"laterality"})] == [None, None]


@pytest.mark.parametrize(
    ("typed", "header", "record", "against"),
    [
        ({"patient_birth_date": "2001-05-01"}, {"study_date": "2001-04-30"}, {}, "file"),
        ({"patient_birth_date": "2001-05-01"}, {"study_date": "2001-05-01"}, {}, ""),
        ({"study_date": "2001-04-30"}, {"patient_birth_date": "2001-05-01"}, {}, "file"),
        ({"study_date": "2001-04-30"}, {}, {"patient_birth_date": "2001-05-01"}, "record"),
        ({}, {"study_date": "2001-04-30"}, {"patient_birth_date": "2001-05-01"}, "file"),
        (
            {},
            {"study_date": "2001-04-30", "patient_id": "R2"},
            {"patient_birth_date": "2001-05-01", "patient_id": "R1"},
            "id",
        ),
    ],
)
def test_an_examination_before_the_birth_is_somebody_elses(typed, header, record, against):
    found = [(entry["field"], entry["against"]) for entry in contradictions(typed, header, record)]
    if against == "id":
        assert found == [("patient_id", "record")]
    else:
        assert found == ([("patient_birth_date", against)] if against else [])
