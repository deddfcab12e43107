"""Forms of the account, people, department, settings and audit pages; services judge what they hold."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import (
    AuditEvent,
    Department,
    Language,
    OperatingPointChoice,
    PortalSettings,
    ReadingMode,
    Role,
    UnacceptedAnswers,
)

LONGEST_TOKEN = timedelta(days=3 * 366)
PERSON = forms.SearchInput(attrs={"placeholder": _("E-mail or name")})
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def default_expiry() -> date:
    """The day on which a token ends unless another one is chosen."""
    return timezone.localdate() + settings.TOKEN_DEFAULT_LIFETIME


def _title(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=60,
        required=False,
        help_text=_("Before the name in signatures, for example Dr or Prof."),
        widget=forms.TextInput(attrs={"autocomplete": "honorific-prefix"}),
    )


class OwnNameForm(forms.Form):
    """What a doctor is asked at the first sign-in."""

    title = _title(_("Your title"))
    name = forms.CharField(
        label=_("Your full name"),
        max_length=150,
        help_text=_("Printed in reports as the name of the doctor who signed."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class NameForm(forms.Form):
    title = _title(_("Your title"))
    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        required=False,
        help_text=_("Shown in the case history and next to your signature."),
    )
    language = forms.ChoiceField(
        label=_("Language of the pages"),
        required=False,
        choices=[("", _("same as department")), *Language.choices],
        help_text=_("Reports and letters are written in the language of the department."),
    )


class TokenForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("The machine or program that uses the token."))
    expires_on = forms.DateField(label=_("Valid until"), initial=default_expiry, widget=DATE)

    def clean_expires_on(self) -> date:
        day: date = self.cleaned_data["expires_on"]
        if day < timezone.localdate():
            raise forms.ValidationError(_("Choose a date in the future."))
        if day > timezone.localdate() + LONGEST_TOKEN:
            raise forms.ValidationError(_("A token is valid for at most three years."))
        return day


class PersonForm(forms.Form):
    title = _title(_("Title"))
    name = forms.CharField(label=_("Name"), max_length=150, required=False)
    roles = forms.MultipleChoiceField(label=_("Roles"), choices=Role.choices, widget=forms.CheckboxSelectMultiple)
    department = forms.ModelChoiceField(
        Department.objects.filter(is_active=True),
        label=_("Department"),
        required=False,
        empty_label=_("No department"),
        help_text=_("Required for doctors, report clerks and API clients, who see the cases of this department only."),
    )


class NewPersonForm(PersonForm):
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    field_order = ["email", "title", "name", "roles", "department"]


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
            "The cut-offs the model applies to new films of this department. The rule-out operating "
            "point misses fewer malignant tumours but raises more false alarms; the model page gives "
            "the figures. If a model has no rule-out operating point, the balanced one applies. Each "
            "answer records its operating point."
        ),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=Language.choices,
        required=False,
        help_text=_("Used for reports and letters, and for the pages of users who have not chosen a language."),
    )
    reading_mode = forms.ChoiceField(
        label=_("The model's answer is shown"),
        choices=ReadingMode.choices,
        required=False,
        help_text=_(
            "After my unaided reading: each doctor locks an unaided reading of the case before any "
            "page, list, report or program shows this doctor the answer. Trial: as above, but random "
            "allocation decides for each case whether the answer is shown at that point or only after"
            " the signature; it is shown while no trial is running. An open reading keeps the mode in"
            " which it was opened."
        ),
    )
    waits_for_answers = forms.BooleanField(
        label=_("Read a case only when every film has its answer"),
        required=False,
        help_text=_(
            "Otherwise a case can be read and signed while films still wait for their analysis; the report names them,"
            " and the reader is notified of each later answer. Cases of a trial always wait."
        ),
    )
    unaccepted_answers = forms.ChoiceField(
        label=_("Answers before site acceptance"),
        choices=UnacceptedAnswers.choices,
        required=False,
        help_text=_(
            "What happens to answers of a model that has not been accepted in this department. Withheld "
            "answers are kept and shown once the model is accepted, except in cases signed in the meantime. "
            "A change reaches unsigned cases within a minute."
        ),
    )


class SettingsForm(forms.ModelForm):
    class Meta:
        model = PortalSettings
        fields = ["institution_name", "contact", "tumour_centre"]
        labels = {
            "institution_name": _("Institution name"),
            "contact": _("Contact for help"),
            "tumour_centre": _("Bone tumour centre for referrals"),
        }
        help_texts = {
            "institution_name": _("Printed at the top of reports."),
            "contact": _(
                "Shown on the sign-in page and in e-mails, for example the telephone number of the help desk."
            ),
            "tumour_centre": _("Named in reports that advise a referral."),
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
