"""How every page fetches an object: in the user's scope, else 404 with a line in the log."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from accounts import audit

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
