"""Forms of reader studies. Cases come as lines of text or as a CSV file: case id, truth."""

import csv
from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.csv_lines import SEPARATOR_LINE, decoded
from accounts.models import Department
from analyses.evidence.reader_studies.services import MAX_CASES, MAX_WASHOUT_DAYS, Row
from analyses.models import ReaderStudyReader, Reading, ReferenceTruth
from analyses.record.fields import MAX_REASON

MAX_CSV_BYTES = 256 * 1024
WASHOUT_DAYS = 28


class ReaderStudyForm(forms.Form):
    """A new reader study."""

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Visible to the readers. Do not enter patient data.")
    )
    department = forms.ModelChoiceField(
        label=_("Department"),
        queryset=Department.objects.none(),
        help_text=_("All cases and readers belong to this department."),
    )
    washout_days = forms.IntegerField(
        label=_("Wash-out in days"),
        min_value=0,
        max_value=MAX_WASHOUT_DAYS,
        initial=WASHOUT_DAYS,
        help_text=_("Time between a reader's last reading in session 1 and first reading in session 2."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["department"].queryset = Department.objects.filter(is_active=True)  # type: ignore[attr-defined]


class ReaderStudyCasesForm(forms.Form):
    """Cases with their truth, typed or as a file; ``cleaned_data["rows"]`` holds both, the file first."""

    file = forms.FileField(label=_("CSV file"), required=False, help_text=_("Columns: case id, truth."))
    lines = forms.CharField(
        label=_("Or one case per line"),
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "placeholder": _("case id, malignant")}),
        help_text=_("Truth: normal, benign or malignant. Empty lines and a header line are ignored."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        texts = {"file": self._file_text(cleaned.get("file")), "lines": cleaned.get("lines") or ""}
        cleaned["rows"] = [row for name, text in texts.items() for row in self._rows(name, text)]
        if not cleaned["rows"] and not self.errors:
            raise forms.ValidationError(gettext("Choose a file, or enter at least one case with its truth."))
        return cleaned

    def _rows(self, name: str, text: str) -> list[Row]:
        try:
            return parse_rows(text)
        except forms.ValidationError as error:
            self.add_error(name, error)
            return []

    def _file_text(self, file: Any) -> str:
        if not file:
            return ""
        if file.size > MAX_CSV_BYTES:
            self.add_error(
                "file", gettext("The case list is larger than %(most)s KB.") % {"most": MAX_CSV_BYTES // 1024}
            )
            return ""
        try:
            return decoded(file.read())
        except UnicodeDecodeError:
            self.add_error("file", gettext("The file is not UTF-8 text. Save the list as CSV (UTF-8)."))
            return ""


def parse_rows(text: str) -> list[Row]:
    """(case id, truth) of each line, parted by comma, semicolon or tab.

    A head line, empty lines and a first line ``sep=;`` are left out.

    Raises:
        ValidationError: a cell is longer than the parser takes.
    """
    found: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if number == 1 and SEPARATOR_LINE.match(line):
            continue
        mark = next((mark for mark in ("\t", ";", ",") if mark in line), ",")
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])]
        except csv.Error as error:
            message = gettext("Line %(line)s cannot be read: a quotation mark is not closed, or a cell is too long.")
            raise forms.ValidationError(message % {"line": number}) from error
        if not any(cells) or (not found and cells[0].lower() in ("case", "case id", "case_id")):
            continue
        found.append((cells[0], cells[1] if len(cells) > 1 else ""))
    return found


class DrawCasesForm(forms.Form):
    """How many cases of each outcome are to be drawn, and from when."""

    malignant = forms.IntegerField(label=_("Malignant cases"), required=False, min_value=0, max_value=MAX_CASES)
    benign = forms.IntegerField(label=_("Benign cases"), required=False, min_value=0, max_value=MAX_CASES)
    normal = forms.IntegerField(label=_("Normal cases"), required=False, min_value=0, max_value=MAX_CASES)
    since = forms.DateField(
        label=_("Outcome from"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("Outcome to"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Date of the pathology or follow-up, first and last day included. Leave empty for any date."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        return cleaned | {name: cleaned[name] or 0 for name in ReferenceTruth.values if name in cleaned}


class StudyReaderForm(forms.Form):
    """A doctor who is to read; ``doctors`` are those who may."""

    reader = forms.ChoiceField(label=_("Doctor"))

    def __init__(self, *args: Any, doctors: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reader"].choices = [(str(doctor.pk), doctor.email) for doctor in doctors]  # type: ignore[attr-defined]


class WaiveForm(forms.Form):
    """Let a reader begin session 2 early; ``readers`` are those whose wash-out is not waived."""

    waive = forms.ChoiceField(label=pgettext_lazy("reader study", "Reader"))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept in the audit log. The results state that the wash-out was waived."),
    )

    def __init__(self, *args: Any, readers: list[ReaderStudyReader], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["waive"].choices = [  # type: ignore[attr-defined]
            (str(row.pk), gettext("Reader %(number)s, %(email)s") % {"number": row.number, "email": row.user.email})
            for row in readers
        ]


class ReaderStudyReadingForm(forms.Form):
    """One reading; *cannot tell* has no likelihood."""

    reading = forms.ChoiceField(label=_("Reading"), choices=Reading.choices, widget=forms.RadioSelect)
    likelihood = forms.IntegerField(
        label=_("Likelihood of malignancy, 0 to 100"),
        required=False,
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text=_("0: certainly not malignant. 100: certainly malignant. Leave empty for cannot tell."),
    )
