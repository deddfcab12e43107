"""Which installed model answers, since when and why; comparisons of two models; and what departments accept.

Site acceptance: a set of a department's films before a model, and what the department accepted on its account.
"""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Department

# The modality that stands for all plain radiographs (CR, DX and the like).
RADIOGRAPHS = "DX"
# Why an answer is withheld while an administrator keeps the model from everybody.
WITHHELD_FOR_ALL = "withheld_for_all"
# Why one is withheld where a department has not accepted the model and shows no answers before it has.
NOT_ACCEPTED_AT_SITE = "not_accepted_at_site"


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


class AcceptanceStatus(models.TextChoices):
    """Where a run stands: films are collected, then it waits for a worker, runs and ends."""

    COLLECTING = "collecting", _("collecting films")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class FilmsFrom(models.TextChoices):
    """Where the films of a run come from."""

    FILES = "files", _("uploaded films")
    CASES = "cases", _("cases with outcomes")


class AcceptanceRun(models.Model):
    """One model before one set of a department's films. Nothing of it is a clinical case, or enters one.

    An uploaded film is deleted as soon as the model has judged it, and all of them when the run ends in any way; what
    stays of a film is a label, a number for its patient and the numbers of ``inference.acceptance.films``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    modality = models.CharField(max_length=16)  # DX stands for all plain radiographs
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    model_key = models.CharField("model", max_length=130)  # "<name>-<version>"
    model_sha256 = models.CharField(max_length=64)  # of the weights as they were then
    operating_point = models.CharField(max_length=20)  # the department's when the run was set up
    films_from = models.CharField(max_length=8, choices=FilmsFrom.choices)
    status = models.CharField(max_length=12, choices=AcceptanceStatus.choices, default=AcceptanceStatus.COLLECTING)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    woken_at = models.DateTimeField(null=True)  # when a worker was last told of it, or last worked on it
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)  # see inference.acceptance.figures.acceptance_of
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"acceptance run of {self.model_key}"

    @property
    def is_over(self) -> bool:
        return self.status in (AcceptanceStatus.SUCCEEDED, AcceptanceStatus.FAILED, AcceptanceStatus.CANCELLED)


class AcceptanceFilm(models.Model):
    """One film of a run. ``name_sha256`` finds its uploaded file and is no name; cases give an image instead."""

    run = models.ForeignKey(AcceptanceRun, on_delete=models.CASCADE, related_name="films")
    number = models.PositiveIntegerField()  # the line of the label file, or the place among the films of cases
    label = models.CharField(max_length=16)
    patient = models.PositiveIntegerField()  # equal for films of one patient, within the run
    name_sha256 = models.CharField(max_length=64, blank=True)
    file = models.CharField(max_length=200, blank=True)  # the uploaded film, until it is judged
    file_sha256 = models.CharField(max_length=64, blank=True)
    image = models.ForeignKey("analyses.Image", null=True, on_delete=models.SET_NULL, related_name="+")
    attempts = models.PositiveSmallIntegerField(default=0)
    answer = models.JSONField(null=True)  # see inference.acceptance.films.FilmAnswer
    error_code = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_film_per_number_of_a_run"),
            models.UniqueConstraint(
                fields=["run", "name_sha256"], condition=~models.Q(name_sha256=""), name="one_film_per_name_of_a_run"
            ),
        ]

    def __str__(self) -> str:
        return f"film {self.number} of {self.run_id}"


class SiteAcceptance(models.Model):
    """A department's word that it accepts a model at certain cut-offs; in force until it is taken back.

    It binds the weights, the department's operating point and the cut-offs: another version, another operating point
    or other cut-offs are not accepted by it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    modality = models.CharField(max_length=16)
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    model_key = models.CharField("model", max_length=130)
    model_sha256 = models.CharField(max_length=64)
    operating_point = models.CharField(max_length=20)  # the department's choice that the cut-offs stand for
    cut_offs = models.JSONField()  # {name, malignant, tumour, chosen_on}; name "local": those that the set suggested
    run = models.ForeignKey(AcceptanceRun, on_delete=models.PROTECT, related_name="acceptances")
    reason = models.CharField(max_length=200)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    accepted_at = models.DateTimeField(default=timezone.now)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawal_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-accepted_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["department", "modality", "task", "model_sha256", "operating_point"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="one_acceptance_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"acceptance of {self.model_key}"

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("acceptances are taken back, never deleted")
