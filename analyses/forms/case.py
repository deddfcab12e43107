"""Forms of the pages: they check what was typed and hand clean values to the services, which write."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from analyses.models import Laterality, Sex
from analyses.services.fields import CaseFields

MODALITIES = [("", _("from file")), ("DX", "DX"), ("CR", "CR"), ("MR", "MR"), ("CT", "CT")]
VIEWS = [
    ("", _("from file")),
    ("AP", "AP"),
    ("PA", "PA"),
    ("LATERAL", _("lateral")),
    ("OBLIQUE", _("oblique")),
    ("AXIAL", _("axial")),
]
BODY_PARTS = (
    "ANKLE",
    "CLAVICLE",
    "ELBOW",
    "FEMUR",
    "FIBULA",
    "FOOT",
    "FOREARM",
    "HAND",
    "HIP",
    "HUMERUS",
    "KNEE",
    "PELVIS",
    "RADIUS",
    "RIB",
    "SCAPULA",
    "SHOULDER",
    "SPINE",
    "TIBIA",
    "ULNA",
    "WRIST",
)


class DateInput(forms.DateInput):
    """The browser's own date picker, which wants ISO dates."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _past_date(value: Any) -> None:
    if value and value > timezone.localdate():
        raise forms.ValidationError(_("This date lies in the future."))


def _text(label: Any, length: int, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=length, required=options.pop("required", False), **options)


def _date(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=DateInput(), validators=[_past_date])


class PatientForm(forms.Form):
    """Who the patient is."""

    patient_id = _text(_("Record number"), 64, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    patient_name = _text(_("Name"), 200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    patient_birth_date = _date(_("Birth date"))
    patient_sex = forms.ChoiceField(label=_("Sex"), required=False, choices=[("", _("not stated")), *Sex.choices])


class StudyForm(forms.Form):
    """What was examined and why."""

    accession_number = _text(_("Accession number"), 64)
    modality = forms.ChoiceField(label=_("Modality"), required=False, choices=MODALITIES)
    body_part_examined = _text(_("Body part"), 64, widget=forms.TextInput(attrs={"list": "body-parts"}))
    laterality = forms.ChoiceField(
        label=_("Side"), required=False, choices=[("", _("not stated")), *Laterality.choices]
    )
    study_date = _date(_("Date of the examination"))
    referring_physician_name = _text(_("Referring physician"), 200)
    clinical_question = _text(_("Clinical question"), 2000, widget=forms.Textarea(attrs={"rows": 2}))


class FilmForm(forms.Form):
    """What belongs to one film rather than to the case."""

    view_position = forms.ChoiceField(label=_("View"), required=False, choices=VIEWS)
    case_key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    again = forms.BooleanField(
        label=_("Analyse again"),
        required=False,
        help_text=_("A film that this patient already has is otherwise answered with its existing result."),
    )


class MultipleFileInput(forms.ClearableFileInput):
    """A picker for several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several files, in the order they were chosen; their content is the services' matter."""

    widget = MultipleFileInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data]
        present = [file for file in files if file]
        if not present:
            raise forms.ValidationError(_("Choose at least one film."), code="required")
        return present


class UploadForm(PatientForm, StudyForm, FilmForm):
    """A whole case as the upload page sends it."""

    image = FilesField(label=_("Films"))

    def to_fields(self) -> CaseFields:
        return to_case_fields(self.cleaned_data)


class AddFilmsForm(FilmForm):
    """Further films of a case that exists."""

    image = FilesField(label=_("Films"))

    def to_fields(self) -> CaseFields:
        return to_case_fields(self.cleaned_data)


class AssignForm(PatientForm):
    """Give an unassigned case its patient."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["patient_id"].required = True


class EditForm(StudyForm):
    """Correct what was typed about the examination."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["laterality"]  # the side is changed by a reassignment, with a reason
        # A file may have brought a modality that the form does not offer: leaving it alone must not clear it.
        codes = sorted({code for code, _ in MODALITIES if code} | {self.initial.get("modality") or "DX"})
        self.fields["modality"] = forms.ChoiceField(
            label=_("Modality"), required=False, choices=[("", _("not stated")), *((code, code) for code in codes)]
        )


class ReassignForm(PatientForm):
    """Move a case to the right patient or the right side; issued reports become void."""

    laterality = forms.ChoiceField(
        label=_("Side"), required=False, choices=[("", _("not stated")), *Laterality.choices]
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=120,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the trail with both identities."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["patient_id"].required = True


def to_case_fields(cleaned: dict[str, Any]) -> CaseFields:
    """The services' value object from whatever case fields a form has."""
    names = CaseFields.__dataclass_fields__
    return CaseFields(**{name: value for name, value in cleaned.items() if name in names})


def _reason_field(help_text: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return _text(_("Reason"), 200, required=True, help_text=help_text, widget=widget)


class ActivateForm(forms.Form):
    """Which installed model is to answer; ``models`` are the keys of those that are fit."""

    model = forms.ChoiceField(label=_("Model"))
    reason = _reason_field(_("Kept in the history, which every signed-in user can read on the model page."))

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "activate_%s"} | kwargs)
        self.fields["model"].choices = [(key, key) for key in models]  # type: ignore[attr-defined]


class RollBackForm(forms.Form):
    reason = _reason_field(_("What went wrong."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "roll_back_%s"} | kwargs)


class CompareForm(forms.Form):
    """Two installed models and how many of the newest films both are asked about."""

    model_a = forms.ChoiceField(label=_("First model"))
    model_b = forms.ChoiceField(label=_("Second model"))
    films = forms.IntegerField(label=_("Newest films"), min_value=1, max_value=1000, initial=100)

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("model_a", "model_b"):
            self.fields[name].choices = [(key, key) for key in models]  # type: ignore[attr-defined]
