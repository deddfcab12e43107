"""The form of the unaided reading, before the model's answer."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.models import Reading


class RegionField(forms.CharField):
    """A box on a film as JSON (``{"image": id, "box": [x0, y0, x1, y1]}``, fractions), or nothing."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=300, widget=forms.HiddenInput)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(gettext("The region is invalid. Draw it again.")) from error


class UnaidedReadingForm(forms.Form):
    """What the doctor sees before the model's answer; whether it is complete is the service's matter."""

    reading = forms.ChoiceField(choices=Reading.choices, required=False, widget=forms.RadioSelect)
    likelihood = forms.IntegerField(
        label=_("Likelihood of malignancy, 0 to 100"),
        required=False,
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    region = RegionField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "own_%s"} | kwargs)
