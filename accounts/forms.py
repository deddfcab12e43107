"""Forms of the account, people, department, settings and audit pages; services judge what they hold."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Department, Language, OperatingPointChoice, PortalSettings, ReadingMode, Role

LONGEST_TOKEN = timedelta(days=3 * 366)
PERSON = forms.SearchInput(attrs={"placeholder": "E-mail or name"})
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def default_expiry() -> date:
    """The day on which a token ends unless another one is chosen."""
    return timezone.localdate() + settings.TOKEN_DEFAULT_LIFETIME


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        required=False,
        help_text=_("Stands in the trail and under what you sign."),
    )
    language = forms.ChoiceField(
        label=_("Language of the pages"),
        required=False,
        choices=[("", _("as the department")), *Language.choices],
        help_text=_("Reports and letters are written in the language of the department."),
    )


class TokenForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120, help_text="Which machine or program uses it.")
    expires_on = forms.DateField(label="Last day", initial=default_expiry, widget=DATE)

    def clean_expires_on(self) -> date:
        day: date = self.cleaned_data["expires_on"]
        if day < timezone.localdate():
            raise forms.ValidationError("Choose a date to come.")
        if day > timezone.localdate() + LONGEST_TOKEN:
            raise forms.ValidationError("A token lasts three years at most.")
        return day


class PersonForm(forms.Form):
    name = forms.CharField(label="Name", max_length=150, required=False)
    roles = forms.MultipleChoiceField(choices=Role.choices, widget=forms.CheckboxSelectMultiple)
    department = forms.ModelChoiceField(
        Department.objects.filter(is_active=True),
        required=False,
        empty_label="No department",
        help_text="Doctors, clerks and API clients need one: they see its record and no other.",
    )


class NewPersonForm(PersonForm):
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    field_order = ["email", "name", "roles", "department"]


class PeopleFilterForm(forms.Form):
    q = forms.CharField(label="Search", required=False, widget=PERSON)
    role = forms.ChoiceField(choices=[("", "Any role"), *Role.choices], required=False)
    department = forms.ModelChoiceField(Department.objects.all(), required=False, empty_label="Any department")
    state = forms.ChoiceField(
        choices=[("", "Any state"), ("active", "Active"), ("deactivated", "Deactivated")], required=False
    )


class DepartmentForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120)


class DepartmentEditForm(DepartmentForm):
    operating_point = forms.ChoiceField(
        label="Operating point",
        choices=OperatingPointChoice.choices,
        required=False,
        help_text="The cut-offs at which the model calls this department's new films. Rule-out misses fewer malignant "
        "tumours and raises more false alarms; the model page says how many. A model without a rule-out point answers "
        "at the balanced one. Each answer records which it was.",
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=Language.choices,
        required=False,
        help_text=_("Of reports and letters, and of the pages of whoever chose no other."),
    )
    reading_mode = forms.ChoiceField(
        label="The model's answer is shown",
        choices=ReadingMode.choices,
        required=False,
        help_text="After my own reading: each doctor locks an own reading of a case before any page, list, report or "
        "program of this doctor shows the answer. Trial: as before, and a lot decides for each case whether the answer "
        "is shown then or only after the signature; while no trial runs, it is shown. A reading that is open keeps the "
        "mode in which it was opened.",
    )


class SettingsForm(forms.ModelForm):
    class Meta:
        model = PortalSettings
        fields = ["institution_name", "contact", "tumour_centre"]
        help_texts = {
            "institution_name": "Stands at the top of reports.",
            "contact": "Shown on the sign-in page and in e-mails, such as a telephone number of the help desk.",
            "tumour_centre": "Named in reports where a referral is advised.",
        }


class AuditFilterForm(forms.Form):
    action = forms.ChoiceField(required=False)
    person = forms.CharField(required=False, widget=PERSON)
    since = forms.DateField(label="From", required=False, widget=DATE)
    until = forms.DateField(label="To", required=False, widget=DATE)
    allowed = forms.ChoiceField(
        label="Answer", choices=[("", "Any"), ("yes", "Allowed"), ("no", "Denied")], required=False
    )
    object = forms.CharField(
        label="Object or case",
        max_length=64,
        required=False,
        widget=forms.SearchInput(attrs={"placeholder": "Id"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = AuditEvent.objects.order_by("action").values_list("action", flat=True).distinct()
        choices = [("", "Any action"), *((action, action.replace("_", " ")) for action in known)]
        self.fields["action"].choices = choices  # type: ignore[attr-defined]
