"""Forms for outcomes and for drift monitoring."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.evidence.outcomes.services import MAX_SOURCE, MAX_SUBTYPE, OutcomeFields, fields_of
from analyses.models import CaseOutcome, Truth, TruthMethod, TumourGrade
from analyses.reading.forms import NOT_STATED, STAGES
from analyses.record.forms import DateInput


class OutcomeForm(forms.Form):
    """Pathology or follow-up of one case."""

    truth = forms.ChoiceField(label=_("Diagnosis"), choices=Truth.choices, widget=forms.RadioSelect)
    method = forms.ChoiceField(label=_("Established by"), choices=TruthMethod.choices)
    established_on = forms.DateField(label=_("Date"), widget=DateInput())
    source = forms.CharField(
        label=_("Source"),
        max_length=MAX_SOURCE,
        required=False,
        help_text=_("Laboratory or clinic and its reference number. Do not enter a patient name."),
    )
    subtype = forms.CharField(
        label=_("Subtype"), max_length=MAX_SUBTYPE, required=False, widget=forms.TextInput(attrs={"list": "subtypes"})
    )
    tumour_grade = forms.ChoiceField(
        label=_("Grade (FNCLCC/WHO)"), required=False, choices=[NOT_STATED, *TumourGrade.choices]
    )
    tumour_stage = forms.ChoiceField(label=_("Stage (Enneking/MSTS)"), required=False, choices=STAGES)
    seen_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, current: CaseOutcome | None = None, **kwargs: Any) -> None:
        initial = vars(fields_of(current)) | {"seen_version": current.version} if current else {"seen_version": 0}
        super().__init__(*args, **{"auto_id": "outcome_%s", "initial": initial} | kwargs)

    def to_fields(self) -> OutcomeFields:
        return OutcomeFields(**{name: self.cleaned_data[name] for name in OutcomeFields.__dataclass_fields__})


class OutcomeFileForm(forms.Form):
    """A file of outcomes."""

    file = forms.FileField(
        label=_("File"), allow_empty_file=True, widget=forms.FileInput(attrs={"accept": ".csv,text/csv"})
    )
    correct = forms.BooleanField(
        label=_("Allow corrections of existing outcomes"),
        required=False,
        help_text=_("Each correction is stored as a new version; earlier versions remain readable."),
    )
