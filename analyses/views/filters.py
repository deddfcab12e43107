"""Search, filters and order of the case list, shared by the page and its CSV export."""

from typing import Any

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet

from analyses.forms import DateInput
from analyses.models import Outcome, ReadingState, Status, Study

ORDERS = {
    "received": ("created_at",),
    "suspicion": ("malignant_probability",),
    "record": ("patient__patient_id",),
    "study": ("body_part_examined", "laterality"),
    "examined": ("study_date",),
    "reading": ("reading_state",),
}
DEFAULT_ORDER = "-received"


class CaseFilter(django_filters.FilterSet):
    """What the filter bar of the case list asks."""

    q = django_filters.CharFilter(
        label="Search",
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Record, name or accession number"}),
    )
    outcome = django_filters.ChoiceFilter(label="Outcome", choices=Outcome.choices, empty_label="any")
    status = django_filters.ChoiceFilter(label="Status", choices=Status.choices, empty_label="any")
    body_part = django_filters.ChoiceFilter(
        label="Body part", field_name="body_part_examined", lookup_expr="iexact", empty_label="any"
    )
    received_from = django_filters.DateFilter(
        label="Received from", field_name="created_at", lookup_expr="date__gte", widget=DateInput()
    )
    received_to = django_filters.DateFilter(
        label="to", field_name="created_at", lookup_expr="date__lte", widget=DateInput()
    )
    reading = django_filters.ChoiceFilter(field_name="reading_state", choices=ReadingState.choices)

    class Meta:
        model = Study
        fields: list[str] = []

    def __init__(self, data: Any, queryset: QuerySet[Study]) -> None:
        super().__init__(data, queryset=queryset)
        parts = queryset.exclude(body_part_examined="").values_list("body_part_examined", flat=True)
        known = sorted({part.upper() for part in parts.order_by().distinct()})
        self.filters["body_part"].extra["choices"] = [(part, part.lower()) for part in known]
        self.form.fields["reading"].widget = forms.HiddenInput()

    def search(self, rows: QuerySet[Study], name: str, words: str) -> QuerySet[Study]:
        """Every word must occur in the record number, the name or the accession number."""
        for word in words.split()[:6]:
            rows = rows.filter(
                Q(patient__patient_id__icontains=word)
                | Q(patient__patient_name__icontains=word)
                | Q(accession_number__icontains=word)
            )
        return rows

    def is_narrowed(self, *, besides: tuple[str, ...] = ()) -> bool:
        """Whether anything is asked for, so that an empty list can say why it is empty."""
        return any(value for name, value in self.data.items() if name in self.filters and name not in besides)


def ordered(rows: QuerySet[Study], wanted: str) -> QuerySet[Study]:
    """The rows in the wanted order (``received``, ``-suspicion``, ...), empty values last; newest first by default."""
    name = wanted.lstrip("-")
    if name not in ORDERS:
        wanted, name = DEFAULT_ORDER, DEFAULT_ORDER.lstrip("-")
    descending = wanted.startswith("-")
    keys = [F(key).desc(nulls_last=True) if descending else F(key).asc(nulls_last=True) for key in ORDERS[name]]
    return rows.order_by(*keys, "-created_at", "id")
