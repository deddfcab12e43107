"""Forms of the upload pages: a whole case, or further films of one."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from analyses.record.fields import CaseFields
from analyses.record.forms import PatientForm, SentOnceForm, StudyForm, to_case_fields

VIEW_POSITIONS = [
    ("", _("from file")),
    ("AP", "AP"),
    ("PA", "PA"),
    ("LATERAL", _("lateral")),
    ("OBLIQUE", _("oblique")),
    ("AXIAL", _("axial")),
]


class FilmForm(SentOnceForm):
    """What belongs to one film rather than to the case."""

    view_position = forms.ChoiceField(label=_("View"), required=False, choices=VIEW_POSITIONS)
    case_key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    together = forms.BooleanField(
        label=_("The films belong to this case"),
        required=False,
        help_text=_("Although their files name another patient or examination."),
    )
    again = forms.BooleanField(
        label=_("Analyse again"),
        required=False,
        help_text=_("Otherwise, a film already stored for this patient keeps its existing result."),
    )


class MultipleFileInput(forms.ClearableFileInput):
    """A picker for several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several files, in the order they were chosen; their content is the services' matter."""

    widget = MultipleFileInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:  # noqa: ARG002
        files = data if isinstance(data, list | tuple) else [data]
        present = [file for file in files if file]
        if not present:
            raise forms.ValidationError(_("Choose at least one film."), code="required")
        return present


class UploadForm(PatientForm, StudyForm, FilmForm):
    """A whole case as the upload page sends it."""

    image = FilesField(label=_("Films"))
    separate = forms.BooleanField(
        label=_("File as separate cases"),
        required=False,
        help_text=_("One case for each patient and examination that the files name."),
    )

    def to_fields(self) -> CaseFields:
        return to_case_fields(self.cleaned_data)


class AddFilmsForm(FilmForm):
    """Further films of a case that exists."""

    image = FilesField(label=_("Films"))

    def to_fields(self) -> CaseFields:
        return to_case_fields(self.cleaned_data)
