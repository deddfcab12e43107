"""Forms of the case page that correct the record: assign, edit, reassign, and what a film shows."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from analyses.case_page.corrections import REASSIGNMENT_REASON
from analyses.models import Laterality
from analyses.reading.film_move import MOVE_REASON
from analyses.record.forms import MODALITIES, PatientForm, StudyForm, reason_field
from inference.use.rules import RADIOGRAPHS


class AssignForm(PatientForm):
    """Give an unassigned case its patient."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["patient_id"].required = True


class EditForm(StudyForm):
    """Correct what was typed about the examination."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["laterality"]  # the side is changed by a reassignment, with a reason
        # A file may have brought a modality that the form does not offer: leaving it alone must not clear it.
        codes = sorted({code for code, _ in MODALITIES if code} | {self.initial.get("modality") or "DX"})
        self.fields["modality"] = forms.ChoiceField(
            label=_("Modality"), required=False, choices=[("", _("not stated")), *((code, code) for code in codes)]
        )


class MoveFilmForm(PatientForm):
    """Whose film it is that moves to its own case; unassigned where no number is stated."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=MOVE_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the history of both cases."),
    )


class TagsForm(StudyForm):
    """What a film shows where its tags say something else."""

    modality = forms.ChoiceField(label=_("Modality"), choices=[(code, code) for code in RADIOGRAPHS])
    reason = reason_field(_("Kept in the case history, for example: the examination was started with a wrong preset."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {name: self.fields[name] for name in ("modality", "body_part_examined", "reason")}
        self.fields["body_part_examined"].required = True


class ReassignForm(PatientForm):
    """Move a case to the right patient or the right side; issued reports become void."""

    laterality = forms.ChoiceField(
        label=_("Side"), required=False, choices=[("", _("not stated")), *Laterality.choices]
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASSIGNMENT_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the case history with both identities."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["patient_id"].required = True
