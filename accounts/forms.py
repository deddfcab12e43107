"""Forms of the account, people, department, settings and audit pages; services judge what they hold."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Department, Language, OperatingPointChoice, PortalSettings, ReadingMode, Role

LONGEST_TOKEN = timedelta(days=3 * 366)
PERSON = forms.SearchInput(attrs={"placeholder": _("E-mail or name")})
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
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Which machine or program uses it."))
    expires_on = forms.DateField(label=_("Last day"), initial=default_expiry, widget=DATE)

    def clean_expires_on(self) -> date:
        day: date = self.cleaned_data["expires_on"]
        if day < timezone.localdate():
            raise forms.ValidationError(_("Choose a date to come."))
        if day > timezone.localdate() + LONGEST_TOKEN:
            raise forms.ValidationError(_("A token lasts three years at most."))
        return day


class PersonForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=150, required=False)
    roles = forms.MultipleChoiceField(label=_("Roles"), choices=Role.choices, widget=forms.CheckboxSelectMultiple)
    department = forms.ModelChoiceField(
        Department.objects.filter(is_active=True),
        label=_("Department"),
        required=False,
        empty_label=_("No department"),
        help_text=_("Doctors, clerks and API clients need one: they see its record and no other."),
    )


class NewPersonForm(PersonForm):
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    field_order = ["email", "name", "roles", "department"]


class PeopleFilterForm(forms.Form):
    q = forms.CharField(label=_("Search"), required=False, widget=PERSON)
    role = forms.ChoiceField(label=_("Role"), choices=[("", _("Any role")), *Role.choices], required=False)
    department = forms.ModelChoiceField(
        Department.objects.all(), label=_("Department"), required=False, empty_label=_("Any department")
    )
    state = forms.ChoiceField(
        label=_("State"),
        choices=[("", _("Any state")), ("active", _("Active")), ("deactivated", _("Deactivated"))],
        required=False,
    )


class DepartmentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)


class DepartmentEditForm(DepartmentForm):
    operating_point = forms.ChoiceField(
        label=_("Operating point"),
        choices=OperatingPointChoice.choices,
        required=False,
        help_text=_(
            "The cut-offs at which the model calls this department's new films. Rule-out misses fewer malignant "
            "tumours and raises more false alarms; the model page says how many. A model without a rule-out point "
            "answers at the balanced one. Each answer records which it was."
        ),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=Language.choices,
        required=False,
        help_text=_("Of reports and letters, and of the pages of whoever chose no other."),
    )
    reading_mode = forms.ChoiceField(
        label=_("The model's answer is shown"),
        choices=ReadingMode.choices,
        required=False,
        help_text=_(
            "After my own reading: each doctor locks an own reading of a case before any page, list, report or "
            "program of this doctor shows the answer. Trial: as before, and random allocation decides for each case "
            "whether the answer is shown then or only after the signature; while no trial runs, it is shown. A reading "
            "that is open keeps the mode in which it was opened."
        ),
    )


class SettingsForm(forms.ModelForm):
    class Meta:
        model = PortalSettings
        fields = ["institution_name", "contact", "tumour_centre"]
        labels = {
            "institution_name": _("Institution name"),
            "contact": _("Contact line for people who need help"),
            "tumour_centre": _("Bone tumour centre to refer to"),
        }
        help_texts = {
            "institution_name": _("Stands at the top of reports."),
            "contact": _("Shown on the sign-in page and in e-mails, such as a telephone number of the help desk."),
            "tumour_centre": _("Named in reports where a referral is advised."),
        }


class AuditFilterForm(forms.Form):
    action = forms.ChoiceField(label=_("Action"), required=False)
    person = forms.CharField(label=_("Person"), required=False, widget=PERSON)
    since = forms.DateField(label=_("From"), required=False, widget=DATE)
    until = forms.DateField(label=_("Until"), required=False, widget=DATE)
    allowed = forms.ChoiceField(
        label=_("Answer"), choices=[("", _("Any")), ("yes", _("Allowed")), ("no", _("Denied"))], required=False
    )
    object = forms.CharField(
        label=_("Object or case"),
        max_length=64,
        required=False,
        widget=forms.SearchInput(attrs={"placeholder": _("Id")}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = AuditEvent.objects.order_by("action").values_list("action", flat=True).distinct()
        choices = [("", _("Any action")), *((action, action.replace("_", " ")) for action in known)]
        self.fields["action"].choices = choices  # type: ignore[attr-defined]
