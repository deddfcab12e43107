"""The settings of this installation, for pages that nobody has signed in to."""

from django import template

from accounts.models import PortalSettings
from accounts.services import portal_settings

register = template.Library()


@register.simple_tag(name="installation")
def installation() -> PortalSettings:
    """``{% installation as portal %}``: the name, the contact line and the tumour centre."""
    return portal_settings()
