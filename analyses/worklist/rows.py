"""The worklist as one user may see it: which answers are hidden, in what order cases stand, which is the next.

Whatever depends on the model's answer treats a hidden case as one that has none: it matches no filter of answers, has
no place in an order by answers, counts nowhere and is drawn as *Read first*.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Case, Exists, F, FloatField, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from accounts.models import User
from analyses.answers.suspicion import SUSPICION
from analyses.blinding.rules import NOTHING, hidden_cases, reads_first
from analyses.models import SIGNED_STATES, CaseOutcome, ReadingState, Status, Study

ORDERS = {
    "priority": (),
    "received": ("created_at",),
    "suspicion": ("seen_probability",),
    "record": ("patient__patient_id",),
    "study": ("body_part_examined", "laterality"),
    "examined": ("study_date",),
    "reading": ("state_place",),
}
DEFAULT_ORDER = "priority"
_STATES = [state.value for state in ReadingState]


def listed(user: User) -> QuerySet[Study]:
    """The user's cases, each with ``hidden``: whether the user must not see the model's answer to it yet.

    And with ``closed``: whether pathology or follow-up is known.
    """
    hidden = Case(When(hidden_cases(user), then=Value(True)), default=Value(False), output_field=BooleanField())
    rows: QuerySet[Study] = Study.objects.for_user(user).select_related("patient", "assigned_to")
    closed = Exists(CaseOutcome.objects.filter(study=OuterRef("pk"), is_current=True))
    return rows.annotate(hidden=hidden, closed=closed)


def with_outcome(rows: QuerySet[Study], user: User, outcome: str) -> QuerySet[Study]:
    """Those that the model answered so; no hidden case is among them."""
    return rows.filter(~hidden_cases(user), outcome=outcome)


def with_status(rows: QuerySet[Study], user: User, status: str) -> QuerySet[Study]:
    """Those whose analyses stand so; of a hidden case nobody learns more than that it waits."""
    if status == Status.QUEUED:
        return rows.filter(status=status)
    return rows.filter(~hidden_cases(user), status=status)


def ordered(rows: QuerySet[Study], wanted: str, user: User, *, as_open: UUID | None = None) -> QuerySet[Study]:
    """The rows in the wanted order (``priority``, ``-suspicion``, ...), empty values last; by priority by default.

    Priority: what is not signed first; then by the operating point, as ``suspicion`` orders outcomes, for doctors who
    see answers at once, and for nobody else; then who has waited longest.

    Args:
        as_open: a case that is placed as if it were not signed yet, to find what came after it.
    """
    name = wanted.removeprefix("-")
    if name not in ORDERS:
        wanted = name = DEFAULT_ORDER
    if name == "priority":
        return rows.order_by(*_priority(user, as_open), "created_at", "id")
    annotations: dict[str, Any] = {}
    if name == "suspicion":
        annotations["seen_probability"] = Case(
            When(hidden_cases(user), then=None), default=F("malignant_probability"), output_field=FloatField()
        )
    if name == "reading":
        annotations["state_place"] = _place("reading_state", _STATES)
    descending = wanted.startswith("-")
    keys = [F(key).desc(nulls_last=True) if descending else F(key).asc(nulls_last=True) for key in ORDERS[name]]
    return rows.annotate(**annotations).order_by(*keys, "-created_at", "id")


def _priority(user: User, as_open: UUID | None) -> list[Combinable]:
    signed = Q(reading_state__in=SIGNED_STATES) & ~Q(pk=as_open) if as_open else Q(reading_state__in=SIGNED_STATES)
    closed = Case(When(signed, then=Value(1)), default=Value(0), output_field=IntegerField())
    # Even a case that a reader has unlocked would say by its place what was answered to its hidden neighbours.
    return [closed] if reads_first(user) else [closed, _place("outcome", SUSPICION, hidden_cases(user))]


def _place(field: str, values: Iterable[str], unknown: Q = NOTHING) -> Case:
    """The place of a field's value among these; others, and the rows that are `unknown`, come last."""
    known = list(values)
    whens = [When(**{field: value}, then=Value(place)) for place, value in enumerate(known)]
    last = Value(len(known))
    return Case(When(unknown, then=last), *whens, default=last, output_field=IntegerField())


def following(narrowed: QuerySet[Study], wanted: str, user: User, current: UUID) -> tuple[UUID | None, bool]:
    """The case after this one in the user's view and order that is open and not a colleague's.

    Returns:
        It, or None where no other is left; and whether the list ended and it is the first from the top.
    """
    mine = Q(assigned_to__isnull=True) | Q(assigned_to=user) | Q(assigned_to__is_active=False)
    open_ones = narrowed.filter(mine).exclude(reading_state__in=SIGNED_STATES).order_by()
    rows = listed(user).filter(Q(pk__in=open_ones.values("pk")) | Q(pk=current))
    keys = list(ordered(rows, wanted, user, as_open=current).values_list("pk", flat=True))
    place = keys.index(current) if current in keys else -1
    after, before = keys[place + 1 :], keys[: max(0, place)]
    left = [*after, *before]
    return left[0] if left else None, not after and bool(before)


def masked(rows: list[Any]) -> list[Any]:
    """The same rows, with nothing of the answer left on those that are hidden: whatever draws them cannot slip."""
    for row in rows:
        if row.hidden:
            row.outcome, row.malignant_probability = "", None
            row.status = Status.QUEUED if row.status == Status.QUEUED else ""
    return rows
