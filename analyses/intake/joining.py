"""Which case a new film joins: the one that was named for it, unless its films name another patient or examination."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.spelling import normal_number
from analyses.errors import Conflict
from analyses.intake.headers import FileHeader
from analyses.models import ReadingState, Study
from analyses.record import cases, grouping
from analyses.record.fields import CaseFields
from analyses.record.identity import recorded
from analyses.record.patients import with_number

UNSIGNED = (ReadingState.UNREAD, ReadingState.IN_READING, ReadingState.PRELIMINARY)
# So many open cases of one accession number are looked through for the one that a film belongs to.
MOST_CANDIDATES = 10


@dataclass(frozen=True)
class Wanted:
    """What was said of the case that a film is for: the case, else the key of its form, else numbers.

    ``together``: somebody was shown that the film names another patient or examination, and files it there.
    """

    department_id: UUID
    study: Study | None
    case_key: UUID | None
    fields: CaseFields
    together: bool = False


def case_to_join(wanted: Wanted, header: FileHeader) -> Study | None:
    """The case that the film joins, locked; None where it is to be a case of its own. Holds the department's lock.

    Raises:
        Conflict: ``case_signed``; ``films_disagree``: the case was named, and the file names somebody else.
    """
    if wanted.study is not None:
        study = cases.lock(wanted.study.pk)
        cases.require_unsigned(study)
        if not (wanted.together or _may_be_added(header, study)):
            raise _films_disagree()
        return study
    rows = Study.objects.filter(department_id=wanted.department_id).order_by("-created_at")
    if wanted.case_key is not None:
        rows = rows.filter(case_key=wanted.case_key)
    elif wanted.fields.accession_number and wanted.fields.patient_id:
        number = normal_number(wanted.fields.accession_number)
        rows = rows.filter(accession_number_normal=number, reading_state__in=UNSIGNED)
        rows = rows.filter(patient=with_number(wanted.department_id, wanted.fields.patient_id), patient__isnull=False)
    else:
        return None
    for found in rows.values_list("pk", flat=True)[:MOST_CANDIDATES]:
        study = cases.lock(found)
        if wanted.together or _belongs_to(header, study):
            cases.require_unsigned(study)
            return study
    return None


def _belongs_to(header: FileHeader, study: Study) -> bool:
    """Whether no film of the case names another patient or examination; what is not known joins nothing."""
    if header.is_known and not header.identity:
        return True
    stated = [image.stated for image in study.images.only("header", "early_header", "file_format")]
    known = [said for said in stated if said is not None]
    if not header.is_known:
        return not stated
    return len(known) == len(stated) and grouping.may_join(header.identity, known)


def _may_be_added(header: FileHeader, study: Study) -> bool:
    """As `_belongs_to`, for a case that was named; its record counts as well, and an unread file is given the doubt."""
    if not header.identity:
        return True
    return grouping.same_person(header.identity, recorded(study)) and _belongs_to(header, study)


def _films_disagree() -> Conflict:
    return Conflict(
        "films_disagree",
        _(
            "The file names another patient or examination than this case. Upload it as a case of its own, or confirm "
            "that it belongs to this case."
        ),
    )
