"""Liveness, readiness and the pages that are shown when something went wrong."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.sign_in.limits import wait_at_page_s
from bonescan.middleware import answer_language, unavailable
from bonescan.monitoring.health import readiness


def _problem(request: HttpRequest, status: int, code: str, sentence: Any) -> HttpResponse:
    """One error in the caller's language: JSON for programs, a fragment-free page for people."""
    with translation.override(answer_language(request)):
        if request.path.startswith("/api/") or "application/json" in request.headers.get("Accept", ""):
            return JsonResponse({"code": code, "detail": sentence, "fields": {}}, status=status)
        return render(request, f"{status}.html", {"detail": sentence}, status=status)


@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether uploads can be stored now. 503 when the database or the file store cannot be used."""
    checks = readiness()
    ready = all(check["ok"] for check in checks.values() if check["needed"])
    return JsonResponse({"status": "ready" if ready else "unavailable", "checks": checks}, status=200 if ready else 503)


for _view in (livez, readyz):
    _view.login_required = False  # type: ignore[attr-defined]


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _problem(request, 400, "bad_request", _("The request was invalid. Go back and try again."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _problem(
        request, 403, "permission_denied", _("Your account does not have permission for this. Ask your administrator.")
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _problem(request, 403, "csrf_failed", _("The form has expired. Reload the page and submit it again."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _problem(request, 404, "not_found", _("This page does not exist, or your account has no access to it."))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """What a limit of allauth answers, with the seconds until it lets the caller through again."""
    answer = _problem(request, 429, "throttled", _("Too many requests. Wait a moment, then try again."))
    answer["Retry-After"] = str(wait_at_page_s(request))
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    away = unavailable(request, sys.exception())
    return away or _problem(
        request, 500, "server_error", _("An error occurred in the portal. It has been logged. Try again.")
    )
