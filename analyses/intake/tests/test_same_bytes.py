"""When the same bytes are the same film: one rule over what was typed of the patient."""

import itertools
from datetime import date

import pytest
from django.core.files.base import ContentFile

from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Study
from analyses.tests.factories import png_bytes

pytestmark = pytest.mark.django_db
BORN, OTHER = date(1990, 5, 17), date(1990, 5, 18)
TYPED = [
    CaseFields(patient_name=name, patient_birth_date=born)
    for name, born in itertools.product(["", "Doe, Jane", "Doe, John"], [None, BORN, OTHER])
]


def submit(doctor, fields: CaseFields):
    upload = ContentFile(png_bytes(), name="film.png")
    return intake.submit_image(user=doctor, token=None, upload=upload, fields=fields)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(TYPED, TYPED)))
def test_without_a_record_number_the_same_bytes_are_one_film_only_where_name_and_birth_date_are_the_same(
    doctor, first, second
):
    before = submit(doctor, first)
    after = submit(doctor, second)
    assert after.created is (first != second)
    assert (after.analysis == before.analysis) is (first == second)


def test_a_record_number_is_not_the_same_as_none(doctor):
    numbered = submit(doctor, CaseFields(patient_id="R1", patient_birth_date=BORN))
    assert submit(doctor, CaseFields(patient_birth_date=BORN)).analysis != numbered.analysis
    assert submit(doctor, CaseFields(patient_id="R1", patient_birth_date=BORN)).analysis == numbered.analysis
    assert Study.objects.count() == 2
