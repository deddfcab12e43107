"""What is read of any request, and what the portal answers while its database is away or its disk is full."""

import errno
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy as _

log = structlog.get_logger(__name__)
AWAY = (503, "database_unavailable", _("The database cannot be reached. Nothing was stored. Try again in a minute."))
FULL = (
    507,
    "storage_full",
    _("The file store is full. Nothing was stored. Inform the operator and send the film again later."),
)


UNREADABLE_BODIES = {
    "content_encoding_not_accepted": (
        415,
        _("Compressed requests are not accepted. Send the request without Content-Encoding."),
    ),
    "length_required": (
        411,
        _("The length of the request is missing. Send it with Content-Length, not in chunks."),
    ),
}


class ReadableRequestMiddleware:
    """Takes nothing from a request that no database keeps: it would fail wherever it is looked up or stored.

    A body that cannot be read is refused with the reason; it would seem to hold nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Browsers send UTF-8. Another charset that a header names may decode no text, or into halves of characters.
        request.encoding = settings.DEFAULT_CHARSET
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        # A cookie may spell a null byte. Keys that were given out are letters and digits.
        if not (key.isascii() and key.isalnum()):
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        request.META["CONTENT_TYPE"] = _with_plain_type(request.META.get("CONTENT_TYPE", ""))
        code = _unreadable_body(request)
        return refused_body(request, code) if code else self.get_response(request)


def _with_plain_type(content_type: str) -> str:
    """The media type in small letters: its case says nothing (RFC 9110, 8.3.1), to Django it does."""
    name, separator, parameters = content_type.partition(";")
    return name.strip().lower() + separator + parameters


def _unreadable_body(request: HttpRequest) -> str:
    """The code of why the body cannot be read as it was sent; empty where it can."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        return "content_encoding_not_accepted"
    # Django reads as many bytes as Content-Length says: none of a body in chunks (RFC 9112, 7.1).
    if request.headers.get("Transfer-Encoding") and not request.headers.get("Content-Length"):
        return "length_required"
    return ""


def refused_body(request: HttpRequest, code: str) -> HttpResponse:
    """The refusal of a body, as JSON for programs and scripts, else as a page."""
    status, sentence = UNREADABLE_BODIES[code]
    with translation.override(answer_language(request)):
        if _wants_json(request):
            return JsonResponse({"code": code, "detail": sentence, "fields": {}}, status=status)
        return render(None, "unreadable_body.html", {"detail": sentence, "status": status}, status=status)


class UnavailableMiddleware:
    """Turns an unreachable database into 503 and a full disk into 507, for pages and programs alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception)


class NothingKeptMiddleware:
    """Whatever says nothing else is kept by no browser and by nobody in between: pages name patients.

    Static files are answered before it is asked; pictures of films and scripts say for themselves what may be kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or "application/json" in request.headers.get("Accept", "")


def answer_language(request: HttpRequest) -> str:
    """The language of an error's answer, also where the middleware that chooses it was not reached.

    Asks no database: what could say which language the user chose may be what is away.
    """
    chosen: str = getattr(request, "LANGUAGE_CODE", "")
    if chosen or request.path.startswith("/api/"):
        return chosen or settings.LANGUAGE_CODE
    return translation.get_language_from_request(request)


def _cause(exception: BaseException | None) -> tuple[int, str, Any] | None:
    if isinstance(exception, OperationalError | InterfaceError):
        return AWAY
    # Django writes a large upload to a temporary file while it reads the form, before any service is asked.
    if isinstance(exception, OSError) and exception.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    return None


def unavailable(request: HttpRequest, exception: BaseException | None) -> HttpResponse | None:
    """503 when the database could not be reached, 507 when the disk is full, None for any other fault.

    Also asked by the error handler, since Django shows a middleware (the one that reads the session) no other way out.
    """
    cause = _cause(exception)
    if cause is None:
        return None
    status, code, sentence = cause
    log.error(code, error=type(exception).__name__)
    with translation.override(answer_language(request)):
        if _wants_json(request):
            answer: HttpResponse = JsonResponse({"code": code, "detail": sentence, "fields": {}}, status=status)
        else:
            answer = render(None, f"{status}.html", {"detail": sentence}, status=status)
    answer["Retry-After"] = "30"
    return answer
