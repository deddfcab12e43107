"""What doctors were told in the portal, and where each wants to be told what."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from analyses.models.querysets import NotificationQuerySet
from analyses.models.record import Study


class NotificationKind(models.TextChoices):
    """What a doctor may be told of; the words are the same whatever the model answered."""

    ASSIGNED = "assigned", _("A case is assigned to me")
    TAKEN_OVER = "taken_over", _("A colleague takes over my case")
    SECOND_ASKED = "second_asked", _("I am asked for a second reading")
    SECOND_ANSWERED = "second_answered", _("A colleague answers my request")
    AMENDED = "amended", _("A case I have read is amended")
    ANALYSIS_FAILED = "analysis_failed", _("The analysis of one of my cases fails")
    LATE_ANSWER = "late_answer", _("A film is analysed after I signed its case")


class Notification(models.Model):
    """One thing that a doctor was told in the portal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20, choices=NotificationKind.choices)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "id"]
        indexes: ClassVar = [
            models.Index(
                fields=["user", "-created_at"], condition=models.Q(read_at__isnull=True), name="notification_unread"
            )
        ]

    def __str__(self) -> str:
        return f"notification {self.pk}"


class NotificationChoice(models.Model):
    """Where one user wants to be told of one kind; without a row the defaults of ``notifications.services`` apply."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=NotificationKind.choices)
    in_portal = models.BooleanField()
    by_mail = models.BooleanField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "kind"], name="one_choice_per_kind")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.kind}"
