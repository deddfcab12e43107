"""The case page: what it shows, what can be done on it, and who may."""

import re
import uuid

import pytest

from accounts.models import AuditEvent, Department
from analyses.models import Review, Study
from analyses.reading import services as reading
from analyses.tests.factories import ADVISED, AnalysisFactory, ImageFactory, PatientFactory, StudyFactory, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


@pytest.fixture
def study(department) -> Study:
    patient = PatientFactory(department=department, patient_id="40-1187-22", patient_name="PATIENT 0001")
    return StudyFactory(patient=patient, owner=department, clinical_question="Night pain")


def url(study, tail="") -> str:
    return f"/cases/{study.pk}/{tail}"


def waiting(study):
    return AnalysisFactory(image=ImageFactory(study=study))


def contradicted(study):
    analysis = result("malignant", study=study)
    analysis.warnings = [
        {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    ]
    analysis.save()
    film = analysis.image
    film.typed, film.header = {"patient_name": "PATIENT 0001"}, {"patient_name": "OTHER^ONE"}
    film.save()
    return analysis


def test_the_page_names_patient_study_answer_and_operating_point(web, study):
    result("malignant", study=study)
    text = web.get(url(study)).content.decode()
    for words in ("Record 40-1187-22", "PATIENT 0001", "Night pain", "Suspicious for malignancy", "bone tumour centre"):
        assert words in text
    assert "operating point of 0.30" in text
    assert "Probability of malignancy 0.80" in text


def test_no_page_carries_a_style_attribute_or_an_inline_script(web, study):
    result("malignant", study=study)
    for address in (url(study), "/cases/", "/upload/", "/model/", url(study, "reassign/")):
        text = web.get(address).content.decode()
        assert " style=" not in text
        assert "<style" not in text
        assert "<script>" not in text
        assert "onclick" not in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("benign", "Not an all-clear"),
        ("normal", "misses small lesions"),
        ("not_analysable", "did not recognise a bone radiograph"),
        ("failed", "Export it again."),
    ],
)
def test_every_end_state_says_what_it_means_or_what_to_do(web, study, outcome, words):
    result(outcome, study=study)
    assert words in web.get(url(study)).content.decode()


def test_the_most_suspicious_film_stands_first_and_another_can_be_chosen(web, study):
    normal = result("normal", study=study)
    malignant = result("malignant", study=study)
    first = web.get(url(study)).context
    assert [film.analysis.pk for film in first["films"]] == [malignant.pk, normal.pk]
    assert first["analysis"].pk == malignant.pk
    assert web.get(url(study, f"?film={normal.image_id}")).context["analysis"].pk == normal.pk
    assert web.get(url(study, "?film=rubbish")).context["analysis"].pk == malignant.pk


def test_an_older_answer_to_the_same_film_is_kept_beside_the_newest(web, study):
    old = result("normal", study=study)
    new = result("benign", image=old.image)
    context = web.get(url(study)).context
    assert context["analysis"].pk == new.pk
    assert [analysis.pk for analysis in context["film"].earlier] == [old.pk]


def test_opening_a_case_is_in_the_log_and_in_its_trail(web, study, doctor):
    result("normal", study=study)
    response = web.get(url(study))
    event = AuditEvent.objects.get(action="view_case")
    assert (event.user, event.case_id, event.subject) == (doctor, study.pk, "40-1187-22")
    assert "case opened" in response.content.decode()


def test_a_case_of_another_department_is_not_found_and_the_attempt_is_recorded(web, other_department):
    foreign = StudyFactory(patient=PatientFactory(department=other_department), owner=other_department)
    assert web.get(url(foreign)).status_code == 404
    assert AuditEvent.objects.filter(action="access_denied", object_id=str(foreign.pk), allowed=False).exists()


def test_a_case_that_never_was_is_not_found_without_a_line_in_the_log(web):
    assert web.get(f"/cases/{uuid.uuid4()}/").status_code == 404
    assert not AuditEvent.objects.filter(action="access_denied").exists()


@pytest.mark.parametrize("role", ["clerk", "api_client", "administrator", "auditor"])
def test_only_doctors_open_cases(client, request, study, role):
    client.force_login(request.getfixturevalue(role))
    assert client.get(url(study)).status_code == 403


def test_the_poll_sends_progress_while_nothing_new_came(web, study):
    analysis = waiting(study)
    seen = web.get(url(study)).context["change_marker"]
    response = web.get(url(study, f"films/{analysis.pk}/panel/?seen={seen}"))
    text = response.content.decode()
    assert 'hx-trigger="every 2s"' in text
    assert "Next in the queue" in text
    assert "HX-Retarget" not in response
    assert not AuditEvent.objects.filter(action="view_case").exclude(detail={}).exists()


