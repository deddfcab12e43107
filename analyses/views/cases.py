"""The way in, the case list with its waiting rows, and its export."""

import csv
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.permissions import Action, may, requires
from analyses.models import Analysis, CaseOutcome, Outcome, ReadingState, Study
from analyses.services import queue
from analyses.views.filters import DEFAULT_ORDER, CaseFilter, ordered

PAGE_SIZE = 50
COLUMNS = (
    ("received", "Received"),
    ("record", "Record"),
    ("study", "Study"),
    ("examined", "Examined"),
    ("reading", "Reading"),
)
HOMES = (
    (Action.VIEW_CASES, "analyses:case_list"),
    (Action.DOWNLOAD_SIGNED_REPORTS, "analyses:report_list"),
    (Action.VIEW_STATUS, "analyses:status"),
    (Action.VIEW_AUDIT_LOG, "accounts:audit_log"),
    (Action.OWN_TOKENS, "accounts:tokens"),
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Where this person's work begins."""
    for action, name in HOMES:
        if may(request.user, action):  # type: ignore[arg-type]
            return redirect(name)
    return redirect("accounts:profile")


def cases_of(request: HttpRequest) -> QuerySet[Study]:
    rows = Study.objects.for_user(request.user).select_related("patient")  # type: ignore[arg-type]
    closed = Exists(CaseOutcome.objects.filter(study=OuterRef("pk"), is_current=True))
    return rows.annotate(films=Count("images"), closed=closed)


@require_safe
@requires(Action.VIEW_CASES)
def case_list(request: HttpRequest) -> HttpResponse:
    """The worklist: search, filters, order, pages."""
    everything = Study.objects.for_user(request.user)  # type: ignore[arg-type]
    narrowed = CaseFilter(request.GET, cases_of(request))
    order = request.GET.get("order", DEFAULT_ORDER)
    page = Paginator(ordered(narrowed.qs, order), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = with_waiting(list(page.object_list))
    _record_listing(request, narrowed, page.paginator.count)
    states = dict(everything.values_list("reading_state").annotate(Count("id")).order_by())
    context = {
        "filter": narrowed,
        "page_obj": page,
        "rows": rows,
        "waiting": [row.pk for row in rows if row.waiting],
        "columns": [_column(name, label, order) for name, label in COLUMNS],
        "suspicion": _column("suspicion", "Malignant", order),
        "tabs": _tabs(states, request.GET.get("reading", "")),
        "total": sum(states.values()),
        "unread": states.get(ReadingState.UNREAD, 0),
        "above": everything.filter(reading_state=ReadingState.UNREAD, outcome=Outcome.MALIGNANT).count(),
        "is_narrowed": narrowed.is_narrowed(),
        "is_filtered": narrowed.is_narrowed(besides=("reading",)),
    }
    return render(request, "analyses/case_list.html", context)


@require_safe
@requires(Action.VIEW_CASES)
def queue_rows(request: HttpRequest) -> HttpResponse:
    """The rows that were waiting when the list was drawn, as they stand now; the poll ends when none waits."""
    keys = [key for text in request.GET.getlist("id")[:PAGE_SIZE] if (key := _uuid(text))]
    rows = with_waiting(list(cases_of(request).filter(pk__in=keys)))
    waiting = [row.pk for row in rows if row.waiting]
    return render(request, "analyses/_queue_rows.html", {"rows": rows, "waiting": waiting})


@require_safe
@requires(Action.EXPORT_CASES)
def case_export(request: HttpRequest) -> HttpResponseBase:
    """The list as it is filtered, as CSV."""
    narrowed = CaseFilter(request.GET, cases_of(request))
    rows = ordered(narrowed.qs, request.GET.get("order", DEFAULT_ORDER))
    audit.record(
        "export_cases",
        user=request.user,  # type: ignore[arg-type]
        subject=request.GET.get("q", ""),
        detail={"rows": rows.count(), "filters": sorted(key for key, value in request.GET.items() if value)},
    )
    response = StreamingHttpResponse(_csv_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cases-{timezone.localdate():%Y-%m-%d}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def with_waiting(rows: list[Study]) -> list[Any]:
    """Give every case ``waiting``: its unfinished analysis with ``place`` in the queue (None when it runs), or None."""
    unfinished = Analysis.objects.unfinished().filter(image__study__in=[row.pk for row in rows])
    by_study: dict[UUID, Analysis] = {}
    waiting = list(unfinished.select_related("image").order_by("queued_at", "id"))
    places = queue.places_in_queue(waiting)
    for analysis in waiting:
        analysis.place = places.get(analysis.pk)
        by_study.setdefault(analysis.image.study_id, analysis)
    for row in rows:
        row.waiting = by_study.get(row.pk)  # type: ignore[attr-defined]
    return rows


def _record_listing(request: HttpRequest, narrowed: CaseFilter, count: int) -> None:
    words = request.GET.get("q", "").strip()
    audit.record(
        "search_cases" if words else "list_cases",
        user=request.user,  # type: ignore[arg-type]
        subject=words,
        detail={"rows": count, "filters": sorted(key for key in narrowed.filters if request.GET.get(key))},
    )


def _column(name: str, label: str, order: str) -> dict[str, str]:
    """A sortable head: the first click sorts new or high first, the second turns it round."""
    descending_first = name in ("received", "examined", "suspicion")
    now = {name: "ascending", f"-{name}": "descending"}.get(order, "")
    following = {"ascending": f"-{name}", "descending": name}.get(now, f"-{name}" if descending_first else name)
    return {"name": name, "label": label, "sorted": now, "next": following}


def _tabs(states: dict[str, int], current: str) -> list[dict[str, Any]]:
    tabs = [{"value": "", "label": "All", "count": sum(states.values()), "active": not current}]
    for value, label in ReadingState.choices:
        if value == ReadingState.AMENDED and not states.get(value):
            continue
        tabs.append(
            {"value": value, "label": label.capitalize(), "count": states.get(value, 0), "active": current == value}
        )
    return tabs


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


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
)


def _csv_lines(rows: QuerySet[Study]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(HEAD)
    for row in rows.iterator(chunk_size=500):
        patient = row.patient
        yield writer.writerow(
            [
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
                row.films,  # type: ignore[attr-defined]
                row.status,
                row.outcome,
                _probability_cell(row),
                row.reading_state,
            ]
        )


def _probability_cell(row: Study) -> str:
    """P(malignant); empty where there is none, and where the model withheld its answer."""
    if row.malignant_probability is None or row.outcome == Outcome.WITHHELD:
        return ""
    return f"{row.malignant_probability:.4f}"


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
