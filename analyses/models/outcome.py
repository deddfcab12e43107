"""What a case turned out to be: pathology or follow-up, in versions of which only the newest counts."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from analyses.models.reading import TumourGrade, TumourStage
from analyses.models.record import Study


class Truth(models.TextChoices):
    """What the case is held to be, in the words of the readings."""

    NORMAL = "normal", _("Normal")
    BENIGN = "benign", _("Benign")
    MALIGNANT = "malignant", _("Malignant")


class TruthMethod(models.TextChoices):
    """How it became known; the first is the strongest."""

    PATHOLOGY = "pathology", _("Pathology")
    FOLLOW_UP_IMAGING = "follow_up_imaging", _("Follow-up imaging")
    CLINICAL_FOLLOW_UP = "clinical_follow_up", _("Clinical follow-up")


class CaseOutcome(models.Model):
    """One version of a case's outcome. A correction is a new version; earlier ones are kept as they were."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="case_outcomes")
    version = models.PositiveSmallIntegerField()
    is_current = models.BooleanField(default=True)
    truth = models.CharField(max_length=12, choices=Truth.choices)
    method = models.CharField(max_length=20, choices=TruthMethod.choices)
    established_on = models.DateField("date")
    source = models.CharField(max_length=200, blank=True)
    subtype = models.CharField(max_length=120, blank=True)
    tumour_grade = models.CharField(max_length=2, choices=TumourGrade.choices, blank=True)
    tumour_stage = models.CharField(max_length=3, choices=TumourStage.choices, blank=True)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["study", "version"], name="one_outcome_per_version"),
            models.UniqueConstraint(
                fields=["study"], condition=models.Q(is_current=True), name="one_current_outcome_per_case"
            ),
        ]

    def __str__(self) -> str:
        return f"outcome {self.pk}"
