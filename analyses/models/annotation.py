"""What a doctor measured or outlined on a film; kept for good, at most withdrawn."""

import uuid
from collections.abc import Iterable
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from analyses.models.querysets import ScopedQuerySet
from analyses.models.record import Image


class AnnotationKind(models.TextChoices):
    """What was drawn."""

    LENGTH = "length", _("length")
    ANGLE = "angle", _("angle")
    RECTANGLE = "rectangle", _("rectangle")
    ELLIPSE = "ellipse", _("ellipse")
    FREEHAND = "freehand", _("freehand region")


class AnnotationQuerySet(ScopedQuerySet):
    """Measurements and drawn regions."""

    through = "image__study__"
    posted_with = "image__study__api_token"

    def not_withdrawn(self) -> "AnnotationQuerySet":
        """Those that nobody withdrew."""
        return self.filter(withdrawn_at__isnull=True)

    def reported(self, images: Iterable[Image]) -> "AnnotationQuerySet":
        """Those that a report of these films prints: neither withdrawn nor made after the signature."""
        return self.not_withdrawn().filter(image__in=images, after_signature=False).select_related("author")


class Annotation(models.Model):
    """One measurement: its geometry as fractions of the film, and the figures that the server computed from it.

    ``values`` names its units: length_px, length_mm, length_detector_mm, angle_deg, area_px2, area_mm2, mean, sd,
    lowest, highest, pixels. ``spacing_source`` is what the film's spacing was worth when it was measured.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="annotations")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=AnnotationKind.choices)
    points = (
        models.JSONField()
    )  # [[x, y]], fractions of the film's width and height; of an angle the second is the apex
    values = models.JSONField()
    value_unit = models.CharField(max_length=40, blank=True)  # of mean, sd, lowest and highest
    spacing_source = models.CharField(max_length=40, blank=True)
    label = models.CharField(max_length=80, blank=True)
    # Made when the reading was signed already: kept, but no part of the signed report.
    after_signature = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return f"annotation {self.pk}"
