"""Saving, renaming and deleting filters of the worklist."""

from collections.abc import Callable
from urllib.parse import parse_qsl
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import ServiceError
from analyses.models import SavedFilter
from analyses.worklist import saved_filters
from analyses.worklist.filters import query_of


@require_POST
@requires(Action.VIEW_CASES)
def filter_save(request: HttpRequest) -> HttpResponse:
    """Save the filters and the order of ``query`` under a name."""
    query = query_of(dict(parse_qsl(request.POST.get("query", "")[:2000])))
    return _answer(
        request,
        lambda: saved_filters.save_filter(
            caller(request),
            name=request.POST.get("name", ""),
            query=query,
            is_default=bool(request.POST.get("default")),
        ),
        _("Filter saved."),
        query,
    )


@require_POST
@requires(Action.VIEW_CASES)
def filter_change(request: HttpRequest, filter_id: UUID) -> HttpResponse:
    """Rename a filter, or make it the default."""
    saved = _own_filter(request, filter_id)
    return _answer(
        request,
        lambda: saved_filters.change_filter(
            saved, name=request.POST.get("name", ""), is_default=bool(request.POST.get("default"))
        ),
        _("Filter changed."),
        saved.query,
    )


@require_POST
@requires(Action.VIEW_CASES)
def filter_delete(request: HttpRequest, filter_id: UUID) -> HttpResponse:
    """Delete a filter."""
    saved = _own_filter(request, filter_id)
    return _answer(request, lambda: saved_filters.delete_filter(saved), _("Filter deleted."), "")


def _answer(request: HttpRequest, write: Callable[[], object], done: str, query: str) -> HttpResponse:
    """Back to the list as it was, with what was done or why not."""
    try:
        write()
    except ServiceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return redirect(f"{reverse('analyses:case_list')}?{query or 'view=all'}")


def _own_filter(request: HttpRequest, filter_id: UUID) -> SavedFilter:
    """One of the user's own filters."""
    return in_scope(request, SavedFilter.objects.select_related("user"), filter_id)
