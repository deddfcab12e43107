"""Forms of the pages: they check what was typed and hand clean values to the services, which write."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from analyses.models import Laterality, Sex
from analyses.record.fields import MAX_REASON, CaseFields

MODALITIES = [("", _("from file")), ("DX", "DX"), ("CR", "CR"), ("MR", "MR"), ("CT", "CT")]
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
    # One day of grace, as the services give: it may be tomorrow already where the reader sits.
    if value and value > timezone.localdate() + timedelta(days=1):
        raise forms.ValidationError(_("This date is in the future."))


def _text(label: Any, length: int, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=length, required=options.pop("required", False), **options)


def _date(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=DateInput(), validators=[_past_date])


class SentOnceForm(forms.Form):
    """Refuses a field that is sent twice: of two values the last would win without a word."""

    def clean(self) -> dict[str, Any] | None:
        values: Any = getattr(self.data, "getlist", lambda _name: [])
        for name in self.fields:
            if len(values(self.add_prefix(name))) > 1:
                self.add_error(name, _("This field was sent more than once."))
        return super().clean()


class PatientForm(SentOnceForm):
    """Who the patient is."""

    patient_id = _text(_("Record number"), 64, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    patient_name = _text(_("Name"), 200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    patient_birth_date = _date(_("Birth date"))
    patient_sex = forms.ChoiceField(label=_("Sex"), required=False, choices=[("", _("not stated")), *Sex.choices])


class StudyForm(SentOnceForm):
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


def to_case_fields(cleaned: dict[str, Any]) -> CaseFields:
    """The services' value object from whatever case fields a form has."""
    names = CaseFields.__dataclass_fields__
    return CaseFields(**{name: value for name, value in cleaned.items() if name in names})


def reason_field(help_text: Any = "") -> forms.CharField:
    """Why something is done, in a line."""
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return _text(_("Reason"), MAX_REASON, required=True, help_text=help_text, widget=widget)


class ReasonForm(forms.Form):
    """Why something is done to the model; kept, and readable on the page."""

    reason = reason_field()

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": f"{name}_%s"} | kwargs)
