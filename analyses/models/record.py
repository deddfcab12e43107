"""Patient, case and film. Names are DICOM keywords in snake_case where DICOM has the concept."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiToken, Department
from accounts.spelling import normal_number, search_joined, search_words
from analyses.models.querysets import ImageQuerySet, PatientQuerySet, StudyQuerySet
from analyses.stored_words import body_part_words


class Sex(models.TextChoices):
    """DICOM (0010,0040)."""

    MALE = "M", _("male")
    FEMALE = "F", _("female")
    OTHER = "O", _("other")


class Laterality(models.TextChoices):
    """DICOM (0020,0060) and (0020,0062); B and U as in Image Laterality."""

    LEFT = "L", _("left")
    RIGHT = "R", _("right")
    BOTH = "B", _("both")
    UNPAIRED = "U", _("unpaired")


class ReadingState(models.TextChoices):
    """How far the doctor's work on a case is."""

    UNREAD = "unread", _("unread")
    IN_READING = "in_reading", _("in reading")
    PRELIMINARY = "preliminary", _("preliminary")
    FINAL = "final", _("final")
    AMENDED = "amended", _("amended")


SIGNED_STATES = (ReadingState.FINAL, ReadingState.AMENDED)


class Derived(models.TextField):
    """What a function makes of another field of the row, written whenever the row is.

    ``QuerySet.update`` passes it by: the field that it is made of is changed by ``save`` only.
    """

    def __init__(self, make: Callable[[str], str] | None = None, source: str = "", **options: Any) -> None:
        self.make, self.source = make, source
        super().__init__(**{"blank": True, "default": "", "editable": False, **options})

    def deconstruct(self) -> Any:
        """For migrations a column like others: what fills it is the code of today."""
        name, _path, arguments, options = super().deconstruct()
        return name, "django.db.models.TextField", arguments, options

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002
        """The form of the source as it is now."""
        value = self.make(getattr(model_instance, self.source)) if self.make else ""
        setattr(model_instance, self.attname, value)
        return value


def with_derived(row: models.Model, options: dict[str, Any]) -> dict[str, Any]:
    """The options of ``save``, where ``update_fields`` also names what is derived from them."""
    named = options.get("update_fields")
    if named is None:
        return options
    fields = [field for field in row._meta.concrete_fields if isinstance(field, Derived) and field.source in named]
    return {**options, "update_fields": [*named, *(field.name for field in fields)]}


