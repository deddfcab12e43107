"""How often one token may call."""

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:  # The framework's views import this module, which the settings name, while they are made.
    from rest_framework.views import APIView

WINDOW_S = 60


class TokenRateThrottle(BaseThrottle):
    """At most ``API_THROTTLE_PER_MINUTE`` calls per token (or signed-in person) in each minute; 0 means no limit.

    One counter per minute and caller, raised by one cache call, so that web processes share it and an absent cache
    costs one time-out and no answer. The limit is read at request time.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        limit = settings.API_THROTTLE_PER_MINUTE
        if limit <= 0 or not (request.user and request.user.is_authenticated):
            return True
        caller = f"token:{request.auth.pk}" if request.auth is not None else f"user:{request.user.pk}"
        self.asked_at = time.time()
        return self._count(f"api-throttle:{caller}:{int(self.asked_at) // WINDOW_S}") <= limit

    def wait(self) -> float:
        """The rest of the minute in which the call was counted, whichever it is by now."""
        return max(0.0, (self.asked_at // WINDOW_S + 1) * WINDOW_S - time.time())

    def _count(self, key: str) -> int:
        try:
            return cache.incr(key)
        except ValueError:  # the first call of this minute
            return 1 if cache.add(key, 1, timeout=2 * WINDOW_S) else cache.incr(key)