def test_the_poll_brings_the_whole_body_once_and_then_ends(web, study):
    analysis = waiting(study)
    seen = web.get(url(study)).context["change_marker"]
    analysis.delete()
    analysis = result("malignant", study=study)
    response = web.get(url(study, f"films/{analysis.pk}/panel/?seen={seen}"))
    assert response["HX-Retarget"] == "#case-body"
    assert "case-poll" not in response.content.decode()
    assert "Suspicious for malignancy" in response.content.decode()


def test_the_poll_of_a_film_that_is_not_of_the_case_is_not_found(web, study, department):
    other = waiting(StudyFactory(patient=PatientFactory(department=department), owner=department))
    waiting(study)
    assert web.get(url(study, f"films/{other.pk}/panel/")).status_code == 404


def test_where_the_department_waits_the_reading_opens_when_every_film_has_its_answer(web, study):
    result("normal", study=study)
    waiting(study)
    Department.objects.update(waits_for_answers=True)
    assert "The reading opens when every film has an answer; 1 of 2 pending" in web.get(url(study)).content.decode()


def test_where_the_department_does_not_wait_the_page_says_how_many_films_have_no_answer_yet(web, study):
    result("normal", study=study)
    waiting(study)
    text = web.get(url(study)).content.decode()
    assert "1 of 2 films have no answer yet." in text
    assert 'name="reading"' in text


def test_a_reading_is_saved_as_preliminary(web, study):
    result("malignant", study=study)
    sent = {"reading": "benign", "impression": "Fibroma.", "action": "save", "model_reading": "malignant"}
    assert web.post(url(study, "reading/"), sent).status_code == 302
    review = Review.objects.get(study=study)
    assert (review.reading, review.agrees_with_model, review.is_signed) == ("benign", False, False)
    assert "Overrules the model." in web.get(url(study)).content.decode()


def test_signing_locks_the_reading_and_leaves_only_the_addendum(web, study):
    result("malignant", study=study)
    web.post(
        url(study, "reading/"),
        {"reading": "malignant", "recommendation": "refer", "impression": "Sarcoma.", "action": "sign"},
    )
    text = web.get(url(study)).content.decode()
    assert "Signed by" in text
    assert "Add an addendum" in text
    assert 'name="reading"' not in text
    again = web.post(url(study, "reading/"), {"reading": "normal", "impression": "", "action": "save"})
    assert again.status_code == 409
    assert Review.objects.get(study=study).reading == "malignant"


def test_grade_and_stage_are_closed_until_stated_and_stay_on_the_signed_page(web, study):
    result("malignant", study=study)
    text = web.get(url(study)).content.decode()
    assert re.search(r"<details>\s*<summary>Grade and stage</summary>", text)
    assert "Entered by the doctor; the model does not fill these fields." in text
    sent = {"reading": "malignant", "impression": "", "tumour_grade": "G3", "tumour_stage": "IIB", "action": "save"}
    web.post(url(study, "reading/"), sent)
    text = web.get(url(study)).content.decode()
    assert re.search(r"<details open>\s*<summary>Grade and stage</summary>", text)
    assert '<option value="IIB" selected>' in text
    web.post(url(study, "reading/"), sent | {"recommendation": "mr", "action": "sign"})
    text = web.get(url(study)).content.decode()
    assert "<dd>G3, high grade</dd>" in text
    assert "<dd>IIB, high grade, extracompartmental</dd>" in text


def test_a_stage_that_contradicts_the_reading_is_refused_beside_its_field_and_nothing_is_signed(web, study):
    result("malignant", study=study)
    sent = {"reading": "benign", "impression": "Fibroma.", "tumour_stage": "IIA", "action": "sign"}
    response = web.post(url(study, "reading/"), sent)
    assert response.status_code == 400
    assert "apply to malignant tumours" in response.context["reading_form"].errors["tumour_stage"][0]
    text = response.content.decode()
    assert '<option value="IIA" selected>' in text
    assert "Fibroma." in text
    assert 'aria-invalid="true"' in text
    assert not Review.objects.exists()


def test_a_reading_of_an_answer_that_has_changed_since_is_refused(web, study):
    result("malignant", study=study)
    sent = {"reading": "benign", "impression": "", "action": "save", "model_reading": "benign"}
    response = web.post(url(study, "reading/"), sent)
    assert response.status_code == 409
    assert "changed" in response.content.decode()


def test_a_reading_without_a_choice_keeps_what_was_typed(web, study):
    result("malignant", study=study)
    response = web.post(url(study, "reading/"), {"impression": "Long text", "action": "sign"})
    assert response.status_code == 400
    assert "Long text" in response.content.decode()


