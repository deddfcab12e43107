"""What each user may see of the clinical record. Out of scope is 404, so every read starts here."""

from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import Role, User


def scope(user: User, *, through: str = "", token: str | None) -> Q | None:
    """The rows of a user's department, as a filter; None when the user may see no clinical record at all.

    Doctors and clerks see their department; an API client sees what its department's tokens posted; administrators and
    auditors see nothing unless they also are one of these.

    Args:
        through: lookup prefix from the row to the object that has ``department``, e.g. ``"study__"``.
        token: lookup of the API token that posted the row, or None where a row has none.
    """
    if not user.is_authenticated or not user.is_active or user.department_id is None:
        return None
    mine = Q(**{f"{through}department_id": user.department_id})
    if user.has_role(Role.DOCTOR) or user.has_role(Role.CLERK):
        return mine
    if user.has_role(Role.API_CLIENT) and token:
        return mine & Q(**{f"{token}__isnull": False})
    return None


class ScopedQuerySet(models.QuerySet):
    """Rows that belong to a department."""

    through = ""
    posted_with: str | None = None

    def for_user(self, user: User) -> Any:
        """The rows this user may know of."""
        condition = scope(user, through=self.through, token=self.posted_with)
        return self.none() if condition is None else self.filter(condition)


class PatientQuerySet(ScopedQuerySet):
    """Patients."""


class StudyQuerySet(ScopedQuerySet):
    """Cases."""

    posted_with = "api_token"


class ImageQuerySet(ScopedQuerySet):
    """Films."""

    through = "study__"
    posted_with = "study__api_token"


class AnalysisQuerySet(ScopedQuerySet):
    """The model's answers."""

    posted_with = "api_token"

    def of_task(self, task: str) -> "AnalysisQuerySet":
        return self.filter(task=task)

    def waiting(self) -> "AnalysisQuerySet":
        return self.filter(status="queued")

    def unfinished(self) -> "AnalysisQuerySet":
        return self.filter(status__in=("queued", "running"))


class ReportQuerySet(ScopedQuerySet):
    """Issued PDFs."""

    through = "study__"
    posted_with = "study__api_token"

    def for_user(self, user: User) -> Any:
        """A clerk who is nothing else sees signed reports only."""
        rows = super().for_user(user)
        if user.has_role(Role.CLERK) and not user.has_role(Role.DOCTOR):
            return rows.filter(kind__in=("final", "amended"))
        return rows


class SecondReadingQuerySet(ScopedQuerySet):
    """Questions to colleagues and their answers."""

    through = "study__"

    def open(self) -> "SecondReadingQuerySet":
        return self.filter(answered_at__isnull=True, withdrawn_at__isnull=True)


class NotificationQuerySet(ScopedQuerySet):
    """What doctors were told."""

    through = "study__"

    def for_user(self, user: User) -> Any:
        """The user's own, about cases that are still in the user's scope."""
        return super().for_user(user).filter(user=user)

    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at__isnull=True)


class SavedFilterQuerySet(models.QuerySet):
    """Kept filters of the worklist."""

    def for_user(self, user: User) -> Any:
        """The user's own."""
        return self.filter(user=user)


class ReaderStudyQuerySet(models.QuerySet):
    """Reader studies."""

    def for_user(self, user: User) -> Any:
        """The studies that this user reads for: as a doctor of their department, once they are open."""
        return self.exclude(state="draft").filter(readers__user=user, **_own_department(user))


class ReaderStudyReadingQuerySet(models.QuerySet):
    """Readings of reader studies."""

    def for_user(self, user: User) -> Any:
        """The user's own ones, as long as the user is a doctor of the study's department."""
        return self.filter(reader__user=user, **_own_department(user, "reader__reader_study__"))


def _own_department(user: User, through: str = "") -> dict[str, Any]:
    """The condition that the row is of the department where this user is an active doctor; met by none otherwise."""
    here = user.is_authenticated and user.is_active and user.has_role(Role.DOCTOR)
    return {f"{through}department_id": user.department_id} if here else {"pk__in": []}


class ReadingTemplateQuerySet(ScopedQuerySet):
    """Templates of a department's readings."""


class ReferralQuerySet(ScopedQuerySet):
    """Referrals to the bone tumour centre."""

    through = "study__"
