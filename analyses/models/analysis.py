"""The model's answer to one film, which is also the row of the work queue. Table ``analyses``."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiToken, Department
from analyses.models.querysets import AnalysisQuerySet
from analyses.models.record import Image
from analyses.models.registry import Task


class Status(models.TextChoices):
    """Queue state: queued -> running -> succeeded | failed | cancelled; running may fall back to queued."""

    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class Stage(models.TextChoices):
    """Where one stands."""

    WAITING = "waiting", _("waiting")
    DECODING = "decoding", _("decoding")
    CHECKING = "checking", _("checking")
    CLASSIFYING = "classifying", _("classifying")
    EXPLAINING = "explaining", _("explaining")
    DONE = "done", _("done")


class Outcome(models.TextChoices):
    """The answer about tumours in a word; the last two are those of every task."""

    NORMAL = "normal", _("No tumour found")
    BENIGN = "benign", _("Benign features")
    MALIGNANT = "malignant", _("Suspicious for malignancy")
    WITHHELD = "withheld", _("Withheld")
    NOT_ANALYSABLE = "not_analysable", _("Not analysable")


class FractureOutcome(models.TextChoices):
    """The answer about fractures in a word, where there is one."""

    FRACTURE = "fracture", _("Fracture suspected")
    NO_FRACTURE = "no_fracture", _("No fracture found")


OUTCOME_CHOICES = [*Outcome.choices, *FractureOutcome.choices]


class AtSite(models.TextChoices):
    """Whether the department had accepted the model that answered, at these cut-offs: see registry.acceptance."""

    ACCEPTED = "accepted", _("accepted in this department")
    NOT_ACCEPTED = "not_accepted", _("not accepted at this site")


class Analysis(models.Model):
    """Who asked when about which film, and everything needed to replay the answer."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="analyses")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    api_token = models.ForeignKey(ApiToken, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    # What is asked: the task, and the modality of the model that answers (DX stands for all plain radiographs). The
    # worker writes the modality with the answer; it is empty where no model judges the image.
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    modality = models.CharField(max_length=16, blank=True, default="")

    # queue
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.WAITING)
    queued_at = models.DateTimeField()
    woken_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    # After a fault that may pass by itself: not to be claimed before this time.
    retry_after = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # The model to ask, "<name>-<version>"; empty: the active one when a worker begins.
    wanted_model = models.CharField(max_length=130, blank=True, default="")

    # answer
    outcome = models.CharField(max_length=16, choices=OUTCOME_CHOICES, blank=True)
    reason_code = models.CharField(max_length=40, blank=True)
    probabilities = models.JSONField(null=True)  # {normal, benign, malignant} or {no_fracture, fracture}, calibrated
    malignant_probability = models.FloatField(null=True)
    operating_point = models.JSONField(null=True)
    # What the outcome would be by the rule if nothing were withheld; never shown in place of a withheld answer.
    leaning = models.CharField(max_length=16, blank=True)
    withheld_reasons = models.JSONField(default=list)  # codes, see answers.wording.WITHHELD
    prediction_set = models.JSONField(default=list)  # outcomes that the conformal set holds
    subtypes = models.JSONField(default=list)  # [[name, probability]], a ranking
    # [{polygon: [[x, y]], box: [x0, y0, x1, y1], area, probability}]; lengths and area are fractions of the film
    regions = models.JSONField(default=list)
    distance = models.FloatField(null=True)  # from the films that the model learnt from
    gate = models.JSONField(null=True)
    # What says that the film is not what the model is meant for: [{tag, value, source, scheme, meaning, dicom_tag}],
    # see inference.use.rules
    outside_use = models.JSONField(default=list)
    model_name = models.CharField(max_length=80, blank=True)
    model_version = models.CharField(max_length=40, blank=True)
    model_sha256 = models.CharField(max_length=64, blank=True)
    site_acceptance = models.CharField(max_length=16, choices=AtSite.choices, blank=True)  # empty: no model judged
    preprocessing_version = models.CharField(max_length=20, blank=True)
    input_sha256 = models.CharField(max_length=64, blank=True)
    canonical_sha256 = models.CharField(max_length=64, blank=True)
    saliency_file = models.CharField(max_length=200, blank=True)
    timings_ms = models.JSONField(default=dict)
    warnings = models.JSONField(
        default=list
    )  # [{"code", "field", "against": file | record, "confirmed": see record.identity}]
    # What the film looks like in numbers, for drift monitoring: see inference.imaging.stats.
    input_stats = models.JSONField(default=dict)
    # While the model is withheld for all: the answer as computed, out of every page's reach; see pipeline.holds.
    computed = models.JSONField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=400, blank=True)

    objects = AnalysisQuerySet.as_manager()

    class Meta:
        db_table = "analyses"
        verbose_name_plural = "analyses"
        ordering: ClassVar = ["-created_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["status", "queued_at"], name="analysis_queue"),
            models.Index(fields=["department", "-created_at"], name="analysis_by_department"),
        ]

    def __str__(self) -> str:
        return f"analysis {self.pk}"

    @property
    def is_final(self) -> bool:
        """Nothing will change by itself any more."""
        return self.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)

    @property
    def is_cancelable(self) -> bool:
        return self.status in (Status.QUEUED, Status.RUNNING)

    @property
    def is_retriable(self) -> bool:
        return self.status in (Status.FAILED, Status.CANCELLED)

    @property
    def open_warnings(self) -> list[dict]:
        """Warnings that a doctor must still decide."""
        return [warning for warning in self.warnings if warning.get("field") and not warning.get("confirmed")]


class IdempotencyKey(models.Model):
    """A client's key for one POST: the same key answers the same, and refuses another body."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    body_sha256 = models.CharField(max_length=64)
    analysis = models.ForeignKey(Analysis, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_idempotency_key")]

    def __str__(self) -> str:
        return f"key of {self.user_id}"


class ProcessSeen(models.Model):
    """When a worker or the sweeper was last seen, for the status page."""

    kind = models.CharField(max_length=12, choices=[("worker", "worker"), ("sweeper", "sweeper")])
    name = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "processes seen"
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "name"], name="one_row_per_process")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
