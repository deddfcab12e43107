"""The doctor's reading of a case, its signature and addenda, and the PDFs issued from it."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Department
from analyses.models.querysets import ReadingTemplateQuerySet, SecondReadingQuerySet
from analyses.models.record import Study
from analyses.models.vocabulary import AddendumReason, BoneRads, DisagreementReason, Reading, Recommendation


class ReadingTemplate(models.Model):
    """Defaults of a department for one kind of reading; it fills what is still empty on the form, nothing else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    body_part = models.CharField(max_length=64, blank=True)
    findings = models.JSONField(default=dict, blank=True)
    impression = models.TextField(max_length=8000, blank=True)
    recommendation = models.CharField(max_length=12, choices=Recommendation.choices, blank=True)
    recommendation_months = models.PositiveSmallIntegerField(null=True, blank=True)
    recommendation_text = models.CharField(max_length=500, blank=True)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ReadingTemplateQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["department", "name"], condition=models.Q(is_active=True), name="one_active_template_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


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
    # Title and name as they were when this was signed: what was signed keeps its words.
    signed_as = models.CharField(max_length=254, blank=True)
    # The films that had no answer yet when this was signed: {image: {"analysis": id, "status": then}}.
    unanswered = models.JSONField(default=dict, blank=True)

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


class Addendum(models.Model):
    """What was added after the signature; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="addenda")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # Empty on addenda from before reasons were asked for.
    reason = models.CharField(max_length=20, choices=AddendumReason.choices, blank=True)
    text = models.TextField(max_length=8000)
    # As of a review.
    signed_as = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "addenda"
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return f"addendum {self.pk}"
