"""Who must not see the model's answer to a case yet. Whatever shows, sorts, counts or sends answers asks here."""

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from accounts.models import ReadingMode, Role
from analyses.models import Arm, OwnReading, ReadingState, Study

if TYPE_CHECKING:
    from accounts.models import User

SIGNED = (ReadingState.FINAL, ReadingState.AMENDED)
NOTHING = Q(pk__in=[])


def reads_first(user: "User") -> bool:
    """Whether this user is a doctor of a department that reads before the model's answer is shown."""
    department = user.department
    return user.has_role(Role.DOCTOR) and department is not None and department.reading_mode != ReadingMode.AT_ONCE


def hidden_cases(user: "User") -> Q:
    """The cases (a condition on Study) whose answers this user must not see: no own reading locked, or hidden by lot.

    A signed case hides nothing any more. What the condition leaves may still be out of the user's scope.
    """
    if not reads_first(user):
        return NOTHING
    own = OwnReading.objects.filter(study=OuterRef("pk"), reader=user, locked_at__isnull=False)
    return ~Q(reading_state__in=SIGNED) & ~Exists(own.exclude(arm=Arm.HIDDEN))


def sees_model(user: "User", study: Study) -> bool:
    """Whether the model's answer to this case may be shown to this user now."""
    if not reads_first(user) or study.reading_state in SIGNED:
        return True
    own = OwnReading.objects.filter(study=study, reader=user, locked_at__isnull=False)
    return own.exclude(arm=Arm.HIDDEN).exists()
