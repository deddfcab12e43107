"""What an upload page shows before anything is filed: how many cases the chosen films make, and whose they are."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import UploadedFile
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analyses.errors import invalid_field
from analyses.intake import headers
from analyses.models import Study
from analyses.record.grouping import ProposedCase, propose
from analyses.record.names import written_name
from analyses.record.patients import value_of

MOST_FILMS = 500
_MOST_CHARACTERS = 200


def stated_headers(known: str, heads: Sequence[UploadedFile]) -> list[dict[str, str]]:
    """The headers of the chosen films: those that the page knows already, and those of the heads in the places of null.

    Raises:
        Invalid: ``bad_field``.
    """
    try:
        given = json.loads(known or "null")
    except (ValueError, RecursionError):
        given = {}
    given = [None] * len(heads) if given is None else given
    fits = isinstance(given, list) and len(given) <= MOST_FILMS and given.count(None) == len(heads)
    if not fits or not all(said is None or isinstance(said, dict) for said in given):
        raise invalid_field("known", _("The list of films is not valid. Reload the page and choose the films again."))
    unread = iter(heads)
    return [_of_page(said) if said is not None else dict(headers.header_of(next(unread)).identity) for said in given]


def described(cases: Sequence[ProposedCase], number_of_films: int) -> dict[str, Any]:
    """The proposal as a page shows it: a sentence, and of each case its films, its key, names and dates."""
    films = ngettext("%(number)s film", "%(number)s films", number_of_films) % {"number": number_of_films}
    made = ngettext("%(number)s case", "%(number)s cases", len(cases)) % {"number": len(cases)}
    return {"summary": f"{films} → {made}", "cases": [_described(case, len(cases) == 1) for case in cases]}


def takes_entries(case: ProposedCase, *, is_only: bool) -> bool:
    """Whether what is typed on the form is said of this case: beside others, only where its files name nobody."""
    return is_only or not case.names_somebody


def _described(case: ProposedCase, is_only: bool) -> dict[str, Any]:
    said = case.header
    words = [written_name(said.get("patient_name", "")), said.get("patient_id", ""), _date("patient_birth_date", said)]
    examined = Study(
        modality=said.get("modality", ""),
        body_part_examined=said.get("body_part_examined", ""),
        laterality=said.get("laterality", ""),
    ).examined
    about = [examined, _date("study_date", said), said.get("accession_number", "")]
    return {
        "films": list(case.films),
        "key": str(uuid4()),
        "patient": ", ".join(filter(None, words)) or _("No patient named in the file"),
        "about": ", ".join(filter(None, about)),
        "entries": takes_entries(case, is_only=is_only),
    }


def _date(name: str, said: Mapping[str, str]) -> str:
    day = value_of(name, said.get(name, ""))
    return str(formats.date_format(day, "SHORT_DATE_FORMAT")) if day else ""


def _of_page(said: Mapping[Any, Any]) -> dict[str, str]:
    """What a page sends back of a header: texts only, so that it can be compared like one that was just read."""
    return {str(name): value[:_MOST_CHARACTERS] for name, value in said.items() if isinstance(value, str) and value}


__all__ = ["described", "propose", "stated_headers", "takes_entries"]
