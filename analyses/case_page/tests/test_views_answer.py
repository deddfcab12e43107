"""What the case page shows of an answer: outline, subtypes, withheld, operating point, version, saliency, spacing."""

import pytest

from analyses.answers.wording import NOT_AN_ANSWER
from analyses.models import Review, Study
from analyses.tests.factories import REGION, SUBTYPES, PatientFactory, StudyFactory, png_bytes, result

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


def test_an_outline_lies_over_the_film_with_its_version_its_size_and_a_switch(web, study):
    spaced = {"image__pixel_spacing_mm": [0.2, 0.1], "image__spacing_source": "calibrated"}
    result("malignant", study=study, regions=[REGION], image__film_bytes=png_bytes(400, 1000), **spaced)
    text = web.get(url(study)).content.decode()
    assert 'points="100.0,250.0 300.0,250.0 300.0,500.0 100.0,500.0"' in text
    assert '<rect class="outline-box" x="100.0" y="250.0" width="200.0" height="250.0"' in text
    assert 'data-film-do="outline" aria-pressed="true"' in text
    assert "<span data-outline-only>Outline, bonescan-test 0.0</span>" in text
    assert "longest diameter 54 mm, area 1,000 mm²" in text
    assert "No size in mm" not in text


def test_without_a_region_nothing_speaks_of_an_outline(web, study):
    result("malignant", study=study)
    assert "outline" not in web.get(url(study)).content.decode().lower()


def test_an_uncalibrated_film_gives_sizes_in_pixels_and_says_why(web, study):
    plane = {"image__pixel_spacing_mm": [0.2, 0.2], "image__spacing_source": "detector plane, uncalibrated"}
    result("benign", study=study, regions=[REGION], image__film_bytes=png_bytes(400, 1000), **plane)
    text = web.get(url(study)).content.decode()
    assert "longest diameter 320 px, area 50,000 px²" in text
    assert "No size in mm: detector plane, uncalibrated." in text
    assert " mm²" not in text


@pytest.mark.parametrize("outcome", ["normal", "withheld"])
def test_an_outline_without_a_tumour_called_is_a_place_to_look_at_and_no_answer(web, study, outcome):
    result(outcome, study=study, regions=[REGION])
    assert "The outline marks a region to review; it is not an answer." in web.get(url(study)).content.decode()


@pytest.mark.parametrize(("outcome", "shown"), [("malignant", True), ("benign", True), ("normal", False)])
def test_subtypes_are_a_ranking_and_stand_only_where_a_tumour_is_called(web, study, outcome, shown):
    result(outcome, study=study, subtypes=SUBTYPES)
    text = web.get(url(study)).content.decode()
    assert ("Subtype ranking, not a diagnosis: osteosarcoma 0.70" in text) is shown
    assert ("simple bone cyst" in text) is shown


def test_a_tumour_that_is_called_without_an_outline_is_said_to_have_no_place(web, study):
    result("benign", study=study, subtypes=SUBTYPES)
    text = web.get(url(study)).content.decode()
    assert "The model has outlined nothing on this film" in text
    assert "Accuracy of the first-ranked subtype" in text


def test_names_of_the_training_data_are_put_into_words(web, study):
    result("malignant", study=study, subtypes=[["other mt", 0.6], ["giant cell tumor", 0.4]])
    text = web.get(url(study)).content.decode()
    assert "Subtype ranking, not a diagnosis: other malignant tumour 0.60" in text
    assert ">giant cell tumour<" in text


