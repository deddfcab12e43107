"""What the API takes and gives, field by field; the OpenAPI schema is made from it."""

from dataclasses import asdict
from typing import Any

from django.db.models import TextChoices
from django.http import QueryDict
from django.utils import timezone
from rest_framework import serializers
from rest_framework.reverse import reverse

from analyses.answers.lesions import Lesion, lesions_of, ranking_of
from analyses.answers.tasks import outcomes_of
from analyses.blinding.rules import without_answer
from analyses.models import Analysis, AtSite, Laterality, Outcome, Reading, Sex, Stage, Status, Study, Task
from analyses.record.fields import CaseFields
from inference.use.rules import TAGS

SHOWN_UNKNOWN_FIELDS = 20
OUTCOMES_BY_RULE = [Outcome.NORMAL.value, Outcome.BENIGN.value, Outcome.MALIGNANT.value]


class CodeField(serializers.ChoiceField):
    """An optional DICOM code, which may be typed in small letters; empty means *not said*."""

    def __init__(self, choices: type[TextChoices], **options: Any) -> None:
        super().__init__(choices.choices, required=False, allow_blank=True, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(str(data).strip().upper())


class FilmSerializer(serializers.Serializer):
    """The multipart body of a posted film. Lengths are those of the record; the intake service judges the rest."""

    image = serializers.FileField(
        allow_empty_file=True,  # the intake service refuses it with its own code
        help_text="One film: JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM.",
    )
    patient_id = serializers.CharField(max_length=64, required=False, allow_blank=True, help_text="Record number.")
    patient_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    patient_birth_date = serializers.DateField(required=False, help_text="YYYY-MM-DD.")
    patient_sex = CodeField(Sex)
    accession_number = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="Films of one patient with the same accession number become one case, unless their headers name "
        "different patients or examinations: then each becomes its own.",
    )
    modality = serializers.CharField(max_length=16, required=False, allow_blank=True, help_text="CR, DX, ...")
    body_part_examined = serializers.CharField(max_length=64, required=False, allow_blank=True)
    laterality = CodeField(Laterality)
    view_position = serializers.CharField(max_length=32, required=False, allow_blank=True, help_text="AP, LL, ...")
    study_date = serializers.DateField(required=False, help_text="Day of the examination, YYYY-MM-DD.")
    referring_physician_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    clinical_question = serializers.CharField(max_length=2000, required=False, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse what has no name here: a misspelt record number must not make an unassigned case."""
        unknown = sorted(set(data) - set(self.fields))[:SHOWN_UNKNOWN_FIELDS]
        errors: dict[str, Any] = {name: ["Unknown field."] for name in unknown}
        if isinstance(data, QueryDict):
            repeated = [name for name, values in data.lists() if len(values) > 1 and name in self.fields]
            errors |= {name: ["Send this field once."] for name in repeated}
        if "image" in errors:
            errors["image"] = ["Send one film per request."]
        values: dict[str, Any] = {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = {**error.detail, **errors}  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return values

    @property
    def case_fields(self) -> CaseFields:
        """What was typed, for the intake service."""
        return CaseFields(**{name: value for name, value in self.validated_data.items() if name != "image"})


class AcceptedSerializer(serializers.Serializer):
    """The short answer to a post: where to ask for the result."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(Status.choices)
    url = serializers.URLField()


class ProbabilitiesSerializer(serializers.Serializer):
    """Calibrated; they add up to 1."""

    normal = serializers.FloatField(min_value=0, max_value=1)
    benign = serializers.FloatField(min_value=0, max_value=1)
    malignant = serializers.FloatField(min_value=0, max_value=1)


class SubtypeSerializer(serializers.Serializer):
    """One line of a ranking, which is not a diagnosis."""

    name = serializers.CharField()
    probability = serializers.FloatField(min_value=0, max_value=1)


class SizeSerializer(serializers.Serializer):
    """Longest diameter and area of a region, in canonical pixels and in mm."""

    longest_diameter_px = serializers.FloatField(min_value=0)
    area_px = serializers.FloatField(min_value=0, help_text="Square pixels of the canonical image.")
    longest_diameter_mm = serializers.FloatField(
        allow_null=True, min_value=0, help_text="Null unless the pixel spacing of the file is calibrated."
    )
    area_mm2 = serializers.FloatField(
        allow_null=True, min_value=0, help_text="Null unless the pixel spacing of the file is calibrated."
    )


class CoordinatesField(serializers.ListField):
    """A fixed number of coordinates: a point (x, y) or a box (x0, y0, x1, y1)."""

    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(child=serializers.FloatField(), min_length=count, max_length=count, **options)


class RegionSerializer(serializers.Serializer):
    """One outlined region of the film, origin top left. Fractions hold for every copy of it, pixels for `image.png`."""

    polygon = serializers.ListField(
        child=CoordinatesField(2), help_text="Corners (x, y) as fractions of the film's width and height; closed."
    )
    box = CoordinatesField(4, help_text="x0, y0, x1, y1 as fractions.")
    polygon_px = serializers.ListField(child=CoordinatesField(2), help_text="The corners in canonical pixels.")
    box_px = CoordinatesField(4, help_text="The box in canonical pixels.")
    area = serializers.FloatField(min_value=0, max_value=1, help_text="Share of the film's area.")
    probability = serializers.FloatField(min_value=0, max_value=1, help_text="Highest probability inside the outline.")
    size = SizeSerializer()


class StatedTagSerializer(serializers.Serializer):
    """A statement on modality or body part, by the file or by whoever sent it."""

    tag = serializers.ChoiceField(list(TAGS), help_text="Which statement.")
    dicom_tag = serializers.CharField(help_text="The DICOM tag's number, e.g. `(0018,0015)`.")
    value = serializers.CharField(help_text="What stands there; of an anatomic region its code.")
    scheme = serializers.CharField(allow_blank=True, help_text="Designator of the code, e.g. `SCT`; else empty.")
    meaning = serializers.CharField(allow_blank=True, help_text="What the code means by the file; else empty.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        ["file", "typed"], help_text="The file, or the fields sent with it."
    )


class ResultSerializer(serializers.Serializer):
    """The model's answer. It is no diagnosis, and benign does not exclude malignancy."""

    outcome = serializers.ChoiceField(Outcome.choices)
    reason_code = serializers.CharField(
        allow_null=True, help_text="First reason for a film that is not analysable or an answer that is withheld."
    )
    probabilities = ProbabilitiesSerializer(
        allow_null=True, help_text="Null if the film is not analysable or the answer is withheld."
    )
    operating_point = serializers.DictField(
        allow_null=True,
        help_text="The cut-offs of this model version used for the outcome. `name` is `balanced`, "
        "`rule_out` or `local`.",
    )
    leaning = serializers.ChoiceField(
        OUTCOMES_BY_RULE,
        allow_null=True,
        help_text="The outcome by the cut-offs alone; null if there is no answer or the answer is withheld.",
    )
    withheld_reasons = serializers.ListField(
        child=serializers.CharField(),
        help_text="`set_undecided`, `unlike_training`, `unstable`, `orientation`, `withheld_for_all`, "
        "`not_accepted_at_site`; empty unless "
        "withheld.",
    )
    prediction_set = serializers.ListField(
        child=serializers.CharField(),
        help_text="The classes (`normal`, `benign`, `malignant`) in the conformal set; several or none "
        "means undecided.",
    )
    subtypes = SubtypeSerializer(
        many=True, help_text="A ranking, not a diagnosis; the highest first. Empty unless benign or malignant."
    )
    regions = RegionSerializer(many=True, help_text="Outlines, the most probable first.")
    outside_use = StatedTagSerializer(
        many=True,
        help_text="What says that the film is not what the model is meant for; empty unless `reason_code` is"
        " `outside_intended_use`.",
    )
    distance = serializers.FloatField(
        allow_null=True, help_text="Distance of the film from the training films, in a unit of the model."
    )


class ModelSerializer(serializers.Serializer):
    """Which model answered."""

    name = serializers.CharField()
    version = serializers.CharField()
    sha256 = serializers.CharField(help_text="Digest of the weights.")


class WarningSerializer(serializers.Serializer):
    """Typed values contradict the file or the record, or another patient has the same film, examination or number.

    With a field, the report waits until a doctor decided.
    """

    code = serializers.CharField()
    field = serializers.CharField(allow_null=True)
    against = serializers.CharField(allow_null=True, help_text="`file` or `record`; `case`: another patient's case.")
    confirmed = serializers.CharField(allow_null=True, help_text="`typed`, `file` or `record`; null while undecided.")


class FailureSerializer(serializers.Serializer):
    """Why there is no answer, and what to do."""

    code = serializers.CharField()
    message = serializers.CharField()


class ReadingSerializer(serializers.Serializer):
    """The signed reading of the case: what was seen in the terms of docs/structured-reading.md, and who vouches."""

    reading = serializers.ChoiceField(Reading.choices)
    likelihood = serializers.IntegerField(allow_null=True, help_text="Of malignancy, 0 to 100.")
    findings = serializers.DictField(help_text="Stated findings only, by code.")
    findings_text = serializers.CharField()
    impression = serializers.CharField()
    recommendation = serializers.CharField(help_text="A code; empty if none is given.")
    recommendation_months = serializers.IntegerField(allow_null=True)
    recommendation_text = serializers.CharField()
    bone_rads = serializers.IntegerField(allow_null=True)
    signed_at = serializers.DateTimeField()
    sha256 = serializers.CharField(help_text="Digest of the signed content.")


class FurtherResultSerializer(serializers.Serializer):
    """What the model of one task answers to the film; the first entry is the tumour's and repeats `result`."""

    task = serializers.ChoiceField(Task.choices)
    status = serializers.ChoiceField(Status.choices)
    result = serializers.DictField(
        allow_null=True,
        help_text="Null unless succeeded. The fields are those of the tumour's `result`; of the task `fracture`, "
        "`outcome` is `fracture`, `no_fracture`, `withheld` or `not_analysable`, and `probabilities` and "
        "`prediction_set` are of `fracture` and `no_fracture`.",
    )
    model = ModelSerializer(allow_null=True)
    error = FailureSerializer(allow_null=True, help_text="Null unless failed.")


class CaseSerializer(serializers.Serializer):
    """The case that the film belongs to; ``url`` is its page for people."""

    id = serializers.UUIDField()
    url = serializers.URLField()


class AnalysisSerializer(serializers.Serializer):
    """One film and the model's answer to it."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    created_at = serializers.DateTimeField()
    status = serializers.ChoiceField(Status.choices)
    stage = serializers.ChoiceField(Stage.choices)
    place_in_queue = serializers.IntegerField(allow_null=True, help_text="1 is next; null unless queued.")
    patient_id = serializers.CharField(allow_null=True, help_text="Null while the case is unassigned.")
    accession_number = serializers.CharField()
    reading = ReadingSerializer(allow_null=True, help_text="Null until a doctor has signed one.")
    case = CaseSerializer()
    result = ResultSerializer(allow_null=True, help_text="Null unless succeeded.")
    results = FurtherResultSerializer(
        many=True,
        help_text="One entry for each task that the film was asked about, the tumour first; `result` stays the "
        "tumour's. Empty while hidden from the calling doctor.",
    )
    model = ModelSerializer(allow_null=True)
    site_acceptance = serializers.ChoiceField(
        AtSite.choices,
        allow_null=True,
        help_text="Whether the department had accepted this model at these cut-offs; null if no model judged the film.",
    )
    timings_ms = serializers.DictField(child=serializers.FloatField(), help_text="Time of each stage.")
    warnings = WarningSerializer(many=True)
    error = FailureSerializer(allow_null=True, help_text="Null unless failed.")
    input_sha256 = serializers.CharField(help_text="Digest of the bytes as posted.")
    canonical_sha256 = serializers.CharField(
        allow_null=True, help_text="Digest of the decoded image given to the model; null until decoded."
    )
    blinded = serializers.BooleanField(
        help_text="True if the answer to this case is still hidden from the calling doctor: `result` and "
        "`model` are null, `timings_ms` is empty, and filters and orders by the answer omit the "
        "film."
    )

    def to_representation(self, analysis: Analysis) -> dict[str, Any]:
        """One pass over the row: the nested serializers above describe, and cost nothing here."""
        study = analysis.image.study
        blinded = study.pk in self.context["hidden"]
        if blinded:
            analysis = without_answer(analysis)
        place = self.context["places"].get(analysis.pk)
        return {
            "id": str(analysis.pk),
            "url": self._url("api:analysis-detail", analysis.pk),
            "created_at": self.fields["created_at"].to_representation(analysis.created_at),
            "status": analysis.status,
            "stage": _shown_stage(analysis, blinded),
            "place_in_queue": place,
            "patient_id": study.patient.patient_id if study.patient else None,
            "accession_number": study.accession_number,
            "reading": None if blinded else _reading(study),
            "case": {"id": str(study.pk), "url": self._url("analyses:case", study.pk)},
            "result": None if blinded else _result(analysis),
            "results": [] if blinded else self._results(analysis),
            "model": _model(analysis),
            "site_acceptance": analysis.site_acceptance or None,
            "timings_ms": _in_order(analysis.timings_ms, Stage.values),
            "warnings": [
                {name: warning.get(name) or None for name in ("code", "field", "against", "confirmed")}
                for warning in analysis.warnings
            ],
            "error": _error(analysis),
            "input_sha256": analysis.image.original_sha256,
            "canonical_sha256": analysis.canonical_sha256 or None,
            "blinded": blinded,
        }

    def _results(self, analysis: Analysis) -> list[dict[str, Any]]:
        return [
            {
                "task": row.task,
                "status": row.status,
                "result": _result(row),
                "model": _model(row),
                "error": _error(row),
            }
            for row in (analysis, *self.context["further"].get(analysis.image_id, ()))
        ]

    def _url(self, name: str, pk: Any) -> str:
        return reverse(name, args=[pk], request=self.context["request"])


def _shown_stage(analysis: Analysis, blinded: bool) -> str:
    """Which stages a film goes through depends on its answer: whoever is blind hears of the first and the last only."""
    if blinded and analysis.stage != Stage.DONE:
        return Stage.WAITING
    return analysis.stage


def _reading(study: Study) -> dict[str, Any] | None:
    review = getattr(study, "review", None)
    if review is None or not review.is_signed:
        return None
    names = [str(name) for name in ReadingSerializer().fields if name not in ("signed_at", "sha256")]
    signed_at = timezone.localtime(review.signed_at).isoformat()
    return {name: getattr(review, name) for name in names} | {"signed_at": signed_at, "sha256": review.signed_sha256}


def _result(analysis: Analysis) -> dict[str, Any] | None:
    if analysis.status != Status.SUCCEEDED:
        return None
    withheld = analysis.outcome == Outcome.WITHHELD
    # What a withheld answer would have been is kept for the record and handed to no program.
    shown = {} if withheld else analysis.probabilities or {}
    names = [name for name, _ in outcomes_of(analysis.task)]
    return {
        "outcome": analysis.outcome,
        "reason_code": analysis.reason_code or None,
        "probabilities": _in_order(shown, names) or None,
        "operating_point": analysis.operating_point,
        "leaning": None if withheld else analysis.leaning or None,
        "withheld_reasons": analysis.withheld_reasons if withheld else [],
        "prediction_set": [name for name in names if name in analysis.prediction_set],
        "subtypes": [{"name": name, "probability": chance} for name, chance in ranking_of(analysis)],
        "regions": [_region(lesion) for lesion in lesions_of(analysis)],
        "outside_use": analysis.outside_use,
        "distance": analysis.distance,
    }


def _region(lesion: Lesion) -> dict[str, Any]:
    names = ("polygon", "box", "polygon_px", "box_px", "area", "probability")
    size = {name: value if value is None else round(value, 2) for name, value in asdict(lesion.size).items()}
    return {name: getattr(lesion, name) for name in names} | {"size": size}


def _in_order(values: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The same values in the order that people expect; Postgres orders the keys of stored JSON by their length."""
    return {name: values[name] for name in [*names, *values] if name in values}


def _model(analysis: Analysis) -> dict[str, str] | None:
    if not analysis.model_name:
        return None
    return {"name": analysis.model_name, "version": analysis.model_version, "sha256": analysis.model_sha256}


def _error(analysis: Analysis) -> dict[str, str] | None:
    if analysis.status != Status.FAILED:
        return None
    return {"code": analysis.error_code, "message": analysis.error_message}


class ErrorSerializer(serializers.Serializer):
    """The one shape of every refusal."""

    code = serializers.CharField(help_text="A stable code for programs.")
    detail = serializers.CharField(help_text="A message for users that says what to do.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), help_text="Messages by field name."
    )
