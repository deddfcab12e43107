"""Locks on a case, and what a signed case refuses."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import F
from django.utils.translation import gettext as _

from analyses.errors import Conflict
from analyses.models import SIGNED_STATES, Study

TRIES = 4
M = TypeVar("M")


def lock(study_id: Any) -> Study:
    """The case as it is now, locked until the transaction ends; taken after the department's lock, before analyses'."""
    # Two statements: one that waited for a change of patient joins the new number with the patients of before.
    lock_row(study_id)
    return Study.objects.select_related("patient").get(pk=study_id)


def lock_row(study_id: Any) -> Study:
    """As ``lock``, where the case is only written: nothing but the id is loaded."""
    return Study.objects.select_for_update(no_key=True).only("pk").get(pk=study_id)


def is_signed(study: Study) -> bool:
    """A signed case takes no new images, results or edits: nothing changes behind the doctor's signature."""
    return study.reading_state in SIGNED_STATES


def require_unsigned(study: Study) -> None:
    """Raise Conflict ``case_signed`` where the case is signed."""
    if is_signed(study):
        raise Conflict("case_signed", _("The case is signed. Upload further films as a new case, or add an addendum."))


def touch(study: Study, **values: Any) -> None:
    """Count a change that a report shows, so that the next report is a new one; write these values with it."""
    Study.objects.filter(pk=study.pk).update(revision=F("revision") + 1, **values)
    study.refresh_from_db(fields=["revision", *values])


class CaseMoved(Exception):
    """The case changed while a document of it was being made."""


def retry_if_moved(make: Callable[[], M], *, busy: str) -> M:
    """What ``make`` makes of the case as it stands; begun again, some times, where it raises CaseMoved.

    Raises:
        Conflict: ``busy``, with that sentence: the case changed every time.
    """
    for _attempt in range(TRIES):
        try:
            return make()
        except CaseMoved:
            continue
    raise Conflict("busy", busy)


CASES = Study.objects.select_related("patient", "department")
