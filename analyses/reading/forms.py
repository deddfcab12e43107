"""Forms of a reading: what the doctor sees, addenda, and the department's templates."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.models import BENIGN_STAGES, Reading, ReadingTemplate, Review, TumourGrade, TumourStage
from analyses.models.vocabulary import AddendumReason, BoneRads, DisagreementReason, Recommendation
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import CODES, MAX_DIMENSIONS, MAX_SIZE_MM, Findings, from_json

NOT_STATED = ("", _("not stated"))
STAGES = [
    NOT_STATED,
    (_("Benign"), [(stage.value, stage.label) for stage in TumourStage if stage in BENIGN_STAGES]),
    (_("Malignant"), [(stage.value, stage.label) for stage in TumourStage if stage not in BENIGN_STAGES]),
]
SIZES = tuple(f"size_{number}" for number in range(1, MAX_DIMENSIONS + 1))
FINDING_LABELS = {
    "number": _("Lesions"),
    "bone": _("Bone"),
    "side": _("Side"),
    "part": _("Segment of the bone"),
    "end": _("End"),
    "margin": _("Margin (Lodwick-Madewell)"),
    "matrix": _("Matrix"),
    "periosteum": _("Periosteal reaction"),
    "cortical_destruction": _("Cortical destruction"),
    "soft_tissue_mass": _("Soft-tissue mass"),
    "fracture": _("Pathological fracture"),
    "incidental": _("Incidental lesion"),
    "known_primary": _("Known primary malignancy"),
}


def _choice(label: Any, choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=[NOT_STATED, *choices])


def _number(label: Any, lowest: int, highest: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=lowest, max_value=highest)


def _line(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class StructureForm(forms.Form):
    """Findings and recommendation, as reading and template have them."""

    number = _choice(FINDING_LABELS["number"], CODES["number"].choices)
    bone = _choice(FINDING_LABELS["bone"], CODES["bone"].choices)
    side = _choice(FINDING_LABELS["side"], CODES["side"].choices)
    part = _choice(FINDING_LABELS["part"], CODES["part"].choices)
    end = _choice(FINDING_LABELS["end"], CODES["end"].choices)
    size_1 = _number(_("Longest diameter, mm"), 1, MAX_SIZE_MM)
    size_2 = _number(_("Second diameter, mm"), 1, MAX_SIZE_MM)
    size_3 = _number(_("Third diameter, mm"), 1, MAX_SIZE_MM)
    margin = _choice(FINDING_LABELS["margin"], CODES["margin"].choices)
    matrix = _choice(FINDING_LABELS["matrix"], CODES["matrix"].choices)
    periosteum = _choice(FINDING_LABELS["periosteum"], CODES["periosteum"].choices)
    cortical_destruction = _choice(FINDING_LABELS["cortical_destruction"], CODES["cortical_destruction"].choices)
    soft_tissue_mass = _choice(FINDING_LABELS["soft_tissue_mass"], CODES["soft_tissue_mass"].choices)
    fracture = _choice(FINDING_LABELS["fracture"], CODES["fracture"].choices)
    impression = forms.CharField(
        label=_("Impression"), max_length=8000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    recommendation = _choice(_("Recommendation"), Recommendation.choices)
    recommendation_months = _number(_("Interval in months"), 1, 60)
    recommendation_text = _line(_("Recommendation (free text)"))

    @property
    def place_fields(self) -> list[forms.BoundField]:
        """What the lesion is and where."""
        return [self[name] for name in ("number", "bone", "side", "part", "end")]

    @property
    def size_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in SIZES]

    @property
    def look_fields(self) -> list[forms.BoundField]:
        """How the lesion looks."""
        names = ("margin", "matrix", "periosteum", "cortical_destruction", "soft_tissue_mass", "fracture")
        return [self[name] for name in names]

    def findings(self) -> Findings:
        """The findings of a valid form."""
        return findings_of(self.cleaned_data)


class ReadingForm(StructureForm):
    """What the doctor sees on the films."""

    reading = forms.ChoiceField(label=_("Reading"), choices=Reading.choices, widget=forms.RadioSelect)
    recommendation = forms.ChoiceField(
        label=_("Recommendation"),
        required=False,
        choices=[NOT_STATED, *Recommendation.choices],
        help_text=_("Required to sign the reading malignant or cannot tell."),
    )
    likelihood = _number(_("Likelihood of malignancy, 0 to 100"), 0, 100)
    findings_text = forms.CharField(
        label=_("Findings (free text)"), max_length=8000, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    incidental = _choice(FINDING_LABELS["incidental"], CODES["incidental"].choices)
    known_primary = _choice(FINDING_LABELS["known_primary"], CODES["known_primary"].choices)
    bone_rads = forms.TypedChoiceField(
        label="Bone-RADS", required=False, coerce=int, empty_value=None, choices=[NOT_STATED, *BoneRads.choices]
    )
    disagreement_reason = _choice(_("Why you overrule the model"), DisagreementReason.choices)
    disagreement_text = _line(_("Reason (free text)"))
    tumour_grade = _choice(_("Grade (FNCLCC/WHO)"), TumourGrade.choices)
    tumour_stage = forms.ChoiceField(label=_("Stage (Enneking/MSTS)"), required=False, choices=STAGES)
    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    @property
    def has_findings(self) -> bool:
        """Whether the part of the form with the findings has something in it, or an error, so that it stands open."""
        names = ("number", "bone", "side", "part", "end", *SIZES, "margin", "matrix", "periosteum", "findings_text")
        return any(self[name].value() or self[name].errors for name in names)

    @property
    def has_bone_rads(self) -> bool:
        """As has_findings, for Bone-RADS."""
        return any(self[name].value() or self[name].errors for name in ("bone_rads", "incidental", "known_primary"))

    def structured(self) -> Structured:
        """The structured part of a valid form."""
        names = Structured.__dataclass_fields__
        given = {name: value for name, value in self.cleaned_data.items() if name in names}
        return Structured(findings=self.findings(), **given)

    def _typed(self) -> dict[str, str]:
        return {name: self.data[name] for name in self.data}

    def show_version(self, version: int) -> None:
        """Let the next submit of this form stand on the draft with this version."""
        self.data = {**self._typed(), "version": str(version)}

    def fill(self, template: ReadingTemplate) -> None:
        """Put a template's values where nothing is stated yet; what was typed stays."""
        given = initial_of_template(template)
        stated = {name: str(value) for name, value in given.items() if value not in (None, "")}
        self.data = {**self._typed(), **{name: value for name, value in stated.items() if not self.data.get(name)}}


