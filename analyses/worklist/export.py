"""The worklist as it is filtered, as CSV."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.csv_lines import csv_lines, safe_cell
from accounts.permissions import Action, requires
from analyses.models import Image, Outcome, Study
from analyses.worklist import rows as worklist
from analyses.worklist.filters import CaseFilter

HEAD = (
    "case",
    "received",
    "patient_id",
    "patient_name",
    "patient_birth_date",
    "accession_number",
    "modality",
    "body_part_examined",
    "laterality",
    "study_date",
    "films",
    "status",
    "outcome",
    "malignant_probability",
    "reading_state",
    "assigned_to",
)


@require_safe
@requires(Action.EXPORT_CASES)
def case_export(request: HttpRequest) -> HttpResponseBase:
    """The list as it is filtered; of a hidden answer the columns are empty."""
    user: Any = request.user
    narrowed = CaseFilter(request.GET, user)
    counted = Image.objects.filter(study=OuterRef("pk")).order_by().values("study").annotate(count=Count("pk"))
    rows = worklist.ordered(narrowed.qs, request.GET.get("order") or worklist.DEFAULT_ORDER, user)
    audit.record(
        "export_cases",
        user=user,
        subject=narrowed.words,
        detail={"rows": rows.count(), "filters": sorted(key for key in narrowed.filters if request.GET.get(key))},
    )
    films = Subquery(counted.values("count"), output_field=IntegerField())
    response = StreamingHttpResponse(
        csv_lines(_cells(rows.annotate(films=films))), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="cases-{timezone.localdate():%Y-%m-%d}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _cells(rows: QuerySet[Study]) -> Iterator[Sequence[Any]]:
    yield HEAD
    for row in rows.iterator(chunk_size=500):
        worklist.masked([row])
        patient = row.patient
        yield [
            row.pk,
            timezone.localtime(row.created_at).isoformat(timespec="seconds"),
            safe_cell(patient.patient_id if patient else ""),
            safe_cell(patient.patient_name if patient else ""),
            (patient.patient_birth_date if patient else None) or "",
            safe_cell(row.accession_number),
            safe_cell(row.modality),
            safe_cell(row.body_part_examined),
            row.laterality,
            row.study_date or "",
            row.films or 0,  # type: ignore[attr-defined]
            row.status,
            row.outcome,
            _probability_cell(row),
            row.reading_state,
            safe_cell(str(row.assigned_to or "")),
        ]


def _probability_cell(row: Study) -> str:
    """P(malignant); empty where there is none, and where the model withheld its answer."""
    if row.malignant_probability is None or row.outcome == Outcome.WITHHELD:
        return ""
    return f"{row.malignant_probability:.4f}"
