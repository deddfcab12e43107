"""What the portal answers while its database is away."""

from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

log = structlog.get_logger(__name__)
SENTENCE = "The database cannot be reached. Nothing was stored; try again in a minute."


class UnavailableMiddleware:
    """Turns an unreachable database into 503 with a code, for pages and programs alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable(request, exception)


def unavailable(request: HttpRequest, exception: BaseException | None) -> HttpResponse | None:
    """503 when the database could not be reached, None for any other fault.

    Also asked by the error handler, since Django shows a middleware (the one that reads the session) no other way out.
    """
    if not isinstance(exception, OperationalError | InterfaceError):
        return None
    log.error("database_unavailable", error=type(exception).__name__)
    if request.path.startswith("/api/") or "application/json" in request.headers.get("Accept", ""):
        answer: HttpResponse = JsonResponse(
            {"code": "database_unavailable", "detail": SENTENCE, "fields": {}}, status=503
        )
    else:
        answer = render(None, "503.html", {"detail": SENTENCE}, status=503)
    answer["Retry-After"] = "30"
    return answer
