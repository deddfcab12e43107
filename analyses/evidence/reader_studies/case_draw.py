"""Draws cases for a draft at random from recorded outcomes, and the same again from the same seed.

The cases of each outcome are sorted by SHA-256 of ``seed|case|outcome|case id``; the first ones that can be read are
taken. The seed is made for each draw, so that nobody can choose one by what it draws, and kept with what was asked and
which rows it made: whoever takes drawn cases out one by one must not pass the rest off as drawn at random.
"""

import hashlib
import secrets
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from analyses.errors import Invalid, invalid_field
from analyses.evidence.reader_studies import snapshot
from analyses.evidence.reader_studies.services import MAX_CASES, append, locked_draft, record
from analyses.models import SIGNED_STATES, Analysis, CaseOutcome, ReaderStudy, ReferenceTruth, Study, Task
from analyses.registry.uses import group_of

# The order in which the draws of a reader study's page name the outcomes.
TRUTHS = (ReferenceTruth.MALIGNANT, ReferenceTruth.BENIGN, ReferenceTruth.NORMAL)


@transaction.atomic
def draw_cases(
    reader_study: ReaderStudy,
    *,
    by: User,
    malignant: int = 0,
    benign: int = 0,
    normal: int = 0,
    since: date | None = None,
    until: date | None = None,
) -> int:
    """Put randomly drawn cases into a draft, with their current outcome as truth: as many as asked, or none; how many.

    Args:
        since, until: dates of the pathology or follow-up, both included.

    Raises:
        Invalid: ``bad_field``; ``too_few``, with the number there is for every outcome that has fewer than asked.
        Conflict: ``not_a_draft``.
    """
    reader_study = locked_draft(reader_study, by)
    asked = dict(zip(TRUTHS, (malignant, benign, normal), strict=True))
    _check(reader_study, asked, since, until)
    draw: dict[str, Any] = {
        "seed": secrets.token_hex(16),
        "asked": {truth.value: count for truth, count in asked.items()},
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
    }
    found: list[tuple[Study, str]] = []
    short: dict[str, list[str]] = {}
    for truth, count in asked.items():
        cases = _drawn(_candidates(reader_study, truth, since, until), f"{draw['seed']}|case|{truth.value}", count)
        found += [(case, truth.value) for case in cases]
        if len(cases) < count:
            short[truth.value] = [_fewer(len(cases))]
    if short:
        raise Invalid("too_few", _("Nothing was drawn: there are fewer cases than requested."), fields=short)
    _keep(reader_study, found, draw, by)
    return len(found)


def _keep(reader_study: ReaderStudy, found: list[tuple[Study, str]], draw: dict[str, Any], by: User) -> None:
    rows = [str(row.pk) for row in append(reader_study, found)]
    reader_study.draws = [*reader_study.draws, draw | {"rows": rows}]
    reader_study.save(update_fields=["draws"])
    record("draw_study_cases", by, reader_study, cases=len(found), **draw)


def taken_out(reader_study: ReaderStudy) -> list[int]:
    """For each draw how many of its cases were taken out since; one put back by hand counts as taken out.

    Draws of earlier versions of the program did not keep their rows; of these none is counted.
    """
    left = {str(pk) for pk in reader_study.cases.values_list("pk", flat=True)}
    return [len(set(draw.get("rows", ())) - left) for draw in reader_study.draws]


def _check(reader_study: ReaderStudy, asked: dict[ReferenceTruth, int], since: date | None, until: date | None) -> None:
    if min(asked.values()) < 0 or not any(asked.values()):
        raise invalid_field("malignant", _("Enter the number of cases to draw."))
    if reader_study.cases.count() + sum(asked.values()) > MAX_CASES:
        raise invalid_field("malignant", _("A study has at most %(most)s cases.") % {"most": MAX_CASES})
    if since and until and since > until:
        raise invalid_field("until", _("The last date is before the first."))


def _candidates(reader_study: ReaderStudy, truth: ReferenceTruth, since: date | None, until: date | None) -> list[Any]:
    """Ids of the department's signed cases with this current outcome and a film, less those of the reader study."""
    asked = Analysis.objects.of_task(Task.TUMOUR).filter(image__study=OuterRef("study"))
    shown = asked.exclude(image__canonical_file="")
    rows = CaseOutcome.objects.filter(
        Exists(shown),
        is_current=True,
        truth=truth,
        study__department=reader_study.department_id,
        study__reading_state__in=SIGNED_STATES,
    ).exclude(study__in=reader_study.cases.values("case"))
    if since:
        rows = rows.filter(established_on__gte=since)
    if until:
        rows = rows.filter(established_on__lte=until)
    return list(rows.order_by().values_list("study_id", flat=True))


def _drawn(ids: list[Any], prefix: str, count: int) -> list[Study]:
    """The first radiographs in random order that can be shown, at most so many; no model answers other images."""
    cases: list[Study] = []
    for key in sorted(ids, key=lambda key: hashlib.sha256(f"{prefix}|{key}".encode()).hexdigest()):
        if len(cases) == count:
            break
        case = Study.objects.get(pk=key)
        if group_of(case.modality) and not snapshot.unfit_code(case):
            cases.append(case)
    return cases


def _fewer(count: int) -> str:
    """How many there are of an outcome of which more were asked for."""
    if not count:
        return _("No matching case is available. Nothing was drawn.")
    there_are = ngettext(
        "Only %(count)s matching case is available. Nothing was drawn.",
        "Only %(count)s matching cases are available. Nothing was drawn.",
        count,
    )
    return there_are % {"count": count}
