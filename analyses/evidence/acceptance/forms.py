"""Forms of site acceptance: set a run up, hand in films, accept a model."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.models import Department
from analyses.models import FilmsFrom
from analyses.record.forms import ReasonForm


class SetUpForm(forms.Form):
    """Which model is tried in which department, and on which films."""

    department = forms.ModelChoiceField(label=_("Department"), queryset=Department.objects.none())
    model = forms.ChoiceField(label=_("Model"))
    films_from = forms.ChoiceField(
        label=_("Films"), choices=FilmsFrom.choices, initial=FilmsFrom.FILES, widget=forms.RadioSelect
    )
    labels = forms.FileField(
        label=_("Label file"),
        required=False,
        allow_empty_file=True,
        help_text=_(
            "For uploaded films: a CSV file with the columns file, label (normal, benign or malignant) and, if "
            "patients have several films, patient. The films are uploaded in the next step."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = Department.objects.filter(is_active=True)
        self.fields["department"].queryset = active  # type: ignore[attr-defined]
        self.fields["model"].choices = [(key, key) for key in models]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("films_from") == FilmsFrom.FILES and not cleaned.get("labels"):
            self.add_error("labels", _("Choose the label file."))
        return cleaned


class ManyFiles(forms.FileInput):
    """A file input for several files, or for a folder."""

    allow_multiple_selected = True


class FilmsField(forms.FileField):
    """Several uploaded files; the service judges each."""

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:  # noqa: ARG002 (Django names it)
        return list(data or [])


class FilmsForm(forms.Form):
    """Films of a run; both fields are one to the server."""

    films = FilmsField(label=_("Films"), required=False, widget=ManyFiles(attrs={"multiple": True}))
    folder = FilmsField(
        label=_("or a folder with its sub-folders"),
        required=False,
        widget=ManyFiles(attrs={"multiple": True, "webkitdirectory": True}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["all"] = [*cleaned.get("films", []), *cleaned.get("folder", [])]
        if not cleaned["all"]:
            self.add_error("films", _("Choose films or a folder."))
        return cleaned


class AcceptForm(ReasonForm):
    """At which cut-offs a model is accepted, and why."""

    cut_offs = forms.ChoiceField(label=_("Cut-offs"), widget=forms.RadioSelect)
    field_order = ("cut_offs", "reason")

    def __init__(self, *args: Any, choices: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cut_offs"].choices = choices  # type: ignore[attr-defined]
        self.fields["cut_offs"].initial = choices[0][0] if choices else None
