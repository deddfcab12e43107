"""What a signature stands for: every part of the content, one by one."""

from copy import deepcopy
from typing import Any

import pytest
from django.utils import timezone

from analyses.answers.current import current_analyses
from analyses.models import Analysis, Image, Patient, Review, Study, Task
from analyses.reading import services as reading
from analyses.structured_reading import signature
from analyses.tests.factories import ADVISED, StudyFactory, result

pytestmark = pytest.mark.django_db
# Every value that is signed, as the place where it is kept and another value for it.
PARTS: list[tuple[type, str, Any]] = [
    (Patient, "patient_id", "R-other"),
    (Patient, "patient_name", "OTHER^Person"),
    (Patient, "patient_birth_date", "1990-05-18"),
    (Patient, "patient_birth_date", None),
    (Patient, "patient_sex", "M"),
    (Study, "accession_number", "ACC-other"),
    (Study, "modality", "CR"),
    (Study, "body_part_examined", "HIP"),
    (Study, "laterality", "R"),
    (Study, "study_date", "2026-03-03"),
    (Image, "original_sha256", "e" * 64),
    (Image, "canonical_sha256", "e" * 64),
    (Analysis, "status", "failed"),
    (Analysis, "outcome", "benign"),
    (Analysis, "probabilities", {"normal": 0.05, "benign": 0.151, "malignant": 0.799}),
    (Analysis, "model_sha256", "e" * 64),
    (Review, "reading", "benign"),
    (Review, "impression", "Other words."),
    (Review, "likelihood", 91),
    (Review, "findings", {"number": "one"}),
    (Review, "findings_text", "Other words."),
    (Review, "recommendation", "mr"),
    (Review, "recommendation_months", 3),
    (Review, "recommendation_text", "Other words."),
    (Review, "bone_rads", 3),
    (Review, "disagreement_reason", "other"),
    (Review, "disagreement_text", "Other words."),
    (Review, "confirmed", ["other_side"]),
    (Review, "tumour_grade", "G1"),
    (Review, "tumour_stage", "IB"),
    (Review, "signed_as", "Dr Other Person"),
    (Review, "signed_as", ""),
]


@pytest.fixture
def signed(department, doctor) -> Study:
    study = StudyFactory(owner=department)
    result("malignant", study=study)

    reading.save_reading(
        study,
        user=doctor,
        reading="malignant",
        impression="Lytic lesion.",
        likelihood=90,
        tumour_grade="G3",
        tumour_stage="IIB",
        structure=ADVISED,
    )
    reading.sign(study, doctor)
    return study


def still_covered(study: Study) -> bool:
    fresh = Study.objects.select_related("patient").get(pk=study.pk)
    return signature.covers(fresh, Review.objects.get(), current_analyses(fresh, Task.TUMOUR))


@pytest.mark.parametrize(("model", "field", "other"), PARTS)
def test_no_part_of_what_was_signed_changes_unnoticed(signed, model, field, other):
    assert still_covered(signed)
    assert model.objects.exclude(**{field: other}).update(**{field: other}) == 1
    assert not still_covered(signed)


def test_another_film_reader_time_or_case_is_another_content(signed, doctor):
    review, films = Review.objects.get(), current_analyses(signed, Task.TUMOUR)
    content = signature.signed_content(signed, review, films, review.signed_at)
    assert set(content["films"][0]) == {
        *("image", "original_sha256", "canonical_sha256", "analysis"),
        *("status", "outcome", "probabilities", "model_sha256"),
    }
    for name in ("image", "analysis"):
        other = deepcopy(content)
        other["films"][0][name] = "another"
        assert signature.content_sha256(other) != review.signed_sha256
    assert not signature.covers(signed, review, [])
    assert not signature.covers(signed, review, [*films, *films])
    for name in ("case", "reader", "signed_at"):
        assert signature.content_sha256(content | {name: "another"}) != review.signed_sha256
    review.signed_at = timezone.now()
    assert not signature.covers(signed, review, films)


def test_nothing_is_signed_that_the_table_does_not_name(signed):
    review = Review.objects.get()
    content = signature.signed_content(signed, review, current_analyses(signed, Task.TUMOUR), review.signed_at)
    named = {field for _model, field, _other in PARTS}
    stated = {*content["patient"], *content["study"], *(set(content) - {"patient", "study", "films"})}
    assert stated - named == {"case", "reader", "signed_at"}
