"""One film, one examination or one accession number under two patients: a question on both, as plain values.

A question is a warning ``{code, field, against: "case", confirmed, cases}`` on an analysis; ``cases`` are the ids of
the other patients' cases. It holds back the report as contradictions within one film do, until a doctor decides it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

AGAINST_CASE = "case"
SAME_FILM, SAME_STUDY, SAME_ACCESSION = "same_film", "same_study", "same_accession"
# What else is asked across films: whether a signed reading still stands after a film was moved to another case.
FILM_MOVED = "film_moved"
CODES = {
    SAME_FILM: "same_film_other_patient",
    SAME_STUDY: "same_study_other_patient",
    SAME_ACCESSION: "same_accession_other_patient",
    FILM_MOVED: "film_moved_after_signature",
}


def is_across(warning: Mapping[str, Any]) -> bool:
    """Whether a warning is about other cases rather than about what one film states."""
    return warning.get("against") == AGAINST_CASE


def question(field: str, cases: Iterable[str] = ()) -> dict[str, Any]:
    """An open question."""
    return {
        "code": CODES[field],
        "field": field,
        "against": AGAINST_CASE,
        "confirmed": None,
        "cases": sorted(cases),
    }


def with_questions(warnings: list[dict[str, Any]], found: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """The warnings with these questions, by field the cases that each is about.

    What is no question any more goes, unless it was decided. A decision holds for the cases that it was made about:
    another one asks again.
    """
    open_ones = {field: sorted(cases) for field, cases in found.items() if cases}
    result = []
    for entry in warnings:
        if not is_across(entry) or entry["field"] == FILM_MOVED:
            result.append(entry)
            continue
        cases = open_ones.pop(entry["field"], None)
        if entry["confirmed"] and (cases is None or set(cases) <= set(entry["cases"])):
            result.append(entry)
        elif cases is not None:
            result.append(question(entry["field"], cases))
    return [*result, *(question(field, cases) for field, cases in open_ones.items())]
