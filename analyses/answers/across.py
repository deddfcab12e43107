"""Looks for one film, examination or accession number under two patients, and asks on the cases of both."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import F, QuerySet, Value
from django.utils.translation import gettext as _

from analyses.answers.current import current_analyses, keep_warnings
from analyses.errors import Conflict
from analyses.models import Analysis, Image, Patient, Study, Task
from analyses.record import cases
from analyses.record.across import (
    SAME_ACCESSION,
    SAME_FILM,
    SAME_STUDY,
    is_across,
    with_questions,
)
from analyses.record.identity import ids_agree, normal_number

# A number that stands on everything ("0", "unknown") is asked about, not searched to its end.
MOST_MATCHES = 20


def check_across(study: Study) -> None:
    """Ask anew on this case, and on every other case that it shares a film, an examination or a number with.

    Call it where films or patient of a case changed. Callers hold the locks of the department and of the case.
    """
    for other in sorted(_check(study)):
        partner = Study.objects.filter(pk=other, department_id=study.department_id).exists() and cases.lock(other)
        if partner:
            _check(partner)


def require_identity(analyses: Iterable[Analysis], otherwise: str) -> None:
    """Refuse what needs to know whose films these are, as long as anything about that is undecided.

    Args:
        otherwise: the sentence where entry and file differ; what is about other cases has its own.

    Raises:
        Conflict: ``identity_unconfirmed``.
    """
    undecided = [warning for analysis in analyses for warning in analysis.open_warnings]
    if undecided and all(map(is_across, undecided)):
        otherwise = _("Films of this case are in question because of another case. A doctor must decide first.")
    if undecided:
        raise Conflict("identity_unconfirmed", otherwise)


def _check(study: Study) -> set[str]:
    """Ask on one case; returns the ids of the other cases that are or were asked about."""
    analyses = current_analyses(study, Task.TUMOUR)
    found = _found(study, analyses)
    before = {case for row in analyses for warning in row.warnings if is_across(warning) for case in warning["cases"]}
    changed = False
    for analysis in analyses:
        warnings = with_questions(analysis.warnings, found.get(analysis.pk, {}))
        changed = changed or warnings != analysis.warnings
        keep_warnings(analysis, warnings)
    if changed and not cases.is_signed(study):
        # A preliminary report of before is not that of the case any more; a signed one stays what was signed.
        cases.touch(study)
    return before | {case for fields in found.values() for others in fields.values() for case in others}


def _found(study: Study, analyses: list[Analysis]) -> dict[Any, dict[str, set[str]]]:
    """By analysis and field, the cases of other patients; what is about the examination is asked on its first film."""
    found: dict[Any, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    patient = study.patient
    if patient is None or not analyses:
        return found
    holders: dict[tuple[str, str], Any] = {}
    for analysis in reversed(analyses):
        holders[SAME_STUDY, analysis.image.study_instance_uid] = analysis.pk
        holders[SAME_ACCESSION, normal_number(study.accession_number)] = analysis.pk
    films = [(analysis.image.original_sha256, analysis.pk) for analysis in analyses]
    for field, value, case, number in _matches(study, patient, analyses):
        if ids_agree(number, patient.patient_id):
            continue
        if field == SAME_FILM:
            for sha256, key in films:
                if sha256 == value:
                    found[key][field].add(str(case))
        elif value:
            found[holders[field, value]][field].add(str(case))
    return found


def _matches(study: Study, patient: Patient, analyses: list[Analysis]) -> Iterable[tuple[str, str, Any, str]]:
    """(field, value, case, record number) of the department's other patients, in one statement over three indexes."""
    images = [analysis.image for analysis in analyses]
    films = Image.objects.filter(study__department_id=study.department_id, study__patient__isnull=False)
    films = films.exclude(study__patient=patient)
    parts: list[QuerySet[Any, Any]] = [
        _columns(films.filter(original_sha256__in={image.original_sha256 for image in images}), SAME_FILM)
    ]
    uids = {image.study_instance_uid for image in images} - {""}
    if uids:
        parts.append(_columns(films.filter(study_instance_uid__in=uids), SAME_STUDY))
    if study.accession_number:
        number = normal_number(study.accession_number)
        same = Study.objects.filter(department_id=study.department_id, accession_number_normal=number)
        same = same.filter(patient__isnull=False).exclude(patient=patient).order_by()
        parts.append(
            same.values_list(Value(SAME_ACCESSION), F("accession_number_normal"), F("pk"), F("patient__patient_id"))
        )
    rows = parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0].distinct()
    return rows[:MOST_MATCHES]


def _columns(films: QuerySet[Image], field: str) -> QuerySet[Any, Any]:
    value = {SAME_FILM: "original_sha256", SAME_STUDY: "study_instance_uid"}[field]
    return films.order_by().values_list(Value(field), F(value), F("study_id"), F("study__patient__patient_id"))