def test_an_addendum_is_added_to_a_signed_reading_only(web, study, doctor):
    result("malignant", study=study)
    assert web.post(url(study, "addendum/"), {"text": "Later", "reason": "correction"}).status_code == 409
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, impression="")
    reading.sign(study, doctor)
    assert web.post(url(study, "addendum/"), {"text": ""}).status_code == 400
    assert web.post(url(study, "addendum/"), {"text": "Seen again.", "reason": "correction"}).status_code == 302
    assert "Seen again." in web.get(url(study)).content.decode()


def test_cancel_and_retry_follow_the_state_and_refuse_otherwise(web, study):
    analysis = waiting(study)
    assert "Cancel analysis" in web.get(url(study)).content.decode()
    assert web.post(url(study, f"films/{analysis.pk}/cancel/")).status_code == 302
    analysis.refresh_from_db()
    assert analysis.status == "cancelled"
    assert web.post(url(study, f"films/{analysis.pk}/cancel/")).status_code == 409
    assert web.post(url(study, f"films/{analysis.pk}/retry/")).status_code == 302
    analysis.refresh_from_db()
    assert analysis.status == "queued"


def test_a_film_of_another_case_cannot_be_cancelled_through_this_one(web, study, department):
    other = waiting(StudyFactory(patient=PatientFactory(department=department), owner=department))
    assert web.post(url(study, f"films/{other.pk}/cancel/")).status_code == 404
    other.refresh_from_db()
    assert other.status == "queued"


def test_a_contradiction_is_shown_with_both_values_and_holds_the_report_back(web, study):
    contradicted(study)
    text = web.get(url(study)).content.decode()
    assert "the name differs" in text
    assert "File: OTHER, ONE" in text
    assert "The report is available after the contradictions above have been resolved" in text


def test_confirming_one_side_frees_the_report(web, study):
    analysis = contradicted(study)
    sent = {"field": "patient_name", "choice": "typed"}
    assert web.post(url(study, f"films/{analysis.pk}/confirm/"), sent).status_code == 302
    text = web.get(url(study)).content.decode()
    assert "the name differs" not in text
    assert "Download preliminary report" in text


def test_an_unknown_choice_is_refused(web, study):
    analysis = contradicted(study)
    response = web.post(url(study, f"films/{analysis.pk}/confirm/"), {"field": "patient_name", "choice": "both"})
    assert response.status_code == 400
    assert "Could not be completed" in response.content.decode()


def test_a_case_whose_films_all_failed_says_why_there_is_no_report(web, study):
    result("failed", study=study)
    assert "There is no result to report" in web.get(url(study)).content.decode()


def test_reassigning_needs_a_reason_and_moves_the_case(web, study):
    result("malignant", study=study)
    sent = {"patient_id": "40-9", "patient_name": "PATIENT 0009", "laterality": "R", "reason": ""}
    assert web.post(url(study, "reassign/"), sent).status_code == 400
    assert web.post(url(study, "reassign/"), sent | {"reason": "Label swapped"}).status_code == 302
    study.refresh_from_db()
    assert (study.patient.patient_id, study.laterality) == ("40-9", "R")


def test_the_reassign_form_is_filled_with_what_stands_now(web, study):
    text = web.get(url(study, "reassign/")).content.decode()
    assert 'value="40-1187-22"' in text
    assert 'value="1990-05-17"' in text


def test_an_unassigned_case_is_assigned(web, department):
    study = StudyFactory(patient=None, owner=department, department=department)
    result("normal", study=study)
    assert "Assign patient" in web.get(url(study)).content.decode()
    assert web.post(url(study, "assign/"), {"patient_id": ""}).status_code == 400
    assert web.post(url(study, "assign/"), {"patient_id": "40-5"}).status_code == 302
    study.refresh_from_db()
    assert study.patient.patient_id == "40-5"


def test_editing_keeps_a_modality_that_the_form_does_not_offer(web, study):
    Study.objects.filter(pk=study.pk).update(modality="RG")
    text = web.get(url(study, "edit/")).content.decode()
    assert '<option value="RG" selected>' in text
    sent = {"accession_number": "A-2", "modality": "RG", "body_part_examined": "KNEE", "study_date": "2026-03-02"}
    assert web.post(url(study, "edit/"), sent).status_code == 302
    study.refresh_from_db()
    assert (study.accession_number, study.modality) == ("A-2", "RG")


def test_a_signed_case_cannot_be_edited(web, study, doctor):
    result("malignant", study=study)
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED, impression="")
    reading.sign(study, doctor)
    response = web.post(url(study, "edit/"), {"accession_number": "A-3", "modality": "DX"})
    assert response.status_code == 409
    assert "signed" in response.content.decode()


@pytest.mark.parametrize("tail", ["reading/", "addendum/", "reassign/", "assign/", "edit/"])
def test_a_case_of_another_department_cannot_be_changed(web, other_department, tail):
    foreign = StudyFactory(patient=PatientFactory(department=other_department), owner=other_department)
    assert web.post(url(foreign, tail), {"reading": "normal"}).status_code == 404
