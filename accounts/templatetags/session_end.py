"""When the session of a page's reader ends, for the script that blanks the page then."""

from typing import Any

from django import template
from django.urls import reverse

from accounts import sessions

register = template.Library()


@register.simple_tag(takes_context=True)
def session_end(context: dict[str, Any]) -> dict[str, Any] | None:
    """``url`` to ask at, ``user``, ``left_s``, ``sign_in``; None on a page that nobody is signed in to."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return None
    return {
        "url": reverse("accounts:session_left"),
        "user": user.pk,
        "left_s": sessions.left_s(request.session),
        "sign_in": reverse("account_login"),
    }
