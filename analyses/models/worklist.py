"""Who has a case open, what doctors ask each other about it, what they are told, and the views they keep."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from analyses.models.querysets import SavedFilterQuerySet
from analyses.models.record import Study


class CasePresence(models.Model):
    """When a doctor's page of a case was last seen open."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "user"], name="one_presence_per_reader")]

    def __str__(self) -> str:
        return f"{self.user_id} at case {self.study_id}"


class SavedFilter(models.Model):
    """A filter and order of the worklist that a doctor keeps under a name; it holds no search words."""

    AUDITED_AS = "savedview"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=400, blank=True)
    is_default = models.BooleanField(default=False)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        db_table = "analyses_savedview"  # the name of the table since its first version
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "name"], name="one_view_per_name"),
            models.UniqueConstraint(fields=["user"], condition=models.Q(is_default=True), name="one_default_view"),
        ]

    def __str__(self) -> str:
        return self.name
