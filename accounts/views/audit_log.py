"""The audit log for auditors: filtered, paged, exported; whatever names a patient is masked."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.audit.masking import masked
from accounts.csv_lines import csv_lines, safe_cell
from accounts.forms import AuditFilterForm
from accounts.models import AuditEvent, AuditEventQuerySet
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from accounts.views.named import people_named

PER_PAGE = 50
COLUMNS = [
    "at",
    "action",
    "allowed",
    "user",
    "token",
    "department",
    "object_type",
    "object_id",
    "case_id",
    "subject_masked",
    "detail",
    "ip_address",
    "request_id",
]


@never_cache
@require_safe
@requires(Action.VIEW_AUDIT_LOG)
def audit_log(request: HttpRequest) -> HttpResponse:
    """One page of the log, newest first."""
    form, rows = _wanted(request)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    hidden = audit.cases_without_detail(caller(request))
    shown = [_shown(row, hidden) for row in page]
    # The event of this very reading comes after the rows that are shown.
    _record(request, "view_audit_log", form, page=page.number)
    context = {"form": form, "page_obj": page, "rows": shown, "filters": _filters_used(form)}
    return render(request, "accounts/audit_log.html", context)


@never_cache
@require_safe
@requires(Action.VIEW_AUDIT_LOG)
def audit_export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The filtered log as CSV, streamed."""
    form, rows = _wanted(request)
    if not form.is_valid():
        return render(request, "accounts/audit_log.html", {"form": form, "rows": [], "filters": []}, status=400)
    # The event of the export itself comes after the rows that are exported.
    newest = rows.order_by("-id").values_list("id", flat=True).first() or 0
    _record(request, "export_audit_log", form, rows=rows.count())
    answer = StreamingHttpResponse(
        _lines(rows.filter(id__lte=newest), audit.cases_without_detail(caller(request))),
        content_type="text/csv; charset=utf-8",
    )
    stamp = timezone.localtime().strftime("%Y%m%d-%H%M")
    answer["Content-Disposition"] = f'attachment; filename="bonescan-audit-{stamp}.csv"'
    return answer


def _wanted(request: HttpRequest) -> tuple[AuditFilterForm, AuditEventQuerySet]:
    form = AuditFilterForm(request.GET)
    rows = AuditEvent.objects.for_user(caller(request)).select_related("user", "token", "department")
    if not form.is_valid():
        return form, rows.none()
    wanted = form.cleaned_data
    if wanted["action"]:
        rows = rows.filter(action=wanted["action"])
    if wanted["person"]:
        person = wanted["person"]
        rows = rows.filter(Q(user_label__icontains=person) | Q(user__in=people_named(person)))
    if wanted["since"]:
        rows = rows.filter(at__date__gte=wanted["since"])
    if wanted["until"]:
        rows = rows.filter(at__date__lte=wanted["until"])
    if wanted["allowed"]:
        rows = rows.filter(allowed=wanted["allowed"] == "yes")
    if wanted["object"]:
        rows = rows.filter(Q(object_id=wanted["object"]) | _is_case(wanted["object"]) | Q(request_id=wanted["object"]))
    return form, rows


def _is_case(text: str) -> Q:
    try:
        return Q(case_id=AuditEvent._meta.get_field("case_id").to_python(text))
    except ValidationError:
        return Q(pk__in=[])


def _filters_used(form: AuditFilterForm) -> list[str]:
    return sorted(name for name, value in form.cleaned_data.items() if value) if form.is_valid() else []


def _record(request: HttpRequest, action: str, form: AuditFilterForm, **detail: Any) -> None:
    """Log that the log was read: which filters, never what was typed into them."""
    audit.record(action, user=caller(request), detail={"filters": _filters_used(form), **detail})


def _shown(row: AuditEvent, hidden: Collection[UUID]) -> dict[str, Any]:
    return {
        "event": row,
        "subject": masked(row.subject),
        "detail": _detail(row, hidden),
        "words": row.action.replace("_", " "),
    }


def _detail(row: AuditEvent, hidden: Collection[UUID]) -> str:
    """Codes and counts; nothing for a case of which the reader of the log must not know them yet."""
    return "" if row.case_id in hidden else detail_text(row.detail)


def detail_text(detail: dict[str, Any]) -> str:
    """Codes and counts in one line."""
    parts = []
    for key, value in detail.items():
        text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
        if text:
            parts.append(f"{key.replace('_', ' ')}: {text}")
    return "; ".join(parts)


def _lines(rows: AuditEventQuerySet, hidden: Collection[UUID]) -> Iterator[str]:
    cells = (map(safe_cell, _values(row, hidden)) for row in rows.iterator(chunk_size=500))
    return csv_lines(chain([COLUMNS], cells))


def _values(row: AuditEvent, hidden: Collection[UUID]) -> list[Any]:
    return [
        timezone.localtime(row.at).isoformat(timespec="seconds"),
        row.action,
        "yes" if row.allowed else "no",
        row.user_label,
        row.token.prefix if row.token else "",
        row.department.name if row.department else "",
        row.object_type,
        row.object_id,
        row.case_id or "",
        masked(row.subject),
        _detail(row, hidden),
        row.ip_address or "",
        row.request_id,
    ]
