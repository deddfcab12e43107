"""Who must not see the model's answer to a case yet. Whatever shows, sorts, counts or sends answers asks here."""

import copy
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from accounts.models import ReadingMode, Role, User
from analyses.blinding.reader_study import hidden_by_reader_study
from analyses.errors import Conflict
from analyses.models import SIGNED_STATES, Analysis, Arm, Study, UnaidedReading

NOTHING = Q(pk__in=[])
# What an analysis holds that depends on the model's answer, with the value of a row that has none yet.
ANSWER_FIELDS: dict[str, Any] = {
    "outcome": "",
    "reason_code": "",
    "outside_use": [],
    "probabilities": None,
    "malignant_probability": None,
    "operating_point": None,
    "leaning": "",
    "withheld_reasons": [],
    "prediction_set": [],
    "subtypes": [],
    "regions": [],
    "distance": None,
    "gate": None,
    "model_name": "",
    "model_version": "",
    "model_sha256": "",
    "site_acceptance": "",
    "preprocessing_version": "",
    "wanted_model": "",
    "saliency_file": "",
    "timings_ms": {},
}


def is_reader(user: User | None) -> bool:
    """Whether this user reads cases at all: only a doctor of a department is ever blind."""
    return user is not None and user.has_role(Role.DOCTOR) and user.department_id is not None


def reads_first(user: User | None) -> bool:
    """Whether this user is a doctor of a department that reads before the model's answer is shown."""
    if user is None or not is_reader(user):
        return False
    department = user.department
    return department is not None and department.reading_mode != ReadingMode.AT_ONCE


def hidden_cases(user: User | None, study: str = "pk") -> Q:
    """The cases (a condition on Study) whose answers this user must not see: no unaided reading locked, or hidden arm.

    A signed case hides nothing any more, but from readers of an open reader study that holds it. A reading that was
    opened keeps its mode when the department changes its own.
    What the condition leaves may still be out of the user's scope.

    Args:
        study: lookup of the case from the row that is filtered, e.g. ``"image__study"`` for analyses.
    """
    if not is_reader(user):
        return NOTHING
    unaided = UnaidedReading.objects.filter(study=OuterRef(study), reader=user)
    prefix = "" if study == "pk" else f"{study}__"
    unsigned = ~Q(**{f"{prefix}reading_state__in": SIGNED_STATES})
    if reads_first(user):
        first = Q(~Exists(unaided.filter(locked_at__isnull=False).exclude(arm=Arm.HIDDEN)))
    else:
        first = Q(Exists(unaided.filter(Q(locked_at__isnull=True) | Q(arm=Arm.HIDDEN))))
    return (unsigned & first) | hidden_by_reader_study(user, study)


def hidden_among(user: User | None, studies: Iterable[UUID]) -> frozenset[UUID]:
    """Those of these cases whose answers this user must not see, with one query at most."""
    keys = set(studies)
    if not keys or not is_reader(user):
        return frozenset()
    return frozenset(Study.objects.filter(hidden_cases(user), pk__in=keys).values_list("pk", flat=True))


def hidden_from(user: User) -> frozenset[UUID]:
    """Every case whose answer this user must not see; for the audit log, which knows no other record."""
    if not is_reader(user):
        return frozenset()
    return frozenset(Study.objects.for_user(user).filter(hidden_cases(user)).values_list("pk", flat=True))


def read_first() -> Conflict:
    """The refusal that everybody who is still blind meets, whatever the model answered."""
    return Conflict(
        "read_first",
        _(
            "This would show the model's answer, which is still hidden from you. Lock your unaided "
            "reading first. If the trial hides the answer, sign the case first. If the case is part "
            "of a reader study, wait until the study is closed."
        ),
    )


def without_answer(analysis: Analysis) -> Analysis:
    """A copy, for showing only, that holds nothing of the model's answer. A technical failure stays told."""
    blind = copy.copy(analysis)
    for name, value in ANSWER_FIELDS.items():
        setattr(blind, name, copy.copy(value))
    blind.canonical_sha256 = analysis.image.canonical_sha256
    return blind


def case_without_answer(study: Study) -> Study:
    """A copy, for showing only, of a case without the answer that sums it up."""
    blind = copy.copy(study)
    blind.outcome, blind.malignant_probability = "", None
    return blind


def with_shown_probability(rows: QuerySet, user: User | None, study: str = "pk") -> QuerySet:
    """Annotate ``sortable_probability``: P(malignant) to sort by, NULL for what this user must not see.

    Args:
        study: as for ``hidden_cases``.
    """
    if not is_reader(user):
        return rows.annotate(sortable_probability=F("malignant_probability"))
    hidden = When(hidden_cases(user, study), then=Value(None))
    return rows.annotate(sortable_probability=Case(hidden, default=F("malignant_probability")))
