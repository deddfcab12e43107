"""Reader studies: cases with a known truth, read by several doctors without and with the model's answer."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Department
from analyses.models.querysets import ReaderStudyQuerySet, ReaderStudyReadingQuerySet
from analyses.models.record import Study
from analyses.models.vocabulary import Reading


class ReaderStudyState(models.TextChoices):
    """A draft is put together, an open reader study is read, a closed one is analysed; there is no way back."""

    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    CLOSED = "closed", _("closed")


class ReferenceTruth(models.TextChoices):
    """What a case really is, by the reference standard of the reader study."""

    NORMAL = "normal", _("normal")
    BENIGN = "benign", _("benign")
    MALIGNANT = "malignant", _("malignant")


class Condition(models.TextChoices):
    """What the reader has before him beside the films."""

    WITHOUT = "without", _("without the model's answer")
    WITH = "with", _("with the model's answer")


class ReaderStudy(models.Model):
    """One reader study of one department; ``seed`` gives all orders and stays hidden until the closing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    washout_days = models.PositiveSmallIntegerField("wash-out in days")
    state = models.CharField(max_length=8, choices=ReaderStudyState.choices, default=ReaderStudyState.DRAFT)
    seed = models.CharField(max_length=64, blank=True)
    # Cases drawn from recorded outcomes, the earliest draw first, as reader_studies.case_draw writes them.
    draws = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = ReaderStudyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "reader studies"
        ordering: ClassVar = ["-created_at", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_draft(self) -> bool:
        return self.state == ReaderStudyState.DRAFT

    @property
    def is_open(self) -> bool:
        return self.state == ReaderStudyState.OPEN

    @property
    def is_closed(self) -> bool:
        return self.state == ReaderStudyState.CLOSED


class ReaderStudyCase(models.Model):
    """A case as the reader study knows it: a number without a name, a truth, films and answers as at the start."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reader_study = models.ForeignKey(ReaderStudy, on_delete=models.CASCADE, related_name="cases")
    case = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()  # shown to administrators, never to readers
    truth = models.CharField(max_length=12, choices=ReferenceTruth.choices)
    # [{image, answer}] in the order of the films; an answer as reader_studies.snapshot writes it. Filled at the start.
    films = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reader_study", "case"], name="one_place_per_case_and_reader_study"),
            models.UniqueConstraint(fields=["reader_study", "number"], name="one_number_per_reader_study_case"),
        ]

    def __str__(self) -> str:
        return f"case {self.number}"

    @property
    def is_malignant(self) -> bool:
        return self.truth == ReferenceTruth.MALIGNANT


class ReaderStudyReader(models.Model):
    """A doctor who reads every case of the reader study twice."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reader_study = models.ForeignKey(ReaderStudy, on_delete=models.CASCADE, related_name="readers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reader_study_readers")
    number = models.PositiveIntegerField()
    washout_waived_at = models.DateTimeField(null=True)
    washout_waived_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    washout_waived_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reader_study", "user"], name="one_place_per_reader_and_reader_study"),
            models.UniqueConstraint(fields=["reader_study", "number"], name="one_number_per_reader_study_reader"),
        ]

    def __str__(self) -> str:
        return f"reader {self.number}"


class ReaderStudyReading(models.Model):
    """One case before one reader in one condition: drawn at the start, opened once, submitted once, never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reader = models.ForeignKey(ReaderStudyReader, on_delete=models.CASCADE, related_name="readings")
    study_case = models.ForeignKey(ReaderStudyCase, on_delete=models.CASCADE, related_name="readings")
    condition = models.CharField(max_length=8, choices=Condition.choices)
    session = models.PositiveSmallIntegerField()  # 1 or 2
    position = models.PositiveIntegerField()  # from 1 within the session
    opened_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    reading = models.CharField(max_length=12, choices=Reading.choices, blank=True)
    likelihood = models.PositiveSmallIntegerField(null=True)  # of malignancy, 0 to 100; *cannot tell* has none

    objects = ReaderStudyReadingQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["session", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reader", "study_case", "condition"], name="one_reading_per_condition"),
            models.UniqueConstraint(fields=["reader", "session", "position"], name="one_reading_per_position"),
        ]

    def __str__(self) -> str:
        return f"reader study reading {self.pk}"

    @property
    def is_submitted(self) -> bool:
        return self.submitted_at is not None

    @property
    def time_s(self) -> float | None:
        """From the first showing to the submission, interruptions included."""
        if self.opened_at is None or self.submitted_at is None:
            return None
        return (self.submitted_at - self.opened_at).total_seconds()
