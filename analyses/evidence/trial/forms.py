"""The form that starts a trial."""

from django import forms
from django.utils.translation import gettext_lazy as _


class TrialForm(forms.Form):
    """A trial to be started."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    planned_cases = forms.IntegerField(
        label=_("Planned cases"),
        min_value=2,
        max_value=100_000,
        help_text=_("Allocation stops at this number of cases. Later cases show the answer after the unaided reading."),
    )
