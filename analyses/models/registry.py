"""Which installed model answers, since when and why; and comparisons of two models on the same films."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# The modality that stands for all plain radiographs (CR, DX and the like).
RADIOGRAPHS = "DX"
# Why an answer is withheld while an administrator keeps the model from everybody.
WITHHELD_FOR_ALL = "withheld_for_all"


class Task(models.TextChoices):
    """What a model is asked about an image; every task has a model, answers and holds of its own."""

    TUMOUR = "tumour", _("tumour")
    FRACTURE = "fracture", _("fracture")


class ModelHold(models.Model):
    """*Withheld for all*: while a row is not lifted, no answer of this modality and task is given to anybody."""

    id = models.BigAutoField(primary_key=True)
    modality = models.CharField(max_length=16)  # DX stands for all plain radiographs, whichever version is active
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    reason = models.CharField(max_length=200)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=timezone.now)
    lift_reason = models.CharField(max_length=200, blank=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["modality", "task"],
                condition=models.Q(lifted_at__isnull=True),
                name="one_open_hold_per_modality_and_task",
            )
        ]

    def __str__(self) -> str:
        return f"hold of {self.modality}, {self.task}"


class ModelActivation(models.Model):
    """One decision of an administrator; the newest of a modality and task is active. Rows are only ever added.

    Without a row the model that the release names as its default answers, where it names one.
    """

    id = models.BigAutoField(primary_key=True)
    modality = models.CharField(max_length=16)  # DX stands for all plain radiographs
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    model_key = models.CharField("model", max_length=130)  # "<name>-<version>"
    model_sha256 = models.CharField(max_length=64)  # of the weights as they were then
    previous = models.CharField(max_length=130)  # the model that was active before
    reason = models.CharField(max_length=200)
    activated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    activated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["modality", "task", "-id"], name="activation_in_force_by_task")]

    def __str__(self) -> str:
        return f"{self.modality}, {self.task}: {self.model_key}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("activations are never changed")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("activations are never deleted")


class ComparisonStatus(models.TextChoices):
    """Where a comparison stands."""

    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("done")
    FAILED = "failed", _("failed")


class ModelComparison(models.Model):
    """Two models asked about the same films. Nothing of it enters a case."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    modality = models.CharField(max_length=16)
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    model_a = models.CharField("first model", max_length=130)
    model_b = models.CharField("second model", max_length=130)
    films = models.PositiveIntegerField()  # how many of the newest films were asked for
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )  # None: the operator, by command
    status = models.CharField(max_length=12, choices=ComparisonStatus.choices, default=ComparisonStatus.QUEUED)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)  # see pipeline.comparison
    error_message = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.model_a} against {self.model_b}"

    @property
    def is_over(self) -> bool:
        return self.status in (ComparisonStatus.SUCCEEDED, ComparisonStatus.FAILED)
