"""How long somebody whom a limit of allauth has stopped must wait."""

import math
import time

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

# The limit that each address of allauth counts against.
ACTIONS = {
    "account_login": "login",
    "account_change_password": "change_password",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
}


def wait_s(request: HttpRequest, action: str, key: str | None = None) -> int:
    """The seconds until ``action`` is allowed again, at least 1: the first whole second at which it is."""
    now, wait = time.time(), 1
    for rate in ratelimit.get_rates(app="allauth.account", action=action):
        if (rate.per == "key" and key is None) or (rate.per == "user" and not request.user.is_authenticated):
            continue
        kept = cache.get(ratelimit.get_cache_key(request, app="allauth.account", action=action, rate=rate, key=key), [])
        if len(kept) >= rate.amount:  # the newest first: the oldest makes room
            wait = max(wait, math.ceil(kept[-1] + rate.duration - now))
    return wait


def wait_at_page_s(request: HttpRequest) -> int:
    """The seconds until the page that has just been refused may be asked again."""
    action = ACTIONS.get(request.resolver_match.url_name or "") if request.resolver_match else None
    return wait_s(request, action, request.POST.get("email", "").lower()) if action else 60
