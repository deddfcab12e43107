"""The public page that says whether a document was issued here and still holds."""

import re
import time
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.permissions import Action, may
from accounts.sign_in.client_ip import client_ip
from analyses.models import Report, ReportKind, ReportState
from analyses.reports import services as reports

LOOKUPS_PER_MINUTE = 30
SHA256 = re.compile(r"^[0-9a-fA-F]{64}$")
CODE_LENGTH = reports.CODE_GROUPS * reports.GROUP_LENGTH
UNREADABLE = _(
    "This is neither a verification code (16 letters and digits, printed at the foot of the report) "
    "nor a SHA-256 fingerprint (64 hexadecimal digits)."
)
BUSY = _("Too many look-ups from this address. Wait a minute and try again.")
MEANINGS = {
    ReportState.VALID: _("This is the latest report of the case."),
    ReportState.SUPERSEDED: _("A newer report of the same case exists or is due. Do not use this report."),
    ReportState.VOID: _("The report was withdrawn because the patient or the side was wrong. Do not use it."),
}
PRELIMINARY = _("The report is preliminary and not signed by a doctor.")
UNKNOWN_FILE = _("This portal has not issued a report with this fingerprint, or the file was changed after issue.")
UNKNOWN_CODE = _("This portal has not issued a report with this code. Check the code, or choose the file itself.")
CODE_ONLY = _("A code shows that the report exists, but not that this copy is unchanged. To be sure, choose the file.")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """The page; posting a code or fingerprint answers without script."""
    typed = (request.POST.get("document") or "")[:200].strip()
    context: dict[str, Any] = {"typed": typed or request.GET.get("code", "")[:40]}
    if request.method != "POST":
        return render(request, "analyses/reports/verify.html", context)
    if not _within_limit(request):
        return _busy(render(request, "analyses/reports/verify.html", context | {"refusal": BUSY}, status=429))
    if not is_fingerprint(typed):
        return render(request, "analyses/reports/verify.html", context | {"refusal": UNREADABLE}, status=400)
    return render(request, "analyses/reports/verify.html", context | {"answer": _answer(request, typed)})


@login_not_required
@require_safe
def verify_lookup(request: HttpRequest, sha256: str) -> JsonResponse:
    """The same as JSON, for the page's script; takes a fingerprint or a code."""
    if not _within_limit(request):
        return _busy(JsonResponse({"code": "throttled", "detail": BUSY, "fields": {}}, status=429))
    if not is_fingerprint(sha256):
        return JsonResponse({"code": "bad_fingerprint", "detail": UNREADABLE, "fields": {}}, status=400)
    response = JsonResponse(_answer(request, sha256))
    response["Cache-Control"] = "private, no-store"
    return response


def is_fingerprint(text: str) -> bool:
    """Whether it could be a sha256 or a verification code at all."""
    bare = "".join(text.split())
    letters = reports.normal_code(bare).replace("-", "")
    return bool(SHA256.match(bare)) or (len(letters) == CODE_LENGTH and set(letters) <= set(reports.ALPHABET))


def _answer(request: HttpRequest, fingerprint: str) -> dict[str, Any]:
    report = reports.find(fingerprint)
    answer = reports.describe(report)
    audit.record(
        "verify_document",
        user=request.user,  # type: ignore[arg-type]
        obj=report,
        case_id=report.study_id if report else None,
        department=report.study.department if report else None,
        detail={"known": answer["known"], "state": answer.get("state", "")},
    )
    by_code = not SHA256.match("".join(fingerprint.split()))
    answer |= _words(answer, by_code)
    if report is not None and request.user.is_authenticated:
        answer |= _case_link(request, report)
    return answer


def _words(answer: dict[str, Any], by_code: bool) -> dict[str, str]:
    """The answer as a headline and what to do."""
    if not answer["known"]:
        advice = str(UNKNOWN_CODE if by_code else UNKNOWN_FILE)
        return {"headline": gettext("Not issued here"), "advice": advice, "tone": "error"}
    state = ReportState(answer["state"])
    issued = date_format(datetime.fromisoformat(answer["issued_at"]), "SHORT_DATE_FORMAT")
    parts = [MEANINGS[state]]
    if answer["kind"] == ReportKind.PRELIMINARY:
        parts.append(PRELIMINARY)
    if by_code:
        parts.append(CODE_ONLY)
    return {
        "headline": gettext("Issued here on %(date)s: %(state)s") % {"date": issued, "state": state.label},
        "advice": " ".join(str(part) for part in parts),
        "tone": "info" if state == ReportState.VALID else "warning" if state == ReportState.SUPERSEDED else "error",
    }


def _case_link(request: HttpRequest, report: Report) -> dict[str, str]:
    """Where the report belongs, for people who may know it anyway."""
    user: Any = request.user
    if not Report.objects.for_user(user).filter(pk=report.pk).exists():
        return {}
    if may(user, Action.VIEW_CASES):
        return {"case_url": reverse("analyses:case", args=[report.study_id])}
    return {"report_url": reverse("analyses:report_download", args=[report.pk])}


def _within_limit(request: HttpRequest) -> bool:
    """Count this look-up against the caller's minute."""
    key = f"verify:{client_ip(request)}:{int(time.time() // 60)}"
    cache.add(key, 0, timeout=120)
    try:
        return cache.incr(key) <= LOOKUPS_PER_MINUTE
    except ValueError:  # the counter was dropped in between
        return True


def _busy(response: Any) -> Any:
    response["Retry-After"] = str(60 - int(time.time() % 60))
    return response
