"""What pages of every room need: a service's refusal shown in its form, and rows sent as a CSV file."""

from collections.abc import Iterable
from typing import Any

from django.forms import Form
from django.http import HttpResponse

from accounts.csv_lines import csv_lines
from analyses.errors import ServiceError


def add_service_error(form: Form, error: ServiceError) -> None:
    """Show a service's refusal where the person can mend it."""
    named = {name: texts for name, texts in error.fields.items() if name in form.fields}
    for name, texts in named.items():
        form.add_error(name, texts)
    if not named:
        form.add_error(None, error.message)


def csv_download(name: str, rows: Iterable[Iterable[Any]]) -> HttpResponse:
    """Rows as a CSV file that nobody between here and the reader keeps.

    Args:
        name: of the file, with its ending.
        rows: the head among them.
    """
    response = HttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
