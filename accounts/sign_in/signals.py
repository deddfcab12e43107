"""Sign-in events, as they reach the audit log."""

from typing import Any

from allauth.account import signals as allauth_signals
from allauth.account.adapter import get_adapter
from django.contrib.auth import signals as auth_signals
from django.dispatch import receiver  # noqa: TID251 (only tells the audit log what Django did)
from django.http import HttpRequest

from accounts import audit, sessions
from accounts.models import User


@receiver(auth_signals.user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    sessions.start(request.session)
    audit.record("sign_in", user=user)


@receiver(auth_signals.user_logged_out)
def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    # An expired session is ended by the same function of Django's; its event says more.
    if user is not None and sessions.ended(request.session) is None:
        audit.record("sign_out", user=user)


@receiver(auth_signals.user_login_failed)
def refused(credentials: dict[str, Any], **_: Any) -> None:
    email = str(credentials.get("email") or credentials.get("username") or "")
    known = User.objects.filter(email=email.strip().lower()).only("is_active").first()
    reason = "unknown_address" if known is None else "wrong_password" if known.is_active else "inactive"
    audit.record("sign_in_failed", user_label=email, allowed=False, detail={"reason": reason})


@receiver(allauth_signals.password_changed)
@receiver(allauth_signals.password_set)
def password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    sessions.end_all_of(user, keep=request.session.session_key or "")
    audit.record("password_changed", user=user)


@receiver(allauth_signals.password_reset)
def password_reset(request: HttpRequest, user: User, **_: Any) -> None:
    sessions.end_all_of(user)
    get_adapter().forgive_failed_attempts(request, user.email)
    audit.record("password_reset", user=user)
