"""The one gate before an object, and the one record of whoever was turned away at it or at a right."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404

from accounts import audit
from accounts.models import User

M = TypeVar("M", bound=Model)


def in_scope(request: Any, rows: QuerySet[M], pk: UUID, **detail: str) -> M:
    """The row with this key among those that the caller may know of.

    Args:
        request: of a page or of the API; it knows its user.
        rows: an unscoped queryset of a model whose queryset has ``for_user``.
        detail: codes that the record of a refusal holds beside the object.

    Raises:
        Http404: it does not exist, or belongs to somebody else; the second is recorded as denied access.
    """
    scoped: Any = rows
    found = scoped.for_user(request.user).filter(pk=pk).first()
    if found is not None:
        return found
    foreign = rows.filter(pk=pk).first()
    if foreign is not None:
        record_refusal(request.user, obj=foreign, detail=detail)
    raise Http404


def record_refusal(user: User, **facts: Any) -> None:
    """Note that somebody was refused; ``facts`` as for ``audit.record``."""
    audit.record("access_denied", user=user, allowed=False, **facts)
