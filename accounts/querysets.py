"""Who may see which account, token and audit row."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models import User


class UserQuerySet(models.QuerySet):
    """Accounts."""

    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)


class ApiTokenQuerySet(models.QuerySet):
    """Tokens."""

    def usable(self) -> "ApiTokenQuerySet":
        """Neither revoked nor expired, and their user is active."""
        in_time = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(in_time, revoked_at__isnull=True, user__is_active=True)

    def for_user(self, user: "User") -> "ApiTokenQuerySet":
        """An administrator sees all tokens, anybody else the own ones."""
        return self if user.has_role("administrator") else self.filter(user=user)


class AuditEventQuerySet(models.QuerySet):
    """The log: rows are added, never changed and never deleted."""

    def update(self, **_values: Any) -> int:
        raise TypeError("audit events are never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")

    def for_user(self, user: "User") -> "AuditEventQuerySet":
        """Auditors read the whole log; nobody else reads it as a log."""
        return self if user.has_role("auditor") else self.none()
