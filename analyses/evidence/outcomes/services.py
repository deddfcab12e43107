"""Pathology or follow-up of a signed case: entered later, corrected by a new version, never overwritten.

An outcome *closes* the case. Only a signed case takes one: before the signature the truth would steer the reading.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.csv_lines import FORMULA_STARTS
from accounts.models import AuditEvent, User
from accounts.permissions import Action, require
from analyses.errors import Conflict, Invalid, invalid_fields
from analyses.models import BENIGN_STAGES, CaseOutcome, Study, Truth, TruthMethod, TumourGrade, TumourStage
from analyses.record import cases

MAX_SOURCE, MAX_SUBTYPE, CHUNK = 200, 120, 500
EARLIEST = date(1900, 1, 1)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
NOT_SIGNED = gettext_lazy("The case is not signed yet. Sign the reading first, then enter the outcome.")


@dataclass(frozen=True)
class OutcomeFields:
    """What somebody states about a case afterwards; ``established_on`` is the date of the pathology or follow-up."""

    truth: str
    method: str
    established_on: date | None
    source: str = ""
    subtype: str = ""
    tumour_grade: str = ""
    tumour_stage: str = ""


def cleaned(given: OutcomeFields, born: date | None = None) -> OutcomeFields:
    """The same fields with texts trimmed.

    Args:
        born: the patient's birth date; nothing is established before it.

    Raises:
        Invalid: ``bad_field`` for a value that breaks a rule; ``contradiction`` where valid values do not go
            together.
    """
    source, subtype = " ".join(given.source.split()), " ".join(given.subtype.split())
    problems: dict[str, list[str]] = {}
    codes = (
        ("truth", given.truth, Truth.values, True),
        ("method", given.method, TruthMethod.values, True),
        ("tumour_grade", given.tumour_grade, TumourGrade.values, False),
        ("tumour_stage", given.tumour_stage, TumourStage.values, False),
    )
    for name, value, known, needed in codes:
        if (value or needed) and value not in known:
            said = _("One of %(values)s.") if needed else _("One of %(values)s, or empty.")
            problems[name] = [said % {"values": ", ".join(known)}]
    for name, text, most in (("source", source, MAX_SOURCE), ("subtype", subtype, MAX_SUBTYPE)):
        if len(text) > most:
            problems[name] = [_("At most %(most)s characters.") % {"most": most}]
        elif _CONTROL.search(text):
            problems[name] = [_("Control characters are not allowed.")]
        elif text.startswith(FORMULA_STARTS):
            problems[name] = [_("The text begins like a spreadsheet formula. Begin with a letter or a digit.")]
    if day_problem := _day_problem(given.established_on, born):
        problems["established_on"] = [day_problem]
    if problems:
        raise invalid_fields(problems, _sentence(problems))
    _refuse_contradictions(given, subtype)
    return replace(given, source=source, subtype=subtype)


def _day_problem(day: date | None, born: date | None) -> str:
    if day is None:
        return _("Enter the date.")
    # One day of grace: it may be tomorrow already where the reader sits.
    if day > timezone.localdate() + timedelta(days=1):
        return _("The date is in the future.")
    if day < (born or EARLIEST):
        return (
            _("The date is before the date of birth.")
            if born
            else _("The date is before %(year)s.") % {"year": EARLIEST.year}
        )
    return ""


def _refuse_contradictions(given: OutcomeFields, subtype: str) -> None:
    problems: dict[str, list[str]] = {}
    if given.truth == Truth.NORMAL and subtype:
        problems["subtype"] = [_("A normal case has no tumour and therefore no subtype.")]
    if given.tumour_grade and given.truth != Truth.MALIGNANT:
        problems["tumour_grade"] = [_("Only malignant tumours are graded.")]
    if given.tumour_stage in BENIGN_STAGES and given.truth != Truth.BENIGN:
        problems["tumour_stage"] = [_("Stages 1 to 3 apply to benign tumours.")]
    elif given.tumour_stage and given.tumour_stage not in BENIGN_STAGES and given.truth != Truth.MALIGNANT:
        problems["tumour_stage"] = [_("Stages IA to III apply to malignant tumours.")]
    if problems:
        raise Invalid("contradiction", _sentence(problems), fields=problems)


def _sentence(problems: dict[str, list[str]]) -> str:
    words = {
        "truth": _("truth"),
        "method": _("method"),
        "established_on": _("date"),
        "source": _("source"),
        "subtype": _("subtype"),
        "tumour_grade": _("grade"),
        "tumour_stage": _("stage"),
    }
    return " ".join(f"{capfirst(words.get(name, name))}: {' '.join(texts)}" for name, texts in problems.items())


@transaction.atomic
def enter_outcome(study: Study, given: OutcomeFields, *, user: User, seen_version: int | None = None) -> CaseOutcome:
    """Close a signed case with its outcome, or correct the outcome by a new version.

    The same outcome again changes nothing, so that a form that was sent twice makes one version.

    Args:
        seen_version: the version that the page showed, 0 for none; refused when it is no longer the current one.

    Raises:
        Invalid: as ``cleaned``.
        Conflict: ``not_signed``, ``outcome_changed``.
    """
    require(user, Action.ENTER_OUTCOMES)
    locked = cases.lock(study.pk)
    if not cases.is_signed(locked):
        raise Conflict("not_signed", str(NOT_SIGNED))
    wanted = cleaned(given, locked.patient.patient_birth_date if locked.patient else None)
    current = CaseOutcome.objects.filter(study=locked, is_current=True).first()
    if current is not None and fields_of(current) == wanted:
        return current
    if seen_version is not None and seen_version != (current.version if current else 0):
        raise Conflict(
            "outcome_changed",
            _("Another outcome has been entered in the meantime. Review it, then enter yours if it is still correct."),
        )
    return store([(locked, wanted, current)], user)[0]


def store(entries: Iterable[tuple[Study, OutcomeFields, CaseOutcome | None]], user: User) -> list[CaseOutcome]:
    """Write the next versions of locked cases' outcomes and their lines in the log, inside the caller's transaction.

    Args:
        entries: for each case, what is wanted, and the current version or None.
    """
    made, events, before = [], [], []
    for study, wanted, current in entries:
        version = current.version + 1 if current else 1
        row = CaseOutcome(study=study, version=version, entered_by=user, **vars(wanted))
        made.append(row)
        before += [current.pk] if current else []
        events.append(
            audit.record(
                "correct_outcome" if current else "enter_outcome",
                user=user,
                obj=row,
                case_id=study.pk,
                subject=study.record_number,
                detail={"version": version, "truth": row.truth, "method": row.method},
                save=False,
            )
        )
    for start in range(0, len(before), CHUNK):
        CaseOutcome.objects.filter(pk__in=before[start : start + CHUNK]).update(is_current=False)
    CaseOutcome.objects.bulk_create(made, CHUNK)
    AuditEvent.objects.bulk_create(events, CHUNK)
    return made


def fields_of(row: CaseOutcome) -> OutcomeFields:
    """What a stored version states."""
    values: dict[str, Any] = {name: getattr(row, name) for name in OutcomeFields.__dataclass_fields__}
    return OutcomeFields(**values)


def history(study: Study) -> list[CaseOutcome]:
    """Every version, the newest first; the first one is current. Empty while the case is open."""
    return list(CaseOutcome.objects.filter(study=study).select_related("entered_by").order_by("-version"))
