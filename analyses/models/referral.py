"""Templates of readings, and referrals to the bone tumour centre."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from analyses.models.querysets import ReferralQuerySet
from analyses.models.record import ReadingState, Study
from analyses.models.report import Report


class Referral(models.Model):
    """One archive made for the bone tumour centre: letter, films and, where its maker may have it, the report."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="referrals")
    # The state of the case that it was made from.
    revision = models.PositiveIntegerField()
    reading_state = models.CharField(max_length=12, choices=ReadingState.choices)
    recipient = models.CharField(max_length=200)
    report = models.ForeignKey(Report, null=True, on_delete=models.PROTECT, related_name="+")
    # Whether letter and report hold the model's answer: whoever must not see it yet is not given such an archive.
    with_answer = models.BooleanField()
    films = models.PositiveSmallIntegerField()
    archive_file = models.CharField(max_length=200)
    archive_sha256 = models.CharField(max_length=64)
    archive_size_bytes = models.PositiveBigIntegerField()
    letter_sha256 = models.CharField(max_length=64)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    # It holds a film, or names a patient, that the case no longer has.
    voided_at = models.DateTimeField(null=True)

    objects = ReferralQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-made_at"]

    def __str__(self) -> str:
        return f"referral {self.pk}"
