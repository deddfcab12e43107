"""Search, filters and order of the worklist, shared by the page, its CSV export and the next-case key."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, ExtractDay, ExtractMonth, ExtractYear
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analyses.models import Outcome, ReadingState, SecondReading, Sex, Status, Study
from analyses.record.forms import DateInput
from analyses.record.search import matching
from analyses.stored_words import body_part_words
from analyses.worklist import rows as worklist

# Label, and full years at the examination: from, and below (None: no bound).
AGE_GROUPS: dict[str, tuple[Any, int, int | None]] = {
    "child": (_("under 18"), 0, 18),
    "young": (_("18 to 39"), 18, 40),
    "middle": (_("40 to 64"), 40, 65),
    "old": (_("65 and over"), 65, None),
}
ASSIGNMENTS = (
    ("mine", _("Mine")),
    ("unassigned", _("Unassigned")),
    ("asked", _("Requests to me")),
)
# What a saved filter keeps: everything but search words, which may name a patient.
VIEW_FIELDS = (
    "assigned", "reading", "outcome", "status", "body_part", "modality", "age", "sex", "received_from", "received_to",
    "order",
)  # fmt: skip
MAX_VALUE = 64


def query_of(data: Any, *, words: bool = False) -> str:
    """What a saved filter keeps of a request's query, in one spelling; with ``words`` also what is searched for."""
    names = (*VIEW_FIELDS, "q") if words else VIEW_FIELDS
    given = {name: str(data.get(name) or "")[: MAX_VALUE if name != "q" else 200] for name in names}
    return urlencode({name: value for name, value in given.items() if value})


class CaseFilter(django_filters.FilterSet):
    """What the filter bar of the worklist asks."""

    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Record, name or accession number")}),
    )
    outcome = django_filters.ChoiceFilter(
        label=_("Outcome"), choices=Outcome.choices, empty_label=_("any"), method="by_outcome"
    )
    status = django_filters.ChoiceFilter(
        label=_("Status"), choices=Status.choices, empty_label=_("any"), method="by_status"
    )
    body_part = django_filters.ChoiceFilter(
        label=_("Body part"), field_name="body_part_examined", lookup_expr="iexact", empty_label=_("any")
    )
    modality = django_filters.ChoiceFilter(label=_("Modality"), lookup_expr="iexact", empty_label=_("any"))
    age = django_filters.ChoiceFilter(
        label=_("Age"),
        empty_label=_("any"),
        method="by_age",
        choices=[(key, row[0]) for key, row in AGE_GROUPS.items()],
    )
    sex = django_filters.ChoiceFilter(
        label=_("Sex"), field_name="patient__patient_sex", choices=Sex.choices, empty_label=_("any")
    )
    received_from = django_filters.DateFilter(
        label=_("Received from"), field_name="created_at", lookup_expr="date__gte", widget=DateInput()
    )
    received_to = django_filters.DateFilter(
        label=_("to"), field_name="created_at", lookup_expr="date__lte", widget=DateInput()
    )
    assigned = django_filters.ChoiceFilter(choices=ASSIGNMENTS, method="by_assignment")
    reading = django_filters.ChoiceFilter(field_name="reading_state", choices=ReadingState.choices)

    class Meta:
        model = Study
        fields: list[str] = []

    def __init__(self, data: Any, user: User) -> None:
        self.user = user
        self.any_state = self.any_assignment = queryset = worklist.listed(user)
        super().__init__(data, queryset=queryset)
        self.filters["body_part"].extra["choices"] = self._known("body_part_examined")
        self.filters["modality"].extra["choices"] = self._known("modality")
        for name in ("reading", "assigned"):
            self.form.fields[name].widget = forms.HiddenInput()

    def filter_queryset(self, queryset: QuerySet[Study]) -> QuerySet[Study]:
        """All filters together; aside, what they leave for the tabs of states and of assignments to count."""
        asked = dict(self.form.cleaned_data)
        reading, assigned = asked.pop("reading", ""), asked.pop("assigned", "")
        for name, value in asked.items():
            queryset = self.filters[name].filter(queryset, value)
        self.any_state = self.filters["assigned"].filter(queryset, assigned)
        self.any_assignment = self.filters["reading"].filter(queryset, reading)
        return self.filters["reading"].filter(self.any_state, reading)

    def search(self, rows: QuerySet[Study], name: str, words: str) -> QuerySet[Study]:
        """Every word must occur in the record number, the name or the accession number."""
        return matching(rows, words)

    def by_outcome(self, rows: QuerySet[Study], name: str, value: str) -> QuerySet[Study]:
        """Cases answered so, as far as the user sees answers."""
        return worklist.with_outcome(rows, self.user, value)

    def by_status(self, rows: QuerySet[Study], name: str, value: str) -> QuerySet[Study]:
        """Cases whose analyses stand so, as far as the user sees answers."""
        return worklist.with_status(rows, self.user, value)

    def by_assignment(self, rows: QuerySet[Study], name: str, value: str) -> QuerySet[Study]:
        """Whose work the case is."""
        return rows.filter(assignment(self.user)[value])

    def by_age(self, rows: QuerySet[Study], name: str, value: str) -> QuerySet[Study]:
        """Full years at the examination; today where its date is not known. Nobody without a birth date matches."""
        _, youngest, below = AGE_GROUPS[value]
        born = _day_number("patient__patient_birth_date")
        today = timezone.localdate()
        examined = Coalesce(_day_number("study_date"), Value(_as_number(today)), output_field=IntegerField())
        rows = rows.annotate(age_number=examined - born).filter(age_number__gte=youngest * 10_000)
        return rows if below is None else rows.filter(age_number__lt=below * 10_000)

    @property
    def words(self) -> str:
        """What is searched for; empty where it cannot be read and nothing was narrowed by it."""
        return "" if "q" in self.form.errors else str(self.form.cleaned_data["q"])

    def is_narrowed(self, *, besides: tuple[str, ...] = ()) -> bool:
        """Whether anything is asked for, so that an empty list can say why it is empty."""
        return any(value for name, value in self.data.items() if name in self.filters and name not in besides)

    def _known(self, field: str) -> list[tuple[str, str]]:
        values = Study.objects.for_user(self.user).exclude(**{field: ""}).values_list(field, flat=True)
        known = sorted({value.upper() for value in values.order_by().distinct()})
        return [(value, body_part_words(value) if field == "body_part_examined" else value) for value in known]


def assignment(user: User) -> dict[str, Q]:
    """Conditions on a case, by the values of the assignment filter."""
    asked = SecondReading.objects.open().filter(study=OuterRef("pk"), reader=user)
    return {"mine": Q(assigned_to=user), "unassigned": Q(assigned_to__isnull=True), "asked": Q(Exists(asked))}


def _day_number(field: str) -> Any:
    """A date as the number YYYYMMDD: full years between two of them are their difference over 10,000, rounded down."""
    return ExtractYear(F(field)) * 10_000 + ExtractMonth(F(field)) * 100 + ExtractDay(F(field))


def _as_number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
