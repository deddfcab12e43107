"""The PDFs issued of a case: their kind, and whether they are still valid."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from analyses.models.querysets import ReportQuerySet
from analyses.models.record import Study


class ReportKind(models.TextChoices):
    """DICOM's and radiology's words for the status of a report."""

    PRELIMINARY = "preliminary", _("Preliminary")
    FINAL = "final", _("Final")
    AMENDED = "amended", _("Amended")


class ReportState(models.TextChoices):
    """What the verification page says of an issued PDF."""

    VALID = "valid", _("valid")
    SUPERSEDED = "superseded", _("superseded")
    VOID = "void", _("void")


class Report(models.Model):
    """One issued PDF: one per state (``revision``) of the case, stored as issued."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reports")
    revision = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=ReportKind.choices)
    state = models.CharField(max_length=12, choices=ReportState.choices, default=ReportState.VALID)
    pdf_file = models.CharField(max_length=200)
    pdf_sha256 = models.CharField(max_length=64, unique=True)
    pdf_size_bytes = models.PositiveBigIntegerField()
    verification_code = models.CharField(max_length=24, unique=True)
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=200, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-issued_at"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "revision"], name="one_report_per_revision")]

    def __str__(self) -> str:
        return f"report {self.pk}"
