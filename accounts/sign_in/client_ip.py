"""The caller's address, believing only as many proxies as the operator says there are."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The address of the caller, or None when it is unknown (a unix socket) or no address at all.

    With ``TRUSTED_PROXY_COUNT`` = n the n-th address from the right of X-Forwarded-For is taken: whatever stands left
    of it was written by the caller. A request that came past the proxies has fewer and is known by its own address.
    """
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    count = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    candidate = hops[-count] if 0 < count <= len(hops) else request.META.get("REMOTE_ADDR", "")
    if candidate.startswith("["):  # [::1]:8000
        candidate = candidate[1:].partition("]")[0]
    elif candidate.count(":") == 1:  # 192.0.2.1:8000
        candidate = candidate.partition(":")[0]
    try:
        return str(ipaddress.ip_address(candidate))
    except ValueError:
        return None