class AddendumForm(forms.Form):
    """What is added after the signature, and why."""

    reason = forms.ChoiceField(label=_("Reason"), choices=[("", _("please choose")), *AddendumReason.choices])
    text = forms.CharField(label=_("Addendum"), max_length=8000, widget=forms.Textarea(attrs={"rows": 3}))


class TemplateForm(StructureForm):
    """A department's defaults for one kind of reading."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    body_part = forms.CharField(
        label=_("Body part"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"list": "body-parts"}),
        help_text=_("Listed first for examinations of this body part. Leave empty for all body parts."),
    )


def findings_of(cleaned: dict[str, Any]) -> Findings:
    """Findings from a form's clean values."""
    size = [value for name in SIZES if (value := cleaned.get(name))]
    return from_json({"size_mm": size} | {name: cleaned.get(name) or "" for name in CODES})


def initial_of_findings(stored: dict[str, Any]) -> dict[str, Any]:
    """The form's values for stored findings."""
    findings = from_json(stored)
    sizes = dict(zip(SIZES, findings.size_mm, strict=False))
    return {name: value for name in CODES if (value := getattr(findings, name))} | sizes


def initial_of_review(review: Review | None) -> dict[str, Any]:
    """The form's values for a draft."""
    if review is None:
        return {"version": 0}
    names = [name for name in ReadingForm.base_fields if hasattr(review, name)]
    return {name: getattr(review, name) for name in names} | initial_of_findings(review.findings)


def initial_of_template(template: ReadingTemplate) -> dict[str, Any]:
    """The form's values for a template."""
    names = ("impression", "recommendation", "recommendation_months", "recommendation_text")
    return {name: getattr(template, name) for name in names} | initial_of_findings(template.findings)
