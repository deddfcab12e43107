"""Finding reports: what a clerk or a doctor can ask for, and the cases that answer."""

from typing import Any

from django import forms
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from accounts.permissions import Action, may
from analyses.blinding.rules import hidden_cases
from analyses.models import SIGNED_STATES, Reading, Report, Study
from analyses.record.search import matching


def may_see_unsigned(user: User) -> bool:
    """Whether preliminary reports too; a clerk who is no doctor gets signed ones only, as in ``Report.for_user``."""
    clerk_only = user.has_role(Role.CLERK) and not user.has_role(Role.DOCTOR)
    return may(user, Action.DOWNLOAD_ANY_REPORT) and not clerk_only


def reportable(user: User) -> QuerySet[Study]:
    """The cases whose report this user may be given: signed ones; for a doctor also those with an earlier report,
    unless the doctor must not see the model's answer yet."""
    cases: QuerySet[Study] = Study.objects.for_user(user)
    if may_see_unsigned(user):
        issued = Report.objects.filter(study=OuterRef("pk"))
        return cases.filter(Q(reading_state__in=SIGNED_STATES) | Exists(issued)).exclude(hidden_cases(user))
    return cases.filter(reading_state__in=SIGNED_STATES)


def _date(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class ReportSearchForm(forms.Form):
    """The filter bar of the reports page; every field is optional."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Record, name or accession number")}),
    )
    signed_from = _date(_("Signed from"))
    signed_to = _date(_("to"))
    reading = forms.ChoiceField(label=_("Reading"), required=False, choices=[("", _("any")), *Reading.choices])
    reader = forms.ModelChoiceField(
        label=_("Signed by"), required=False, queryset=User.objects.none(), empty_label=_("any")
    )
    kind = forms.ChoiceField(
        label=_("Report"),
        required=False,
        choices=[("", _("any")), ("signed", _("signed")), ("preliminary", _("preliminary"))],
    )

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        self.user = user
        self.cases = reportable(user)
        readers = self.cases.filter(review__signed_at__isnull=False).values("review__reader")
        self.fields["reader"].queryset = User.objects.filter(pk__in=readers)  # type: ignore[attr-defined]
        if not may_see_unsigned(user):
            del self.fields["kind"]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is asked for, so that an empty list can say why it is empty."""
        return any(self.data.get(name) for name in self.fields)

    def rows(self) -> QuerySet[Study]:
        """The cases asked for, last signed first; none when a field is not understood."""
        if not self.is_valid():
            return self.cases.none()
        asked = self.cleaned_data
        rows = matching(self.cases, asked["q"])
        exact = {
            "review__signed_at__date__gte": asked["signed_from"],
            "review__signed_at__date__lte": asked["signed_to"],
            "review__reader": asked["reader"],
        }
        rows = rows.filter(**{lookup: value for lookup, value in exact.items() if value})
        if asked["reading"]:
            rows = rows.filter(review__reading=asked["reading"], review__signed_at__isnull=False)
        if asked.get("kind") == "signed":
            rows = rows.filter(reading_state__in=SIGNED_STATES)
        elif asked.get("kind") == "preliminary":
            rows = rows.exclude(reading_state__in=SIGNED_STATES)
        return rows.select_related("patient", "department", "review__reader").order_by(
            F("review__signed_at").desc(nulls_last=True), "-created_at", "id"
        )
