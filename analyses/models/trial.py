"""Trials of reading with and without the model's answer, the allocations in them, and how readings moved.

Allocations are only ever added: the models refuse a change, and so does Postgres (migration 0011).
"""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Department, ReadingMode
from analyses.models.reading import Review
from analyses.models.record import Study
from analyses.models.vocabulary import Reading


class Arm(models.TextChoices):
    """The arm that a trial allocates: whether the reader sees the model's answer before the final signature."""

    SHOWN = "shown", _("answer shown")
    HIDDEN = "hidden", _("answer hidden")


class UnaidedReading(models.Model):
    """One doctor's reading of one case before the model's answer was seen: open until locked, never changed after.

    ``answer`` is the model's answer as it stood at the lock: what is revealed, whatever a later model would say.
    """

    AUDITED_AS = "ownreading"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="unaided_readings")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    mode = models.CharField(max_length=12, choices=ReadingMode.choices)
    arm = models.CharField(max_length=8, choices=Arm.choices, blank=True)
    reading = models.CharField(max_length=12, choices=Reading.choices, blank=True)
    likelihood = models.PositiveSmallIntegerField(null=True)
    region = models.JSONField(null=True)  # {"image": id, "box": [x0, y0, x1, y1]}; lengths are fractions of the film
    answer = models.JSONField(null=True)
    opened_at = models.DateTimeField()
    locked_at = models.DateTimeField(null=True)
    locked_sha256 = models.CharField(max_length=64, blank=True)
    revealed_at = models.DateTimeField(null=True)
    # The films were other ones than the case has now: the reading is kept, and counts in no figure.
    voided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "analyses_ownreading"  # the name of the table since its first version
        ordering: ClassVar = ["opened_at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "reader"], name="one_own_reading_per_reader")]

    def __str__(self) -> str:
        return f"unaided reading {self.pk}"

    @property
    def is_locked(self) -> bool:
        return self.locked_at is not None


class AppendOnly(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError(f"a {self._meta.verbose_name} is never changed")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError(f"a {self._meta.verbose_name} is never deleted")


class Trial(models.Model):
    """One trial: every case that a department in the mode *trial* opens is allocated once, until it is closed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    planned_cases = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-started_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(closed_at__isnull=True), name="one_trial_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class TrialBlock(AppendOnly):
    """A block of one department: as many cases are shown as hidden, in an order that is not written down anywhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="blocks")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    size = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["trial", "department", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["trial", "department", "number"], name="one_block_per_number"),
            models.CheckConstraint(condition=models.Q(size__in=(2, 4, 6)), name="block_of_2_4_or_6"),
        ]

    def __str__(self) -> str:
        return f"block {self.number}"


class TrialAllocation(AppendOnly):
    """The allocation of one case, drawn when the first doctor opened a reading of it, and valid for later readers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    block = models.ForeignKey(TrialBlock, on_delete=models.PROTECT, related_name="allocations")
    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="allocation")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    arm = models.CharField(max_length=8, choices=Arm.choices)
    position = models.PositiveSmallIntegerField()
    drawn_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["drawn_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["block", "position"], name="one_allocation_per_place"),
            models.CheckConstraint(condition=models.Q(position__gte=1, position__lte=6), name="place_in_a_block"),
        ]

    def __str__(self) -> str:
        return f"allocation {self.pk}"


class Direction(models.TextChoices):
    """Where the final reading went from the unaided reading, seen from the model's answer."""

    UNCHANGED = "unchanged", _("unchanged")
    TOWARDS = "towards", _("towards the model")
    AWAY = "away", _("away from the model")
    SIDEWAYS = "sideways", _("neither towards nor away from the model")
    NO_ANSWER = "no_answer", _("the model gave no answer")


class ReadingRevision(AppendOnly):
    """A signed reading beside the unaided one of the same doctor: what moved, where to, and how long both took."""

    unaided = models.OneToOneField(
        UnaidedReading, primary_key=True, db_column="own_id", on_delete=models.PROTECT, related_name="revision"
    )
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="revision")
    reading = models.CharField(max_length=12, choices=Reading.choices)
    likelihood = models.PositiveSmallIntegerField(null=True)
    direction = models.CharField(max_length=12, choices=Direction.choices)
    answer_seen = models.BooleanField()
    # From opened to locked.
    unaided_reading_ms = models.PositiveBigIntegerField(db_column="own_reading_ms")
    final_reading_ms = models.PositiveBigIntegerField()  # revealed, or locked where nothing was, to signed
    signed_at = models.DateTimeField()

    class Meta:
        db_table = "analyses_changeofmind"  # the name of the table since its first version

    def __str__(self) -> str:
        return f"revision of {self.unaided_id}"
