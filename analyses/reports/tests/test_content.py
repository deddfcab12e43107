"""What stands on the paper: tags, words, banners, and that nothing reads as an all-clear."""

import io
import re

import numpy as np
import pytest
from PIL import Image as Picture
from pypdf import PdfReader

from accounts.services import change_settings
from analyses.case_page import corrections
from analyses.models import Analysis
from analyses.pipeline import summary
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import (
    ADVISED,
    REGION,
    SUBTYPES,
    AnalysisFactory,
    ImageFactory,
    StudyFactory,
    png_bytes,
    result,
)
from inference.imaging.decode import decode_bytes

BANNER = "PRELIMINARY, NOT READ BY A DOCTOR"
STATEMENT = "Research device. Not for diagnosis without a radiologist's reading."
LONG = "Ill-defined lytic lesion of the proximal tibial metaphysis with a wide zone of transition.\n\n" * 80


def pdf_of(study, user) -> PdfReader:
    return PdfReader(io.BytesIO(reports.report_bytes(reports.issue_report(study, user))))


def pages_of(reader: PdfReader) -> list[str]:
    return [re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages]


def text_of(study, user) -> str:
    return " ".join(pages_of(pdf_of(study, user)))


def signed(study, user, read="malignant", impression="", **codes):
    reading.save_reading(study, user=user, reading=read, structure=ADVISED, impression=impression, **codes)
    return reading.sign(study, user)


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department, clinical_question="Night pain for six weeks.")
    result("malignant", study=study, image__view_position="AP")
    study.refresh_from_db()
    return study


def test_the_pdf_is_tagged_titled_a4_pdf_ua_with_its_language(case, doctor):
    reader = pdf_of(case, doctor)
    root = reader.trailer["/Root"]
    report = reports.issue_report(case, doctor)
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfuaid:part[^0-9]*1", xmp)
    assert reader.metadata.title == f"Preliminary radiograph report {report.verification_code}"
    assert [round(float(side)) for side in reader.pages[0].mediabox[2:]] == [595, 842]


def structure(node, found) -> list:
    """Every structure element below a node of the tag tree."""
    node = node.get_object()
    if isinstance(node, list):
        for kid in node:
            structure(kid, found)
    elif hasattr(node, "get"):
        if node.get("/S"):
            found.append(node)
        if node.get("/K") is not None:
            structure(node["/K"], found)
    return found


def test_headings_and_tables_are_tagged_and_every_picture_has_a_text(case, doctor):
    signed(case, doctor)
    elements = structure(pdf_of(case, doctor).trailer["/Root"]["/StructTreeRoot"]["/K"], [])
    kinds = [element["/S"] for element in elements]
    assert kinds.count("/H1") == 1
    assert {"/H2", "/Table", "/TH", "/P", "/Figure"} <= set(kinds)
    texts = [element.get("/Alt") for element in elements if element["/S"] == "/Figure"]
    assert len(texts) == 3
    assert all(texts)
    assert any("not validated" in text for text in texts)
    assert any("probability of malignancy 0.80, balanced operating point 0.30" in text for text in texts)


def test_every_font_is_the_portals_own_and_embedded(case, doctor):
    fonts = {}
    for page in pdf_of(case, doctor).pages:
        for font in page["/Resources"]["/Font"].values():
            below = font.get_object()["/DescendantFonts"][0].get_object()
            fonts[below["/BaseFont"]] = below["/FontDescriptor"]
    assert fonts
    assert all("IBM" in name and "Plex" in name for name in fonts)
    assert all("/FontFile2" in descriptor or "/FontFile3" in descriptor for descriptor in fonts.values())


def test_an_unsigned_report_says_so_on_every_page_and_prints_no_draft(case, doctor):
    result("benign", study=case)
    result("benign", study=case)
    reading.save_reading(case, user=doctor, reading="benign", impression="Secret draft.")
    pages = pages_of(pdf_of(case, doctor))
    assert len(pages) > 1
    assert all(BANNER in page for page in pages)
    assert "Secret draft." not in " ".join(pages)
    assert "Not read" in pages[0]


