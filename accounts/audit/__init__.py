"""The one function that records who did what, and the request it happened in."""

import re
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import ApiToken, AuditEvent, Department, User


@dataclass(frozen=True)
class RequestContext:
    """Where an event came from; empty in the worker and in commands."""

    request_id: str = ""
    ip_address: str | None = None
    token: ApiToken | None = None


# A database keeps no NUL and no half of a surrogate pair, and nobody can read the rest in a log.
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

request_context: ContextVar[RequestContext] = ContextVar("request_context", default=RequestContext())  # noqa: B039 (frozen)


def readable(value: Any) -> Any:
    """A text, or JSON that holds texts, with a mark in the place of every character that cannot be kept or read."""
    if isinstance(value, str):
        return _UNREADABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {readable(key): readable(entry) for key, entry in value.items()}
    return [readable(entry) for entry in value] if isinstance(value, list | tuple) else value


def record(
    action: str,
    *,
    user: User | None = None,
    user_label: str = "",
    allowed: bool = True,
    department: Department | None = None,
    obj: Any = None,
    case_id: UUID | None = None,
    subject: str = "",
    detail: dict[str, Any] | None = None,
    save: bool = True,
) -> AuditEvent:
    """Add one event to the log, inside the caller's transaction.

    Args:
        action: a verb of the list in docs/operating.md, such as ``view_case``.
        user: who; None for the system and for strangers (then ``user_label`` says what they called themselves).
        obj: the object touched; its class name (or ``AUDITED_AS``) and primary key are kept, never its contents.
        case_id: the study it belongs to, for the trail.
        subject: whatever names the patient; masked for auditors.
        detail: codes and counts; never patient identity.
        save: False returns the event unsaved, for a caller that adds many at once in its transaction.
    """
    context = request_context.get()
    signed_in = user if user is not None and user.is_authenticated else None
    make: Any = AuditEvent.objects.create if save else AuditEvent
    event: AuditEvent = make(
        action=action,
        allowed=allowed,
        user=signed_in,
        user_label=readable(signed_in.email if signed_in else user_label)[:254],
        token=context.token,
        department=department or (signed_in.department if signed_in else None),
        object_type=_type_of(obj),
        object_id=str(obj.pk) if obj is not None else "",
        case_id=case_id,
        subject=readable(subject[:200]),
        detail=readable(detail or {}),
        request_id=context.request_id,
        ip_address=context.ip_address,
    )
    return event


def _type_of(obj: Any) -> str:
    """The class name in the log; a model that was renamed keeps the one it had, so that a filter finds every event."""
    return "" if obj is None else getattr(obj, "AUDITED_AS", type(obj).__name__.lower())


# Rules of other applications: the cases whose events this user may read of, but not in detail.
_hidden_cases: list[Callable[[User], Collection[UUID]]] = []


def hide_details_of(rule: Callable[[User], Collection[UUID]]) -> None:
    """Let a rule say whose details a user must not read in the log; called once, when an application is ready."""
    if rule not in _hidden_cases:
        _hidden_cases.append(rule)


def cases_without_detail(user: User) -> frozenset[UUID]:
    """The cases whose events are shown to this user without their detail."""
    return frozenset(case for rule in _hidden_cases for case in rule(user))
