"""Template tag of the settings page: where a user wants which notification."""

from typing import Any

from django import template

from accounts.models import User
from accounts.permissions import Action, may
from analyses.models import NotificationKind
from analyses.notifications import services as notifications

register = template.Library()


@register.simple_tag
def notification_choices(user: User) -> list[dict[str, Any]]:
    """Each kind of notification with where the user wants it; empty for who is told nothing."""
    if not may(user, Action.READ_CASE):
        return []
    chosen = notifications.choices_of(user)
    return [
        {"kind": kind, "label": label, "in_portal": chosen[kind][0], "by_mail": chosen[kind][1]}
        for kind, label in NotificationKind.choices
    ]
