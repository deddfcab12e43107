"""When a session ends: after idling, after its absolute lifetime, and when its user is deactivated."""

import math
import time
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import User

STARTED = "started_at_s"
SEEN = "seen_at_s"
# A session row is not rewritten more often than this, so it may end this much early, never late.
WRITE_EVERY_S = 10


class End(StrEnum):
    """Why a session is over."""

    IDLE = "idle"
    ABSOLUTE = "absolute"
    UNDATED = "undated"


def start(session: SessionBase) -> None:
    """Stamp a session that has just been signed in."""
    session[STARTED] = session[SEEN] = time.time()


def ended(session: SessionBase) -> End | None:
    """Why a signed-in session is over, or None while it is not. One without stamps was not made by signing in."""
    now, started, seen = time.time(), session.get(STARTED), session.get(SEEN)
    if not isinstance(started, float) or not isinstance(seen, float):
        return End.UNDATED
    if now - started >= settings.SESSION_ABSOLUTE_S:
        return End.ABSOLUTE
    if now - seen >= settings.SESSION_IDLE_S:
        return End.IDLE
    return None


def left_s(session: SessionBase) -> int:
    """How many seconds are left until a signed-in session that nobody uses is over; 0 where it is over."""
    now, started, seen = time.time(), session.get(STARTED), session.get(SEEN)
    if not isinstance(started, float) or not isinstance(seen, float):
        return 0
    return max(0, math.ceil(min(seen + settings.SESSION_IDLE_S, started + settings.SESSION_ABSOLUTE_S) - now))


def extend(session: SessionBase) -> None:
    """Restart the idle clock."""
    if time.time() - session[SEEN] >= min(WRITE_EVERY_S, settings.SESSION_IDLE_S / 4):
        session[SEEN] = time.time()


def forget_expired() -> None:
    """Delete the rows of sessions that are past their end; nobody can come back to one."""
    SessionStore.clear_expired()


def end_all_of(user: User, *, keep: str = "") -> int:
    """Delete every session of a user but ``keep``; returns how many.

    Sessions carry their user inside their signed data, so all living ones are read: a few hundred at most.
    """
    gone = 0
    for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if row.session_key != keep and _user_id(row) == user.pk:
            row.delete()
            gone += 1
    return gone


def _user_id(row: Session) -> UUID | None:
    try:
        return UUID(str(row.get_decoded().get(SESSION_KEY)))
    except ValueError:
        return None
