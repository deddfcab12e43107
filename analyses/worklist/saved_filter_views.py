"""Keeping, renaming and deleting views of the worklist."""

from collections.abc import Callable
from urllib.parse import parse_qsl
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import audit
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import ServiceError
from analyses.models import SavedView
from analyses.worklist import saved_filters
from analyses.worklist.filters import query_of


@require_POST
@requires(Action.VIEW_CASES)
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep the filters and the order of ``query`` under a name."""
    query = query_of(dict(parse_qsl(request.POST.get("query", "")[:2000])))
    return _answer(
        request,
        lambda: saved_filters.save_view(
            caller(request),
            name=request.POST.get("name", ""),
            query=query,
            is_default=bool(request.POST.get("default")),
        ),
        _("View saved."),
        query,
    )


@require_POST
@requires(Action.VIEW_CASES)
def view_change(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Rename a view, or make it the default."""
    view = _view(request, view_id)
    return _answer(
        request,
        lambda: saved_filters.change_view(
            view, name=request.POST.get("name", ""), is_default=bool(request.POST.get("default"))
        ),
        _("View changed."),
        view.query,
    )


@require_POST
@requires(Action.VIEW_CASES)
def view_delete(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Forget a view."""
    view = _view(request, view_id)
    return _answer(request, lambda: saved_filters.delete_view(view), _("View deleted."), "")


def _answer(request: HttpRequest, write: Callable[[], object], done: str, query: str) -> HttpResponse:
    """Back to the list as it was, with what was done or why not."""
    try:
        write()
    except ServiceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return redirect(f"{reverse('analyses:case_list')}?{query or 'view=all'}")


def _view(request: HttpRequest, view_id: UUID) -> SavedView:
    """One of the user's own views; another's is hidden, and asking for it recorded."""
    found = SavedView.objects.select_related("user").filter(pk=view_id).first()
    if found is None or found.user_id != caller(request).pk:
        if found is not None:
            audit.record("access_denied", user=caller(request), allowed=False, obj=found)
        raise Http404
    return found
