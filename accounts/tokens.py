"""API tokens: made once, stored as a digest, recognised, ended."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.errors import Refused
from accounts.models import ApiToken, User
from accounts.permissions import Action, may

START = "bs_"
SECRET_BYTES = 30  # 40 url-safe characters, 240 bits
PREFIX_CHARS = 8
USE_WRITTEN_EVERY = timedelta(minutes=1)
REFUSAL_LOGGED_EVERY_S = 60


def digest_of(plain: str) -> str:
    """SHA-256 of a token. It has 240 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(plain.encode()).hexdigest()


def create_token(user: User, name: str, expires_at: datetime | None, *, by: User | None = None) -> tuple[ApiToken, str]:
    """Make a token for ``user``; returns it with its plain text, which exists nowhere else.

    Raises:
        Refused: ``inactive``, ``no_api_right``, ``no_department``, ``no_name`` or ``bad_expiry``.
    """
    if not user.is_active:
        raise Refused("inactive", _("This account is deactivated."))
    if not may(user, Action.USE_API):
        raise Refused("no_api_right", _("The roles of this account do not allow use of the API."))
    if user.department_id is None:
        raise Refused("no_department", _("An account that uses the API needs a department."))
    name = " ".join(name.split())[:120]
    if not name:
        why = _("Name the machine or program that will use the token.")
        raise Refused("no_name", _("Name the token."), fields={"name": [why]})
    if expires_at is not None and expires_at <= timezone.now():
        why = _("Choose a date in the future.")
        raise Refused("bad_expiry", _("The expiry date is in the past."), fields={"expires_on": [why]})
    plain = START + secrets.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=plain[:PREFIX_CHARS],
            digest=digest_of(plain),
            created_by=by or user,
            expires_at=expires_at,
        )
        audit.record("token_created", user=by or user, obj=token, detail={"for": str(user.pk)})
    return token, plain


@transaction.atomic
def revoke_token(token: ApiToken, *, by: User | None) -> None:
    """End a token at once, for good."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("token_revoked", user=by, obj=token, detail={"for": str(token.user_id)})


def revoke_all_of(user: User, *, by: User | None) -> int:
    """End every living token of a user, inside the caller's transaction; returns how many."""
    living = list(user.api_tokens.filter(revoked_at=None))
    for token in living:
        revoke_token(token, by=by)
    return len(living)


def authenticate_token(plain: str) -> ApiToken | None:
    """The usable token with this text, or None.

    What is looked up is the digest, so the time it takes says nothing about any token's text. A known token that has
    ended is recorded, at most once a minute; an unknown one belongs to nobody and is not.
    """
    if len(plain) != len(START) + 40 or not plain.startswith(START) or not plain.isascii():
        return None
    token = ApiToken.objects.select_related("user__department").filter(digest=digest_of(plain)).first()
    if token is None:
        return None
    if not token.is_usable:
        if cache.add(f"token-ended:{token.pk}", 1, REFUSAL_LOGGED_EVERY_S):
            reason = "revoked" if token.revoked_at else "expired" if token.user.is_active else "inactive"
            audit.record("token_used_after_end", user=token.user, allowed=False, obj=token, detail={"reason": reason})
        return None
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_WRITTEN_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USE_WRITTEN_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        token.last_used_at = now
    return token
