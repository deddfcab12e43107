"""The doctor's reading of a case, its signature and addenda, and the PDFs issued from it."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ReadingMode
from analyses.models.record import Study
from analyses.querysets import ReportQuerySet
from analyses.structure.vocabulary import AddendumReason, BoneRads, DisagreementReason, Recommendation


class Reading(models.TextChoices):
    """What the doctor sees on the films."""

    NORMAL = "normal", _("Normal")
    BENIGN = "benign", _("Benign")
    MALIGNANT = "malignant", _("Malignant")
    CANNOT_TELL = "cannot_tell", _("Cannot tell")


class TumourGrade(models.TextChoices):
    """Histological grade in three steps (FNCLCC, WHO); stated by the doctor, filled by no model."""

    GX = "GX", _("GX, not assessed")
    G1 = "G1", _("G1, low grade")
    G2 = "G2", _("G2, intermediate grade")
    G3 = "G3", _("G3, high grade")


class TumourStage(models.TextChoices):
    """Surgical stage after Enneking (MSTS); stated by the doctor, filled by no model."""

    LATENT = "1", _("1, latent")
    ACTIVE = "2", _("2, active")
    AGGRESSIVE = "3", _("3, aggressive")
    IA = "IA", _("IA, low grade, intracompartmental")
    IB = "IB", _("IB, low grade, extracompartmental")
    IIA = "IIA", _("IIA, high grade, intracompartmental")
    IIB = "IIB", _("IIB, high grade, extracompartmental")
    III = "III", _("III, with metastasis")


# Fields of a review that a signature covers where they are filled.
STRUCTURED = (
    "likelihood",
    "findings",
    "findings_text",
    "recommendation",
    "recommendation_months",
    "recommendation_text",
    "bone_rads",
    "disagreement_reason",
    "disagreement_text",
    "confirmed",
)

BENIGN_STAGES = (TumourStage.LATENT, TumourStage.ACTIVE, TumourStage.AGGRESSIVE)


class Review(models.Model):
    """The reading of one case; a draft until signed, locked afterwards."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="review")
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reading = models.CharField(max_length=12, choices=Reading.choices)
    # Likelihood of malignancy as the doctor puts it, 0 to 100; *cannot tell* has none.
    likelihood = models.PositiveSmallIntegerField(null=True)
    # None where the model gave no answer to agree with.
    agrees_with_model = models.BooleanField(null=True)
    model_outcome = models.CharField(max_length=16, blank=True)
    impression = models.TextField(max_length=8000, blank=True)
    tumour_grade = models.CharField(max_length=2, choices=TumourGrade.choices, blank=True)
    tumour_stage = models.CharField(max_length=3, choices=TumourStage.choices, blank=True)
    # See structure.findings: only what is stated; and the text, written from it or by hand.
    findings = models.JSONField(default=dict, blank=True)
    findings_text = models.TextField(max_length=8000, blank=True)
    # The findings as they stood when the text was last changed.
    text_findings = models.JSONField(default=dict, blank=True)
    recommendation = models.CharField(max_length=12, choices=Recommendation.choices, blank=True)
    recommendation_months = models.PositiveSmallIntegerField(null=True)
    recommendation_text = models.CharField(max_length=500, blank=True)
    bone_rads = models.PositiveSmallIntegerField(null=True, choices=BoneRads.choices)
    disagreement_reason = models.CharField(max_length=20, choices=DisagreementReason.choices, blank=True)
    disagreement_text = models.CharField(max_length=500, blank=True)
    # Codes of the contradictions that the doctor confirmed when signing.
    confirmed = models.JSONField(default=list, blank=True)
    # Counts the saves of the draft, so that a page that shows an older one cannot overwrite it.
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    signed_at = models.DateTimeField(null=True)
    signed_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"review {self.pk}"

    @property
    def is_signed(self) -> bool:
        return self.signed_at is not None

    @property
    def structured(self) -> dict[str, Any]:
        """What is stated beyond reading and impression, by field; nothing where nothing is."""
        return {name: value for name in STRUCTURED if (value := getattr(self, name)) not in (None, "", {}, [])}

    @property
    def grade_and_stage(self) -> dict[str, str]:
        """The codes of the two, each only where the doctor stated it."""
        codes = {"tumour_grade": self.tumour_grade, "tumour_stage": self.tumour_stage}
        return {name: code for name, code in codes.items() if code}


class Arm(models.TextChoices):
    """What the lot of a trial says: whether the reader sees the model's answer before the final signature."""

    SHOWN = "shown", _("answer shown")
    HIDDEN = "hidden", _("answer hidden")


class OwnReading(models.Model):
    """One doctor's reading of one case before the model's answer was seen: open until locked, never changed after.

    ``answer`` is the model's answer as it stood at the lock: what is revealed, whatever a later model would say.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="own_readings")
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

    class Meta:
        ordering: ClassVar = ["opened_at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["study", "reader"], name="one_own_reading_per_reader")]

    def __str__(self) -> str:
        return f"own reading {self.pk}"

    @property
    def is_locked(self) -> bool:
        return self.locked_at is not None


class Addendum(models.Model):
    """What was added after the signature; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="addenda")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # Empty on addenda from before reasons were asked for.
    reason = models.CharField(max_length=20, choices=AddendumReason.choices, blank=True)
    text = models.TextField(max_length=8000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "addenda"
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return f"addendum {self.pk}"


class ReportKind(models.TextChoices):
    """DICOM's and radiology's words for the standing of a report."""

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
