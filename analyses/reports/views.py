"""Pages of reports: the clerk's list, downloads, the archive."""

import uuid
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import audit
from accounts.gate import in_scope, record_refusal
from accounts.models import User
from accounts.permissions import Action, may, require, requires
from accounts.views.caller import caller
from analyses.blinding.case_state import CaseState
from analyses.errors import ServiceError
from analyses.models import SIGNED_STATES, Report, Study
from analyses.reports import archive as report_archive
from analyses.reports import services as report_services
from analyses.reports.search import ReportSearchForm, may_see_unsigned, reportable

PER_PAGE = 50
ARCHIVE_LIMIT = 100


@require_safe
@requires(Action.DOWNLOAD_SIGNED_REPORTS)
def report_list(request: HttpRequest) -> HttpResponse:
    """Find signed reports of the department (doctors: also preliminary ones) and download them."""
    user = caller(request)
    form = ReportSearchForm(request.GET, user=user)
    page = Paginator(form.rows(), PER_PAGE).get_page(request.GET.get("page"))
    words = form.cleaned_data.get("q", "")
    audit.record(
        "search_cases" if words else "list_cases",
        user=user,
        subject=words,
        detail={"page": "reports", "rows": page.paginator.count},
    )
    context = {
        "form": form,
        "page_obj": page,
        "rows": page.object_list,
        "any_report": page.paginator.count > 0 or reportable(user).exists(),
        "unsigned_too": may_see_unsigned(user),
        "limit": ARCHIVE_LIMIT,
    }
    return render(request, "analyses/reports/list.html", context, status=200 if form.is_valid() else 400)


@require_safe
def case_report(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """The report of a case as it stands now, issued when there is none yet."""
    user = _require_download(request)
    study = in_scope(request, Study.objects.select_related("patient"), study_id)
    if study.reading_state not in SIGNED_STATES and not may_see_unsigned(user):
        record_refusal(user, obj=study, case_id=study.pk)
        raise Http404
    try:
        report = report_services.issue_report(study, user)
        return _download(report, user)
    except ServiceError as error:
        return _refused(request, study, error)


@require_safe
def report_download(request: HttpRequest, report_id: UUID) -> HttpResponseBase:
    """One report as it was issued, also when it is superseded or void."""
    user = _require_download(request)
    report = in_scope(request, Report.objects.select_related("study__patient"), report_id)
    try:
        CaseState(report.study, user).require_unblinded()
        return _download(report, user)
    except ServiceError as error:
        return _refused(request, report.study, error)


@require_POST
@requires(Action.DOWNLOAD_SIGNED_REPORTS)
def report_archive_view(request: HttpRequest) -> HttpResponseBase:
    """The reports of the chosen cases as one archive; all of them or none."""
    user = caller(request)
    keys = _chosen(request)
    if not 1 <= len(keys) <= ARCHIVE_LIMIT:
        messages.error(request, _("Choose 1 to %(limit)s reports for one archive.") % {"limit": ARCHIVE_LIMIT})
        return redirect("analyses:report_list")
    found = reportable(user).select_related("patient", "department", "review__reader").in_bulk(list(keys))
    if len(found) != len(keys):
        record_refusal(user, detail={"archive": len(keys)})
        raise Http404
    try:
        reports = [_current_report(found[key], user) for key in keys]
    except ServiceError as error:
        messages.error(request, _("No archive was created. %(why)s") % {"why": error.message})
        return redirect("analyses:report_list")
    _record_archive(reports, user)
    name = f"reports-{timezone.localtime():%Y-%m-%d-%H%M}.zip"
    response = StreamingHttpResponse(report_archive.stream(reports), content_type="application/zip")
    return _private(response, name)


def _current_report(study: Study, user: User) -> Report:
    report = report_services.issue_report(study, user)
    # With patient and reader, so that the list in the archive asks the database nothing more.
    report.study = study
    return report


def _record_archive(reports: list[Report], user: User) -> None:
    archive = str(uuid.uuid4())
    for report in reports:
        audit.record(
            "download_archive",
            user=user,
            obj=report,
            case_id=report.study_id,
            subject=report.study.record_number,
            detail={"archive": archive, "reports": len(reports), "kind": report.kind},
        )


def _download(report: Report, user: User) -> HttpResponse:
    content = report_services.report_bytes(report)
    audit.record(
        "download_report",
        user=user,
        obj=report,
        case_id=report.study_id,
        subject=report.study.record_number,
        detail={"kind": report.kind, "state": str(report_services.state_of(report))},
    )
    return _private(HttpResponse(content, content_type="application/pdf"), report_archive.file_name(report))


def _private(response: Any, name: str) -> Any:
    """Saved under a name, never shown in place, never guessed at, never kept by a cache."""
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _refused(request: HttpRequest, study: Study, error: ServiceError) -> HttpResponse:
    context = {"error": error, "study": study, "may_open": may(caller(request), Action.VIEW_CASES)}
    return render(request, "analyses/reports/refused.html", context, status=error.status)


def _require_download(request: HttpRequest) -> User:
    """Whoever may have signed reports or any; querysets decide which."""
    user = caller(request)
    if not may(user, Action.DOWNLOAD_SIGNED_REPORTS):
        require(user, Action.DOWNLOAD_ANY_REPORT)
    return user


def _chosen(request: HttpRequest) -> list[UUID]:
    """The cases ticked, each once, in the order of the page."""
    try:
        return list(dict.fromkeys(UUID(key) for key in request.POST.getlist("case")))
    except ValueError as error:
        raise Http404 from error