@pytest.mark.parametrize(
    ("reasons", "held", "words"),
    [
        (["set_undecided"], ["malignant", "normal"], "The model cannot decide between no tumour and malignant:"),
        (["set_undecided"], ["normal", "benign", "malignant"], "between no tumour, benign and malignant:"),
        (["set_undecided"], [], "No class fits the film"),
        (["unlike_training"], ["benign"], "The film differs from the films used to train the model."),
        (["unstable"], ["benign"], "The answer changes with small changes of the film"),
        (["withheld_for_all"], ["benign"], "answers are currently withheld for all films."),
        (["a_later_code"], ["benign"], "Reason given by the model: a_later_code."),
    ],
)
def test_a_withheld_answer_gives_its_reasons_and_no_outcome(web, study, reasons, held, words):
    result("withheld", study=study, withheld_reasons=reasons, prediction_set=held, subtypes=SUBTYPES)
    text = web.get(url(study)).content.decode()
    assert words in text
    assert 'class="tag tag--withheld">Withheld<' in text
    assert not any(f"tag--{name}" in text for name in ("normal", "benign", "malignant"))
    assert "operating point of" not in text
    assert "osteosarcoma" not in text
    assert "healthy" not in text.lower()


def test_the_numbers_of_a_withheld_answer_stand_behind_the_sentence_that_they_are_no_answer(web, study):
    result("withheld", study=study)
    text = web.get(url(study)).content.decode()
    opened, closed = text.index("Probabilities (not an answer)"), text.index("0.42")
    assert opened < text.index(str(NOT_AN_ANSWER)) < closed
    assert "<details>" in text[:opened][-40:]
    assert "Probability of malignancy" not in text


def test_a_withheld_case_is_read_and_signed_and_neither_agrees_nor_overrules(web, study):
    result("withheld", study=study)
    assert web.get(url(study)).context["agreeing"] == ""
    sent = {
        "reading": "malignant",
        "recommendation": "refer",
        "impression": "Sarcoma.",
        "action": "sign",
        "model_reading": "",
    }
    assert web.post(url(study, "reading/"), sent).status_code == 302
    review = Review.objects.get(study=study)
    assert (review.is_signed, review.agrees_with_model, review.model_outcome) == (True, None, "withheld")
    assert "The model gave no answer for comparison." in web.get(url(study)).content.decode()


def test_withheld_films_stand_between_malignant_and_benign(web, study):
    made = {outcome: result(outcome, study=study).pk for outcome in ("normal", "benign", "withheld", "malignant")}
    shown = [film.analysis.pk for film in web.get(url(study)).context["films"]]
    assert shown == [made[outcome] for outcome in ("malignant", "withheld", "benign", "normal")]


def test_the_operating_point_in_the_record_is_that_of_the_answer(web, study):
    result("malignant", study=study, operating_point={"name": "rule_out", "malignant": 0.12, "tumour": 0.35})
    text = web.get(url(study)).content.decode()
    assert "At or above the rule-out operating point of 0.12 for malignancy." in text
    assert "rule-out: malignant from 0.12, tumour from 0.35" in text
    assert "rule_out" not in text


def test_an_answer_links_to_the_model_page_of_its_own_version(web, study):
    result("malignant", study=study, model_name="bonescan-paper-cnn", model_version="0.9")
    text = web.get(url(study)).content.decode()
    assert '<a href="/model/bonescan-paper-cnn-0.9/">bonescan-paper-cnn 0.9</a>' in text
    assert text.count('href="/model/bonescan-paper-cnn-0.9/"') == 2


def test_an_answer_of_no_model_links_to_the_model_in_force(web, study):
    result("not_analysable", study=study, model_name="", model_version="", reason_code="no_model_for_modality")
    assert 'href="/model/">Intended use' in web.get(url(study)).content.decode()


def test_the_saliency_button_is_there_only_with_a_map_and_says_what_it_shows(web, study):
    result("malignant", study=study)
    assert '"saliency" aria-pressed="false">Saliency map</button>' in web.get(url(study)).content.decode()
    bare = StudyFactory(owner=study.department)
    result("malignant", study=bare, saliency_file="")
    assert "saliency" not in web.get(url(bare)).content.decode().lower()


@pytest.mark.parametrize("spacing", [[0.143, 0.143], [0.2, 0.1]])
def test_a_film_with_pixel_spacing_shows_it(web, study, spacing):
    result("benign", study=study, image__pixel_spacing_mm=spacing, image__spacing_source="calibrated")
    words = "0.143 mm/px, calibrated" if spacing[0] == spacing[1] else "0.200 x 0.100 mm/px, calibrated"
    assert words in web.get(url(study)).content.decode()
