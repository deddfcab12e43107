"""The form that answers an alarm of drift monitoring."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.record.forms import ReasonForm


class AlarmForm(ReasonForm):
    """What was found behind an alarm."""

    accepted = forms.BooleanField(
        label=_("The change reflects this site"),
        required=False,
        help_text=_("Future windows are compared with the films of this site up to this window."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Finding")
