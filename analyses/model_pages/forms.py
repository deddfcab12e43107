"""Forms of the registry's pages: activate a model, roll back, compare two."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.record.forms import reason_field


class ActivateForm(forms.Form):
    """Which installed model is to answer; ``models`` are the keys of those that are fit."""

    model = forms.ChoiceField(label=_("Model"))
    reason = reason_field(_("Kept in the history on the model page, which every signed-in user can read."))

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "activate_%s"} | kwargs)
        self.fields["model"].choices = [(key, key) for key in models]  # type: ignore[attr-defined]


class RollBackForm(forms.Form):
    reason = reason_field(_("What went wrong."))

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