def test_a_signed_report_has_no_banner_and_names_reader_time_and_hash(case, doctor):
    review = signed(case, doctor, impression="Lytic lesion of the metaphysis.")
    text = text_of(case, doctor)
    assert BANNER not in text
    assert "Final report" in text
    assert "Lytic lesion of the metaphysis." in text
    assert f"Signed electronically by {doctor.email}" in text
    assert review.signed_sha256 in text


def test_the_doctors_grade_and_stage_are_printed_in_words(case, doctor):
    signed(case, doctor, tumour_grade="G3", tumour_stage="IIB")
    text = text_of(case, doctor)
    assert "Grade (FNCLCC/WHO): G3, high grade" in text
    assert "Stage (Enneking/MSTS): IIB, high grade, extracompartmental" in text


def test_a_report_is_silent_about_a_grade_and_stage_that_nobody_stated(case, doctor):
    signed(case, doctor)
    text = text_of(case, doctor)
    assert "Grade (" not in text
    assert "Stage (" not in text


def test_every_page_carries_patient_statement_number_and_code(case, doctor):
    signed(case, doctor, impression=LONG[:7900])
    report = reports.issue_report(case, doctor)
    pages = pages_of(pdf_of(case, doctor))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert STATEMENT in page.replace("’", "'")
        assert f"Page {number} of {len(pages)}" in page
        assert report.verification_code in page
        assert case.patient.patient_id in page
        assert case.accession_number in page


def test_a_long_impression_is_printed_whole(case, doctor):
    words = " ".join(f"word{number}" for number in range(1000))
    signed(case, doctor, impression=words[:7900])
    printed = set(re.findall(r"word\d+", text_of(case, doctor)))
    assert set(words[:7900].split()) <= printed


def test_patient_study_model_and_operating_point_are_printed(case, doctor):
    case.study_date = None
    case.save()
    text = text_of(case, doctor)
    model = Analysis.objects.get()
    for words in (
        case.patient.patient_name,
        "1990-05-17",
        "female",
        "DX knee, left",
        "not stated",
        "Night pain for six weeks.",
        "Suspicious for malignancy",
        "malignant 0.80, benign 0.15, no tumour 0.05",
        "At or above the balanced operating point of 0.30",
        model.model_name,
        model.model_sha256,
        "not validated",
        "tumour from 0.50, chosen on fold4",
    ):
        assert words in text, words


@pytest.mark.parametrize(("outcome", "read"), [("benign", "benign"), ("normal", "normal")])
def test_benign_and_normal_never_read_as_an_all_clear(department, doctor, outcome, read):
    study = StudyFactory(owner=department)
    result(outcome, study=study)
    for make in (lambda: None, lambda: signed(study, doctor, read)):
        make()
        text = text_of(study, doctor)
        assert "refer to a bone tumour centre before biopsy" in text
        assert "excludes malignancy" in text
        assert "healthy" not in text.lower()


def test_the_bone_tumour_centre_and_the_institution_of_the_settings_are_named(case, doctor, administrator):
    change_settings(
        institution_name="Trial hospital", contact="ext. 4711", tumour_centre="Centre North", by=administrator
    )
    text = text_of(case, doctor)
    assert "before biopsy: Centre North." in text
    assert "Trial hospital, Orthopaedics" in text
    assert "Contact: ext. 4711." in text


def test_reading_and_answer_stand_apart_also_where_they_differ(case, doctor):
    signed(case, doctor, "benign")
    text = text_of(case, doctor)
    reading_at, answer_at = text.index("Doctor's reading"), text.index("Model's answer")
    assert reading_at < text.index("Overrules the model.") < answer_at
    assert "Suspicious for malignancy" not in text[reading_at:answer_at]


def test_several_films_are_printed_most_suspicious_first_with_their_own_answers(department, doctor):
    study = StudyFactory(owner=department)
    result("benign", study=study, image__view_position="AP")
    result("malignant", study=study, image__view_position="LATERAL")
    AnalysisFactory(image=ImageFactory(study=study, view_position="OBLIQUE"))
    study.refresh_from_db()
    text = text_of(study, doctor)
    assert text.index("Film 2, LATERAL") < text.index("Film 1, AP") < text.index("Film 3, OBLIQUE")
    assert "The most suspicious of 3 films (Film 2, LATERAL)" in text
    assert "The model had not answered when this was read or reported." in text
    assert "Not an all-clear" in text


