"""How every page fetches an object: in the user's scope, else 404 with a line in the log."""

from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse

from accounts import audit
from accounts.csv_lines import csv_lines
from analyses.errors import ServiceError


def add_service_error(form: Form, error: ServiceError) -> None:
    """Show a service's refusal where the person can mend it."""
    named = {name: texts for name, texts in error.fields.items() if name in form.fields}
    for name, texts in named.items():
        form.add_error(name, texts)
    if not named:
        form.add_error(None, error.message)


def csv_download(name: str, rows: Iterable[Iterable[Any]], *, start: str = "") -> HttpResponse:
    """Rows as a CSV file that nobody between here and the reader keeps.

    Args:
        name: of the file, with its ending.
        start: what comes before the first row.
    """
    response = HttpResponse([start, *csv_lines(rows)], content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


M = TypeVar("M", bound=Model)


def in_scope(request: HttpRequest, rows: QuerySet[M], pk: UUID) -> M:
    """The row with this key among those the user may know of.

    Args:
        rows: an unscoped queryset of a model whose queryset has ``for_user``.

    Raises:
        Http404: it does not exist, or belongs to somebody else; the second is recorded as denied access.
    """
    scoped: Any = rows
    found = scoped.for_user(request.user).filter(pk=pk).first()
    if found is not None:
        return found
    foreign = rows.filter(pk=pk).first()
    if foreign is not None:
        audit.record("access_denied", user=request.user, allowed=False, obj=foreign)  # type: ignore[arg-type]
    raise Http404
