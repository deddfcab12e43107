"""Which analyses a list shows, and in which order."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import F, QuerySet
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.spelling import normal_number
from analyses.blinding.rules import hidden_cases, with_shown_probability
from analyses.models import Analysis, Outcome, Status
from analyses.record.search import matching

ORDERS = {
    "created_at": F("created_at").asc(),
    "-created_at": F("created_at").desc(),
    "malignant_probability": F("sortable_probability").asc(nulls_last=True),
    "-malignant_probability": F("sortable_probability").desc(nulls_last=True),
}
CASE = "image__study"
PAGING = frozenset({"page", "page_size", "cursor"})


class MomentField(IsoDateTimeField):
    """A point in time that the database can hold, whatever its zone."""

    def clean(self, value: Any) -> datetime | None:
        moment = super().clean(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class MomentFilter(filters.IsoDateTimeFilter):
    """Compares with a point in time."""

    field_class = MomentField


class NumberFilter(filters.CharFilter):
    """A whole record or accession number, in whichever spelling."""

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        return super().filter(qs, normal_number(value))


class AnalysisFilter(filters.FilterSet):
    """What a list may be narrowed by."""

    status = filters.ChoiceFilter(choices=Status.choices)
    outcome = filters.ChoiceFilter(choices=Outcome.choices, method="with_outcome")
    patient_id = NumberFilter(
        "image__study__patient__patient_id_normal",
        max_length=64,
        label="Record number, complete; case, width and white space do not count.",
    )
    accession_number = NumberFilter(
        "image__study__accession_number_normal",
        max_length=64,
        label="Complete; case, width and white space do not count.",
    )
    q = filters.CharFilter(
        method="search",
        max_length=200,
        label="Words, each in the record number, the name or the accession number; no accents needed.",
    )
    created_after = MomentFilter("created_at", "gte", label="At or after this time (ISO 8601).")
    created_before = MomentFilter("created_at", "lt", label="Before this time (ISO 8601).")
    ordering = filters.ChoiceFilter(
        method="order",
        choices=[(name, name) for name in ORDERS],
        label="Order of the entries; newest first by default.",
    )

    class Meta:
        model = Analysis
        fields: list[str] = []

    def order(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        """The id breaks ties, so that pages neither repeat nor skip a row."""
        if value.endswith("malignant_probability"):
            queryset = with_shown_probability(queryset, self._caller, CASE)
        return queryset.order_by(ORDERS[value], "id")

    def search(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        """As people search on the pages."""
        return matching(queryset, value, CASE)

    def with_outcome(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        """Only films whose answer the caller may see."""
        return queryset.filter(outcome=value).exclude(hidden_cases(self._caller, CASE))

    @property
    def _caller(self) -> Any:
        return self.request.user if self.request else None


class StrictFilterBackend(filters.DjangoFilterBackend):
    """Refuses a filter that does not exist or is empty: a mistake in ``patient_id`` must not list everybody."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> Any:
        known = set(AnalysisFilter.base_filters) | PAGING
        judged = ((name, _problem(name, values, known)) for name, values in request.query_params.lists())
        if wrong := {name: [problem] for name, problem in judged if problem}:
            raise ValidationError(wrong)
        return super().filter_queryset(request, queryset, view)


def _problem(name: str, values: list[str], known: set[str]) -> str:
    if name not in known:
        return "Unknown filter."
    return "" if len(values) == 1 and values[0].strip() else "Give one value, or omit the parameter."
