"""Model surveillance: holds that withhold every answer, checks of drift and the alarms that they raised."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from analyses.models.registry import RADIOGRAPHS, Task


class DriftSeries(models.TextChoices):
    """What is counted into windows."""

    FILMS = "films", _("films")
    READINGS = "readings", _("signed readings")


class DriftCheck(models.Model):
    """One window of patients (a film or signed reading of each) compared with the reference; rows are only ever added.

    ``figures`` is a list of {name, group, source, n, reference_n, p, alarm}, and where it was tested also {bins,
    reference, observed, psi, adjusted_p}; the joint figure leaves the lists empty, its psi is an energy distance. ``p``
    is None where the reference is still being collected.
    """

    id = models.BigAutoField(primary_key=True)
    series = models.CharField(max_length=12, choices=DriftSeries.choices)
    modality = models.CharField(max_length=16, default=RADIOGRAPHS)  # DX stands for all plain radiographs
    task = models.CharField(max_length=16, choices=Task.choices, default=Task.TUMOUR)
    model_key = models.CharField("model", max_length=130)
    number = models.PositiveIntegerField()  # of the window, from 1 for each series, use and model
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    last_id = models.UUIDField()  # of the window's last row, so that the next window begins behind it
    figures = models.JSONField(default=list)
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["series", "modality", "task", "model_key", "number"], name="one_check_per_window_and_use"
            )
        ]

    def __str__(self) -> str:
        return f"window {self.number} of {self.model_key}, {self.series}"


class DriftAlarm(models.Model):
    """One monitored figure that left its reference in one window; open until an administrator says why."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    check_row = models.ForeignKey(DriftCheck, on_delete=models.PROTECT, related_name="alarms")
    figure = models.CharField(max_length=60)
    adjusted_p = models.FloatField()
    psi = models.FloatField()  # of the joint figure: its energy distance
    raised_at = models.DateTimeField(default=timezone.now)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    acknowledged_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    # The site is like this, and is compared with itself from here on: see evidence.drift.services.
    accepted = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["-raised_at", "figure"]

    def __str__(self) -> str:
        return f"alarm of {self.figure}"
