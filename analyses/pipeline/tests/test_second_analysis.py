"""A film that is asked again: which answer stands, and that nothing found or decided meanwhile is lost."""

import pytest

from analyses.answers.current import current_analyses, recheck
from analyses.case_page import corrections
from analyses.models import Patient, Study, Task
from analyses.pipeline import queue, running
from analyses.pipeline.reanalysis import reanalyse_case
from inference.errors import DecodeError

pytestmark = pytest.mark.django_db
HEADER = {"patient_id": "R1", "patient_name": "DOE JANE", "patient_birth_date": "1980-01-02", "patient_sex": "F"}


def test_a_film_with_a_remark_is_answered_as_well_the_second_time(analyse, decoder, department):
    decoder.warnings = ["burned_in_annotation", "burned_in_annotation", "window_out_of_range"]
    decoder.identity = HEADER
    first = analyse()
    assert [entry["code"] for entry in first.warnings] == ["burned_in_annotation", "window_out_of_range"]
    reanalyse_case(first.image.study_id)
    decoder.warnings = ["burned_in_annotation"]
    again = first.image.analyses.exclude(pk=first.pk).get()
    running.run(again.pk, "w")
    again.refresh_from_db()
    assert (again.status, again.error_code, again.outcome) == ("succeeded", "", first.outcome)
    assert [entry["code"] for entry in again.warnings] == ["burned_in_annotation"], "those of the newest decoding"


def test_a_second_analysis_that_fails_leaves_the_first_answer_standing(analyse, decoder):
    first = analyse()
    study = first.image.study
    before = Study.objects.values("status", "outcome", "malignant_probability").get(pk=study.pk)
    reanalyse_case(study.pk)
    again = first.image.analyses.exclude(pk=first.pk).get()
    assert current_analyses(study, Task.TUMOUR) == [again], "while it is asked, the case waits for it"
    decoder.error = DecodeError("corrupt", "The film is damaged.")
    running.run(again.pk, "w")
    again.refresh_from_db()
    assert again.status == "failed"
    assert current_analyses(study, Task.TUMOUR) == [first]
    assert Study.objects.values("status", "outcome", "malignant_probability").get(pk=study.pk) == before


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_contradiction_that_arose_while_a_film_was_asked_again_is_not_lost_with_the_second_analysis(
    analyse, decoder, doctor, how
):
    decoder.identity, decoder.warnings = HEADER, ["burned_in_annotation"]
    first = analyse()
    assert first.open_warnings == []
    reanalyse_case(first.image.study_id)
    again = first.image.analyses.exclude(pk=first.pk).get()
    Patient.objects.update(patient_birth_date="1999-09-09")
    recheck(Study.objects.get())
    if how == "cancelled":
        queue.cancel(again, doctor)
    else:
        decoder.error = DecodeError("corrupt", "The film is damaged.")
        running.run(again.pk, "w")
    assert current_analyses(first.image.study, Task.TUMOUR) == [first]
    first.refresh_from_db()
    assert [entry["code"] for entry in first.open_warnings] == ["patient_birth_date_mismatch"]
    assert "burned_in_annotation" in [entry["code"] for entry in first.warnings], "its own remark stays"


def test_what_was_decided_on_the_answer_that_stands_stays_decided_when_the_second_analysis_is_tried_again(
    analyse, decoder, doctor
):
    decoder.identity = HEADER
    first = analyse()
    reanalyse_case(first.image.study_id)
    again = first.image.analyses.exclude(pk=first.pk).get()
    Patient.objects.update(patient_birth_date="1999-09-09")
    recheck(Study.objects.get())
    queue.cancel(again, doctor)
    first.refresh_from_db()
    corrections.confirm_identity(first, "patient_birth_date", "file", doctor)
    queue.retry(again, doctor)
    assert current_analyses(first.image.study, Task.TUMOUR) == [again]
    assert again.open_warnings == []
