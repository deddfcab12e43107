"""Who has a case open, what doctors ask each other about it, what they are told, and the views they keep."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from analyses.models.record import Study
from analyses.querysets import NotificationQuerySet, SecondReadingQuerySet


class CasePresence(models.Model):
    """When a doctor's page of a case was last seen open."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "user"], name="one_presence_per_reader")]

    def __str__(self) -> str:
        return f"{self.user_id} at case {self.study_id}"


class NotificationKind(models.TextChoices):
    """What a doctor may be told of; the words are the same whatever the model answered."""

    ASSIGNED = "assigned", _("A case is assigned to me")
    TAKEN_OVER = "taken_over", _("A colleague takes over my case")
    SECOND_ASKED = "second_asked", _("I am asked for a second reading")
    SECOND_ANSWERED = "second_answered", _("My question to a colleague is answered")
    AMENDED = "amended", _("A case that I read is amended")
    ANALYSIS_FAILED = "analysis_failed", _("The analysis of a case of mine fails")


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
    """Where one user wants to be told of one kind; without a row the defaults of ``services.notifying`` hold."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=NotificationKind.choices)
    in_portal = models.BooleanField()
    by_mail = models.BooleanField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "kind"], name="one_choice_per_kind")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.kind}"


class SecondReading(models.Model):
    """A colleague's reading that a doctor asked for: open until answered or withdrawn, never changed after.

    ``first_...`` is what the first reader's draft said when the colleague answered, so that the comparison stays what
    it was whatever the draft becomes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="second_readings")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    question = models.TextField(max_length=2000)
    asked_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    reading = models.CharField(max_length=12, blank=True)
    likelihood = models.PositiveSmallIntegerField(null=True)
    text = models.TextField(max_length=8000, blank=True)
    first_reader = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    first_reading = models.CharField(max_length=12, blank=True)
    first_likelihood = models.PositiveSmallIntegerField(null=True)
    # For showing only: whether the user takes it back, and whether a page tells no more than that it was answered.
    may_withdraw = False
    is_closed = False

    objects = SecondReadingQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["asked_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["study", "reader"],
                condition=models.Q(answered_at__isnull=True, withdrawn_at__isnull=True),
                name="one_open_question_per_reader",
            )
        ]

    def __str__(self) -> str:
        return f"second reading {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.answered_at is None and self.withdrawn_at is None


class SavedView(models.Model):
    """A filter and order of the worklist that a doctor keeps under a name; it holds no search words."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=400, blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "name"], name="one_view_per_name"),
            models.UniqueConstraint(fields=["user"], condition=models.Q(is_default=True), name="one_default_view"),
        ]

    def __str__(self) -> str:
        return self.name