class Patient(models.Model):
    """A person, known by the record number of one department."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    patient_id = models.CharField("record number", max_length=64)
    patient_name = models.CharField("name", max_length=200, blank=True)
    patient_birth_date = models.DateField("birth date", null=True, blank=True)
    patient_sex = models.CharField("sex", max_length=1, choices=Sex.choices, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # By this a number is looked up. Not unique: charts whose numbers differ in spelling alone may be there already.
    patient_id_normal = Derived(normal_number, "patient_id")
    # By these a name is searched for.
    search_words = Derived(search_words, "patient_name")
    search_joined = Derived(search_joined, "patient_name")

    objects = PatientQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["department", "patient_id"], name="one_record_number_per_department")
        ]
        indexes: ClassVar = [models.Index(fields=["department", "patient_id_normal"], name="patient_by_number")]

    def __str__(self) -> str:
        return f"patient {self.pk}"

    def save(self, *args: Any, **options: Any) -> None:
        """Also what is derived from a field that is saved."""
        super().save(*args, **with_derived(self, options))


class Study(models.Model):
    """A case: one examination of one patient with one or several films.

    ``patient`` is empty while the case is *unassigned*. The fields ``status``, ``outcome`` and
    ``malignant_probability`` sum up the current analyses of the tumour's task (the latest of each film; ``queued``
    while any is unfinished, the most suspicious one's answer, never an average), so that lists sort and filter without
    a join; ``analyses.pipeline.summary.summarise`` is the only writer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, null=True, blank=True, on_delete=models.PROTECT, related_name="studies")
    accession_number = models.CharField(max_length=64, blank=True)
    accession_number_normal = Derived(normal_number, "accession_number")
    modality = models.CharField(max_length=16, blank=True)
    body_part_examined = models.CharField("body part", max_length=64, blank=True)
    laterality = models.CharField("side", max_length=1, choices=Laterality.choices, blank=True)
    study_date = models.DateField("date of the examination", null=True, blank=True)
    referring_physician_name = models.CharField("referring physician", max_length=200, blank=True)
    clinical_question = models.TextField(max_length=2000, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    # Films that one form submits together share this key and so become one case.
    case_key = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    api_token = models.ForeignKey(ApiToken, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    reading_state = models.CharField(max_length=12, choices=ReadingState.choices, default=ReadingState.UNREAD)
    # Whose work the case is at present; a colleague takes it over openly.
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    assigned_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=12, default="queued")
    outcome = models.CharField(max_length=16, blank=True)
    malignant_probability = models.FloatField(null=True, blank=True)
    # Counts the changes that a report would show; a report belongs to one value of it.
    revision = models.PositiveIntegerField(default=1)

    objects = StudyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "studies"
        ordering: ClassVar = ["-created_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["department", "-created_at"], name="study_by_department"),
            models.Index(fields=["department", "reading_state", "created_at"], name="study_by_state"),
            models.Index(fields=["department", "accession_number_normal"], name="study_by_accession"),
            models.Index(fields=["department", "study_instance_uid"], name="study_by_uid"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["department", "case_key"],
                condition=models.Q(case_key__isnull=False),
                name="one_study_per_case_key",
            )
        ]

    def __str__(self) -> str:
        return f"case {self.pk}"

    def save(self, *args: Any, **options: Any) -> None:
        """Also what is derived from a field that is saved."""
        super().save(*args, **with_derived(self, options))

    @property
    def examined(self) -> str:
        """Modality, body part and side in a few words, as far as they are stated: `DX tibia, left`."""
        part = " ".join(word for word in (self.modality, body_part_words(self.body_part_examined)) if word)
        return ", ".join(word for word in (part, str(self.get_laterality_display())) if word)

    @property
    def record_number(self) -> str:
        """The patient's record number; empty while the case is unassigned."""
        return self.patient.patient_id if self.patient else ""


class Image(models.Model):
    """One film: the original bytes, never altered, and the canonical image that people and the model see."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="images")
    original_file = models.CharField(max_length=200)
    original_sha256 = models.CharField(max_length=64, db_index=True)
    original_size_bytes = models.PositiveBigIntegerField()
    file_format = models.CharField(max_length=16, blank=True)
    width_px = models.PositiveIntegerField(null=True)
    height_px = models.PositiveIntegerField(null=True)
    canonical_file = models.CharField(max_length=200, blank=True)
    canonical_sha256 = models.CharField(max_length=64, blank=True)
    canonical_width_px = models.PositiveIntegerField(null=True)
    canonical_height_px = models.PositiveIntegerField(null=True)
    # The film's values before any window, for the viewer, and their description (inference.imaging.display). The file
    # is empty where the canonical image holds every value, the description None on films decoded before there was one.
    display_file = models.CharField(max_length=200, blank=True)
    display = models.JSONField(null=True)
    view_position = models.CharField("view", max_length=32, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True, db_index=True, default="")
    series_instance_uid = models.CharField(max_length=64, blank=True)
    sop_instance_uid = models.CharField(max_length=64, blank=True)
    pixel_spacing_mm = models.JSONField(null=True)  # [row, column], mm per canonical pixel
    spacing_source = models.CharField(max_length=40, blank=True)  # see dicom_identity.read_spacing
    # What the uploader typed for this film and what its DICOM header says (DICOM keywords in snake_case).
    typed = models.JSONField(default=dict)
    header = models.JSONField(default=dict)
    # What the header said at the door, before the file was decoded; null where it could not be asked.
    early_header = models.JSONField(default=dict, null=True)
    # The modality by the file or, where that is silent or not read yet, by the uploader; whatever became of the film.
    modality = models.CharField(max_length=16, blank=True, default="")
    # What a doctor stated where a tag is wrong: {modality, body_part_examined, reason, by, at}; empty where nobody did.
    corrected = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return f"film {self.pk}"

    @property
    def stated(self) -> dict[str, str] | None:
        """What its file says of patient and examination, as far as it was read; None where nobody knows yet."""
        return self.header or (self.header if self.file_format else self.early_header)
