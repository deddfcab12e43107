"""Turns whatever went wrong into the one error shape of the API: ``{code, detail, fields}``."""

import errno
import math
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from analyses.errors import ServiceError, StorageFull

log = structlog.get_logger(__name__)

NOT_FOUND = "The object does not exist, or this account has no access to it."
STORAGE_FULL = "The file store is full. Nothing was stored. Inform the administrator and send the film again later."
DATABASE_UNAVAILABLE = "The database cannot be reached. Nothing was stored. Try again in a minute."
FIELDS_WRONG = "Correct the named fields, then send the request again."
# Sentences that say what to do, where the framework's own only name the problem.
SENTENCES = {
    "not_authenticated": "Send the header 'Authorization: Token ...', or sign in.",
    "parse_error": "The body is malformed. Send multipart/form-data with the film in the part 'image'.",
    "unsupported_media_type": "Send the film as multipart/form-data, in the part 'image'.",
}
FULL = (errno.ENOSPC, errno.EDQUOT)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception that a view raised; None for what nobody foresaw, so that it is logged as an error."""
    if isinstance(exc, OSError) and exc.errno in FULL:
        exc = StorageFull("storage_full", STORAGE_FULL)
    if isinstance(exc, ServiceError):
        return _answer(exc.status, exc.code, exc.message, fields=exc.fields)
    if isinstance(exc, OperationalError | InterfaceError):
        log.error("database_unavailable", error=type(exc).__name__)
        return _answer(503, "database_unavailable", DATABASE_UNAVAILABLE, headers={"Retry-After": "30"})
    translated = _translate(exc)
    return _answer_to(translated) if translated is not None else None


def _translate(exc: Exception) -> exceptions.APIException | None:
    """The framework's own exception for one of Django's."""
    if isinstance(exc, exceptions.APIException):
        return exc
    if isinstance(exc, Http404):
        return exceptions.NotFound(NOT_FOUND)
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied(str(exc) or None)
    if isinstance(exc, MultiPartParserError | UnreadablePostError | RequestDataTooBig | SuspiciousOperation):
        return exceptions.ParseError()
    return None


def _answer_to(exc: exceptions.APIException) -> Response:
    headers = {}
    if header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if isinstance(exc, exceptions.Throttled):
        wait_s = max(1, math.ceil(getattr(exc, "wait", None) or 0))
        return _answer(
            429, "throttled", f"Too many calls. Try again in {wait_s} s.", headers={"Retry-After": f"{wait_s}"}
        )
    if isinstance(exc, exceptions.ValidationError):
        return _answer(exc.status_code, "bad_field", FIELDS_WRONG, fields=_by_field(exc.detail), headers=headers)
    code = str(getattr(exc.detail, "code", exc.default_code))
    return _answer(exc.status_code, code, SENTENCES.get(code, str(exc.detail)), headers=headers)


def _by_field(detail: Any) -> dict[str, list[str]]:
    """Messages by field name; what belongs to no field stands under ``non_field_errors``."""
    if not isinstance(detail, dict):
        return {"non_field_errors": _sentences(detail)}
    return {name: _sentences(value) for name, value in detail.items()}


def _sentences(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [sentence for inner in value.values() for sentence in _sentences(inner)]
    if isinstance(value, list | tuple):
        return [sentence for inner in value for sentence in _sentences(inner)]
    return [str(value)]


def _answer(
    status: int,
    code: str,
    detail: str,
    *,
    fields: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response({"code": code, "detail": detail, "fields": fields or {}}, status=status, headers=headers)
