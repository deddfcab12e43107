"""The form that answers an alarm of drift monitoring."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.record.forms import ReasonForm


class AlarmForm(ReasonForm):
    """What was found behind an alarm."""

    accepted = forms.BooleanField(
        label=_("This is how the site is"),
        required=False,
        help_text=_("From now on this figure is compared with the site's own films up to this window."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("What was found")
