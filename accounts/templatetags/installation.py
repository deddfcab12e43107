"""The settings of this installation, for pages that nobody has signed in to."""

from django import template
from django.conf import settings

from accounts.models import PortalSettings
from accounts.services import portal_settings

register = template.Library()


@register.simple_tag(name="installation")
def installation() -> PortalSettings:
    """``{% installation as portal %}``: the name, the contact line and the tumour centre."""
    return portal_settings()


@register.simple_tag
def idle_minutes() -> int:
    """How long a session lasts without use."""
    return int(settings.SESSION_IDLE_S // 60)
