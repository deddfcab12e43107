"""Who has a case open: noted by a small poll of the case page, forgotten a minute after the last one."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from analyses.models import CasePresence, Study

STALE_AFTER = timedelta(seconds=60)


def record_presence(study: Study, user: User) -> None:
    """Note that the user's page of the case is open now."""
    CasePresence.objects.update_or_create(study=study, user=user, defaults={"seen_at": timezone.now()})


def other_users_at(study_ids: Iterable[UUID], user: User) -> dict[UUID, list[User]]:
    """Who else has these cases open, by case; one query."""
    fresh = CasePresence.objects.filter(study__in=list(study_ids), seen_at__gte=timezone.now() - STALE_AFTER)
    found: dict[UUID, list[User]] = {}
    for presence in fresh.exclude(user=user).select_related("user").order_by("user__email"):
        found.setdefault(presence.study_id, []).append(presence.user)
    return found
