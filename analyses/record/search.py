"""Finding cases by what people type: parts of a record number, a name or an accession number, in whichever spelling."""

import re

from django.db.models import Q, QuerySet

from accounts.spelling import forms, normal_number, words_of

# More words than a name and two numbers have would only make the question slow.
MOST_WORDS = 6


def matching(rows: QuerySet, words: str, case: str = "") -> QuerySet:
    """The rows where every word occurs in the record number, the name or the accession number.

    Looks for parts of stored forms (LIKE on patient and case), which a trigram index can answer.

    Args:
        case: lookup path from the row to its case; empty where the row is the case.
    """
    path = f"{case}__" if case else ""
    for word in re.split(r"[\s,]+", words.strip(" ,"))[:MOST_WORDS]:
        if word:
            rows = rows.filter(_in_number(path, word) | _in_name(path, word))
    return rows


def _in_number(path: str, word: str) -> Q:
    number = normal_number(word)
    by_record = Q(**{f"{path}patient__patient_id_normal__contains": number})
    return by_record | Q(**{f"{path}accession_number_normal__contains": number}) if number else Q(pk__in=[])


def _in_name(path: str, word: str) -> Q:
    """Each part of a word (Jean-Luc has two) is part of a word of the name, or begins words written together."""
    parts = list(dict.fromkeys(words_of(word)))[:MOST_WORDS]
    found = Q() if parts else Q(pk__in=[])
    for part in parts:
        spellings = Q(pk__in=[])
        for form in sorted(forms([part])):
            spellings |= Q(**{f"{path}patient__search_words__contains": form})
            spellings |= Q(**{f"{path}patient__search_joined__contains": f" {form}"})
        found &= spellings
    return found
