"""Who is calling and from where, how long a session lasts, and that every page needs one."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import resolve_url
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from accounts import audit, languages, sessions
from accounts.sign_in.client_ip import client_ip

Handler = Callable[[HttpRequest], HttpResponseBase]

# Addresses that a page asks by itself: they never show that somebody is still there.
POLL_URL_NAMES = frozenset(
    {"analyses:case_panel", "analyses:queue_rows", "analyses:case_presence", "accounts:session_left", "words"}
)
# Fragments of a page on which somebody may be typing: when the session has ended the page must stay as it is.
KEEPING_THE_PAGE = frozenset(
    f"analyses:{name}" for name in ("case_presence", "case_start", "case_take_over", "case_release")
)
PARTS_OF_PAGES = frozenset({"image", "style", "script", "font"})
EXPIRED = _("Your session has ended. Sign in again.")


class RequestContextMiddleware:
    """Tells the audit log the request id and the caller's address."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = audit.readable(str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64])
        before = audit.request_context.set(audit.RequestContext(request_id, client_ip(request)))
        try:
            return self.get_response(request)
        finally:
            audit.request_context.reset(before)


class SessionLimitMiddleware:
    """Ends sessions that idled or are too old; whatever a page asks by itself does not keep one alive."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> None:
        if request.session.is_empty() or not request.user.is_authenticated:
            return
        reason = sessions.ended(request.session)
        if reason is not None:
            audit.record("session_expired", user=request.user, detail={"reason": reason.value})
            logout(request)
        elif not is_automatic(request):
            sessions.extend(request.session)


class LanguageMiddleware:
    """Pages in the language that the user chose, else the department's; before sign-in the one the browser asks for.

    Programs are always answered in the language of the installation: their clients read codes and English sentences.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = translation.get_language()
        request.LANGUAGE_CODE = language_of(request)
        translation.activate(request.LANGUAGE_CODE)
        try:
            return self.get_response(request)
        finally:
            translation.activate(before or settings.LANGUAGE_CODE)


def language_of(request: HttpRequest) -> str:
    """The language of the answer to a request."""
    if request.path.startswith("/api/"):
        return settings.LANGUAGE_CODE
    if request.user.is_authenticated:
        user: Any = request.user
        return languages.language_of_user(user)
    return translation.get_language_from_request(request)


class SignInRequiredMiddleware:
    """Every view needs a signed-in user unless it says ``login_required = False`` or ``public = True``.

    Views of the API say so themselves (Django REST framework) and ask for a token or a session on their own.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponseBase | None:
        if is_public(view) or request.user.is_authenticated:
            return None
        return ask_to_sign_in(request)


def is_public(view: Any) -> bool:
    """Whether a view may be seen without signing in."""
    return not getattr(view, "login_required", True) or getattr(view, "public", False)


def is_automatic(request: HttpRequest) -> bool:
    """Whether nobody needs to be present for this request: a poll by htmx, or an image that a page loads."""
    if request.resolver_match is not None and request.resolver_match.view_name in POLL_URL_NAMES:
        return True
    if request.method not in ("GET", "HEAD"):
        return False
    return "HX-Request" in request.headers or request.headers.get("Sec-Fetch-Dest") in PARTS_OF_PAGES


def ask_to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """401 for a fragment (the whole page moves to the sign-in page) and for programs, a redirect for people."""
    sign_in = resolve_url("account_login")
    if "HX-Request" in request.headers:
        if request.resolver_match is not None and request.resolver_match.view_name in KEEPING_THE_PAGE:
            return HttpResponse(status=401)
        return HttpResponse(
            status=401, headers={"HX-Redirect": f"{sign_in}?{urlencode({'next': _page_of_fragment(request)})}"}
        )
    if wants_json(request):
        return JsonResponse({"code": "session_expired", "detail": EXPIRED, "fields": {}}, status=401)
    back_to = request.get_full_path() if request.method == "GET" else "/"
    return redirect_to_login(back_to, sign_in)


def wants_json(request: HttpRequest) -> bool:
    """Whether a script asks, which can do nothing with a page."""
    accept = request.headers.get("Accept", "")
    return "X-Requested-With" in request.headers or ("application/json" in accept and "text/html" not in accept)


def _page_of_fragment(request: HttpRequest) -> str:
    """Path and query of the page that the fragment belongs to; the start page when it is not ours."""
    url = request.headers.get("HX-Current-URL", "")
    if not url or not url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path or "/"