@pytest.mark.parametrize(
    ("outcome", "fields", "line"),
    [
        ("not_analysable", {}, "The input check did not recognise a bone radiograph"),
        ("not_analysable", {"reason_code": "no_model_for_modality"}, "There is no validated model for this modality."),
        ("failed", {}, "Export it again. (code unreadable)"),
        ("withheld", {}, "The model gives no answer for this film."),
        ("withheld", {}, "The model cannot decide between benign and malignant"),
        ("benign", {"status": "cancelled", "outcome": ""}, "The analysis was cancelled; the model was not run."),
    ],
)
def test_a_film_without_an_answer_gets_its_honest_line(department, doctor, outcome, fields, line):
    study = StudyFactory(owner=department)
    result(outcome, study=study)
    Analysis.objects.update(**fields)
    summary.summarise(study)
    signed(study, doctor, "cannot_tell")
    text = text_of(study, doctor)
    assert line in text
    assert "Probability" not in text


def test_confirmed_contradictions_and_burned_in_text_are_told_without_values(case, doctor):
    Analysis.objects.update(
        warnings=[
            {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": "typed"},
            {"code": "burned_in_annotation"},
        ]
    )
    text = text_of(case, doctor)
    assert "Name: the sources contradicted each other; a doctor confirmed the entry." in text
    assert "text is burned into the image" in text


def test_addenda_stand_with_author_and_date_in_an_amended_report(case, doctor):
    signed(case, doctor)
    reading.add_addendum(case, doctor, "The lesion is new.")
    text = text_of(case, doctor)
    assert "Amended report" in text
    assert re.search(r"Addendum 1 doctor@example\.org, \d{4}-\d\d-\d\d \d\d:\d\d UTC The lesion is new\.", text)


def test_a_correction_after_the_signature_is_said(case, doctor):
    signed(case, doctor)
    assert "Corrected after signing." not in text_of(case, doctor)
    corrections.reassign(case, user=doctor, reason="wrong side", laterality="R")
    text = text_of(case, doctor)
    assert "Corrected after signing." in text
    assert "DX knee, right" in text


def test_an_unassigned_case_says_that_it_has_no_patient(department, doctor):
    study = StudyFactory(department=department, patient=None)
    result("benign", study=study)
    assert "Unassigned: no patient" in text_of(study, doctor)


def test_markup_in_what_people_typed_is_printed_as_typed(department, doctor):
    name = "<img src=file:///etc/hostname> & Co"
    study = StudyFactory(owner=department, patient__patient_name=name)
    result("benign", study=study)
    signed(study, doctor, "benign", impression="<b>bold</b> {{ x }}")
    text = text_of(study, doctor)
    assert name in text
    assert "<b>bold</b> {{ x }}" in text


def test_pictures_are_jpegs_of_moderate_size_and_the_overlay_differs_from_the_film(department, doctor):
    study = StudyFactory(owner=department)
    result("benign", study=study, image__film_bytes=png_bytes(2200, 1500))
    film, overlay = pdf_of(study, doctor).pages[0].images
    assert max(film.image.size) == max(overlay.image.size) == 1400
    assert film.name.endswith(".jpg")
    assert np.asarray(overlay.image.convert("RGB"))[..., 0].mean() > np.asarray(film.image.convert("L")).mean() + 5


def test_the_outline_is_drawn_into_a_picture_of_its_own_with_version_and_size(department, doctor):
    study = StudyFactory(owner=department)
    spaced = {"image__pixel_spacing_mm": [0.2, 0.1], "image__spacing_source": "calibrated"}
    black = io.BytesIO()
    Picture.new("L", (400, 1000)).save(black, "PNG")
    result("malignant", study=study, regions=[REGION], image__film_bytes=black.getvalue(), **spaced)
    page = pdf_of(study, doctor).pages[0]
    film, outline, _ = (np.asarray(image.image.convert("L")) for image in page.images)
    assert film.max() < 20
    assert outline[250, 200] > 200
    assert outline[375, 100] > 200
    assert outline[375, 200] < 20, "the inside stays as it is"
    text = text_of(study, doctor)
    assert "Outline, bonescan-test 0.0. Longest diameter 54 mm, area 1,000 mm²." in text


def test_without_calibrated_spacing_the_report_gives_pixels_and_says_why(department, doctor):
    study = StudyFactory(owner=department)
    plane = {"image__pixel_spacing_mm": [0.2, 0.2], "image__spacing_source": "detector plane, uncalibrated"}
    result("malignant", study=study, regions=[REGION], image__film_bytes=png_bytes(400, 1000), **plane)
    text = text_of(study, doctor)
    assert "Longest diameter 320 px, area 50,000 px² (no size in mm: detector plane, uncalibrated)." in text
    assert " mm²" not in text


def test_subtypes_are_printed_as_a_ranking_only_where_a_tumour_is_called(department, doctor):
    called, withheld = StudyFactory(owner=department), StudyFactory(owner=department)
    result("benign", study=called, subtypes=SUBTYPES)
    result("withheld", study=withheld, subtypes=SUBTYPES)
    assert "Subtype ranking, not a diagnosis: osteosarcoma 0.70, giant cell tumour 0.20" in text_of(called, doctor)
    assert "osteosarcoma" not in text_of(withheld, doctor)


def test_a_withheld_answer_prints_its_reasons_and_neither_outcome_nor_probability(department, doctor):
    study = StudyFactory(owner=department)
    result("withheld", study=study, withheld_reasons=["set_undecided", "unstable", "unlike_training"])
    text = text_of(study, doctor)
    assert "Withheld" in text
    assert "Why the answer is withheld" in text
    for words in ("between benign and malignant", "small changes of the film", "differs from the films"):
        assert words in text
    for words in ("Suspicious for malignancy", "Benign features", "No tumour found", "0.42", "0.47"):
        assert words not in text


def test_the_operating_point_is_the_one_that_the_answer_was_made_with(department, doctor):
    study = StudyFactory(owner=department)
    point = {"name": "rule_out", "malignant": 0.12, "tumour": 0.35, "chosen_on": "fold4"}
    result("malignant", study=study, operating_point=point)
    text = text_of(study, doctor)
    assert "At or above the rule-out operating point of 0.12" in text
    assert "operating point rule-out: malignant from 0.12, tumour from 0.35, chosen on fold4" in text


def test_a_real_film_makes_a_small_report_that_shows_it(department, doctor, rg3):
    grey = decode_bytes(rg3).grey
    buffer = io.BytesIO()
    Picture.fromarray(grey).save(buffer, "PNG", compress_level=1)
    study = StudyFactory(owner=department)
    result("benign", study=study, image__film_bytes=buffer.getvalue())
    report = reports.issue_report(study, doctor)
    assert report.pdf_size_bytes < 600_000
    film = pdf_of(study, doctor).pages[0].images[0]
    shown = np.asarray(film.image.convert("L").resize((64, 64), Picture.Resampling.BOX), dtype=float)
    original = np.asarray(Picture.fromarray(grey).resize((64, 64), Picture.Resampling.BOX), dtype=float)
    assert np.abs(shown - original).mean() < 3


def test_the_structured_reading_its_reasons_and_the_earlier_versions_stand_on_the_paper(case, doctor):
    first = reports.issue_report(case, doctor)
    findings = Findings(number="one", bone="femur", margin="II", periosteum="codman")
    structure = Structured(
        findings=findings,
        recommendation="none",
        disagreement_reason="other",
        disagreement_text="Callus after a stress fracture",
    )
    reading.save_reading(case, user=doctor, reading="benign", likelihood=15, structure=structure)
    reading.sign(case, doctor, ["no_follow_up_aggressive"])
    text = text_of(case, doctor)
    for said in (
        "Likelihood of malignancy: 15 of 100",
        "Codman triangle.",
        "No follow-up recommended.",
        "Callus after a stress fracture",
        "Contradictions confirmed by the reader: The margin is aggressive (grade II), "
        "but the recommendation is no follow-up.",
        f"code {first.verification_code}",
    ):
        assert said in text, said
