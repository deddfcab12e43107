"""Which analyses a list shows, and in which order."""

from typing import Any

from django.db.models import F, QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from analyses.models import Analysis, Outcome, Status

ORDERS = {
    "created_at": F("created_at").asc(),
    "-created_at": F("created_at").desc(),
    "malignant_probability": F("malignant_probability").asc(nulls_last=True),
    "-malignant_probability": F("malignant_probability").desc(nulls_last=True),
}
PAGING = frozenset({"page", "page_size"})


class AnalysisFilter(filters.FilterSet):
    """Exact values only: searching words in names is what the pages are for."""

    status = filters.ChoiceFilter(choices=Status.choices)
    outcome = filters.ChoiceFilter(choices=Outcome.choices)
    patient_id = filters.CharFilter("image__study__patient__patient_id", max_length=64, label="Record number, exact.")
    accession_number = filters.CharFilter("image__study__accession_number", max_length=64, label="Exact.")
    created_after = filters.IsoDateTimeFilter("created_at", "gte", label="At or after this time (ISO 8601).")
    created_before = filters.IsoDateTimeFilter("created_at", "lt", label="Before this time (ISO 8601).")
    ordering = filters.ChoiceFilter(
        method="order", choices=[(name, name) for name in ORDERS], label="Newest first unless given."
    )

    class Meta:
        model = Analysis
        fields: list[str] = []

    def order(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        """The id breaks ties, so that pages neither repeat nor skip a row."""
        return queryset.order_by(ORDERS[value], "id")


class StrictFilterBackend(filters.DjangoFilterBackend):
    """Refuses a filter that does not exist: a misspelt ``patient_id`` must not list everybody."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> Any:
        unknown = sorted(set(request.query_params) - set(AnalysisFilter.base_filters) - PAGING)[:20]
        if unknown:
            raise ValidationError({name: ["There is no such filter."] for name in unknown})
        return super().filter_queryset(request, queryset, view)
