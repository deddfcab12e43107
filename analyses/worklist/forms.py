"""Forms of assignment and second readings: they check what was typed and hand clean values to the services."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analyses.models import Reading
from analyses.worklist import assignment


class ColleagueField(forms.ModelChoiceField):
    """An active doctor of the user's department; the field's form sets whose."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Colleague"), queryset=User.objects.none(), empty_label=_("please choose"), required=True
        )


class HandOverForm(forms.Form):
    """To whom a case goes."""

    colleague = ColleagueField()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "hand_%s"
        self.fields["colleague"].queryset = assignment.colleagues_of(user)  # type: ignore[attr-defined]


class AskForm(forms.Form):
    """Whom to ask for a second reading, and what."""

    colleague = ColleagueField()
    question = forms.CharField(label=_("Question"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "ask_%s"
        self.fields["colleague"].queryset = assignment.colleagues_of(user)  # type: ignore[attr-defined]


class AnswerForm(forms.Form):
    """A second reading."""

    reading = forms.ChoiceField(label=_("Reading"), choices=Reading.choices, widget=forms.RadioSelect)
    likelihood = forms.IntegerField(
        label=_("Likelihood of malignancy, 0 to 100"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_("Leave empty for cannot tell."),
    )
    text = forms.CharField(label=_("Text"), required=False, max_length=8000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "second_%s"
