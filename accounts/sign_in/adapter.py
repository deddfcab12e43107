"""How allauth behaves here: no sign-up, a page for lock-outs, links with the public address."""

from typing import Any
from urllib.parse import quote, urlencode

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.mail import send_unawaited
from accounts.models import Role, User
from accounts.sign_in.client_ip import client_ip
from accounts.sign_in.limits import wait_s

# Sentences of allauth's forms that no adapter replaces. Its own German says "du": marked here, ours comes first.
SAID_BY_ALLAUTH = (_("You must type the same password each time."),)


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in by e-mail for accounts that an administrator made."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("E-mail address or password is incorrect."),
        "enter_current_password": _("The current password is incorrect."),
        "rate_limited": _("Too many requests. Wait a moment, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The same address as in the audit log; callers without one share a limit."""
        return client_ip(request) or "unknown"

    def get_reset_password_from_key_url(self, key: str) -> str:
        """A link built from PUBLIC_URL: the Host header of a request must not decide where a reset key is sent."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return settings.PUBLIC_URL + path.replace("UID-KEY", quote(key))

    def send_password_reset_mail(self, user: AbstractBaseUser, email: str, context: dict[str, Any]) -> None:
        """Send the link while the caller gets the answer of an unknown address, as fast and whatever becomes of it."""
        current = {"email": email, "request": self.request, "current_site": get_current_site(self.request)}
        message = self.render_mail("account/email/password_reset_key", email, current | context)
        send_unawaited(message, str(user.pk))

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse:
        """Where signing in leads; a doctor who has no name yet is asked for it first."""
        response: HttpResponse = super().post_login(request, user, **options)
        if isinstance(user, User) and not user.name and user.has_role(Role.DOCTOR) and "Location" in response:
            own_name = f"{reverse('accounts:own_name')}?{urlencode({'next': response['Location']})}"
            response["Location"] = own_name
        return response

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return reverse("accounts:profile")

    def format_email_subject(self, subject: str) -> str:
        return f"BoneScan: {subject}"

    def is_safe_url(self, url: str | None) -> bool:
        """Whether ``next`` leads to this portal; an address that cannot be read leads nowhere."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Answer 429 with a page of its own when there were too many failed attempts."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            audit.record(
                "sign_in_failed",
                user_label=str(credentials.get("email", "")),
                allowed=False,
                detail={"reason": "too_many_attempts"},
            )
            wait = wait_s(request, "login_failed", self._get_login_attempts_cache_key(request, **credentials))
            page = render(request, "account/locked.html", {"minutes": -(-wait // 60)}, status=429)
            page["Retry-After"] = str(wait)
            raise ImmediateHttpResponse(page) from error

    def forgive_failed_attempts(self, request: HttpRequest, email: str) -> None:
        """Lift the lock-out of an address whose owner has just set a new password."""
        self._delete_login_attempts_cached_email(request, email=email)
