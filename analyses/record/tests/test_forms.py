"""What the forms of the pages accept."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from analyses.case_page.forms import AssignForm, EditForm, ReassignForm
from analyses.intake.forms import UploadForm
from analyses.reading.forms import ReadingForm


def files(*names):
    return MultiValueDict({"image": [SimpleUploadedFile(name, b"x") for name in names]})


def test_an_upload_needs_nothing_but_a_film():
    form = UploadForm({}, files("a.png", "b.png"))
    assert form.is_valid()
    assert [file.name for file in form.cleaned_data["image"]] == ["a.png", "b.png"]
    assert form.to_fields().patient_id == ""


def test_an_upload_without_a_film_is_refused():
    assert "image" in UploadForm({"patient_id": "1"}, files()).errors


def test_dates_in_the_future_are_refused_and_today_is_accepted():
    today = timezone.localdate()
    later = (today + timedelta(days=2)).isoformat()
    assert "study_date" in UploadForm({"study_date": later}, files("a.png")).errors
    # Today, and what is today east of here.
    for day in (today, today + timedelta(days=1)):
        assert UploadForm({"study_date": day.isoformat()}, files("a.png")).is_valid()


def test_every_case_field_reaches_the_services():
    typed = {
        "patient_id": "40-1",
        "patient_name": "PATIENT 0001",
        "patient_birth_date": "1990-05-17",
        "patient_sex": "F",
        "accession_number": "A-1",
        "modality": "DX",
        "body_part_examined": "KNEE",
        "laterality": "L",
        "view_position": "AP",
        "study_date": "2026-03-02",
        "referring_physician_name": "Dr",
        "clinical_question": "Pain",
    }
    form = UploadForm(typed, files("a.png"))
    assert form.is_valid()
    fields = form.to_fields()
    assert {name: str(getattr(fields, name)) for name in typed} == typed


@pytest.mark.parametrize("form", [AssignForm, ReassignForm])
def test_a_patient_needs_a_record_number(form):
    assert "patient_id" in form({"reason": "wrong"}).errors


def test_a_reassignment_needs_a_reason():
    assert "reason" in ReassignForm({"patient_id": "1"}).errors


def test_the_side_is_not_edited_but_reassigned():
    assert "laterality" not in EditForm().fields


@pytest.mark.parametrize("word", ["", "healthy", "withheld"])
def test_a_reading_is_one_of_four_words(word):
    assert "reading" in ReadingForm({"reading": word}).errors


def test_grade_and_stage_may_be_left_out_and_are_one_of_their_codes():
    form = ReadingForm({"reading": "malignant"})
    assert form.is_valid()
    assert (form.cleaned_data["tumour_grade"], form.cleaned_data["tumour_stage"]) == ("", "")
    assert ReadingForm({"reading": "malignant", "tumour_grade": "GX", "tumour_stage": "IIB"}).is_valid()
    wrong = ReadingForm({"reading": "malignant", "tumour_grade": "G4", "tumour_stage": "IV"})
    assert set(wrong.errors) == {"tumour_grade", "tumour_stage"}
