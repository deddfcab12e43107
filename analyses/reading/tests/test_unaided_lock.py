"""What a lock keeps and tells: whose film a region lies on, and when the answer counts as seen."""

import pytest
from django.utils import timezone

from analyses.errors import Invalid
from analyses.models import Arm, Study, UnaidedReading
from analyses.reading import services as reading
from analyses.reading import unaided_reading
from analyses.tests.factories import ADVISED, StudyFactory, result

pytestmark = pytest.mark.django_db
BOX = [0.1, 0.2, 0.3, 0.4]


@pytest.fixture
def study(doctor) -> Study:
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    return result("malignant", image__study__owner=doctor.department).image.study


@pytest.mark.parametrize("same_patient", [True, False])
@pytest.mark.parametrize("call", [unaided_reading.keep_draft, unaided_reading.lock_reading])
def test_a_region_on_a_film_of_another_case_is_refused(study, doctor, same_patient, call):
    mine = {"patient": study.patient} if same_patient else {}
    other = result("benign", study=StudyFactory(owner=doctor.department, **mine))
    unaided_reading.open_reading(study, doctor)
    region = {"image": str(other.image_id), "box": BOX}
    with pytest.raises(Invalid) as refused:
        call(study, doctor, reading="benign", likelihood=5, region=region)
    assert list(refused.value.fields) == ["region"]
    assert UnaidedReading.objects.get().region is None
    unaided = call(study, doctor, reading="benign", likelihood=5, region=region | {"image": str(study.images.get().pk)})
    assert unaided.region["box"] == BOX


@pytest.mark.parametrize("arm", ["", Arm.SHOWN, Arm.HIDDEN])
def test_the_answer_counts_as_seen_at_the_lock_unless_the_lot_hides_it_until_the_signature(study, doctor, arm):
    unaided = UnaidedReading.objects.create(
        study=study, reader=doctor, arm=arm, mode="trial" if arm else "own_first", opened_at=timezone.now()
    )
    locked = unaided_reading.lock_reading(study, doctor, reading="benign", likelihood=5)
    assert locked.revealed_at == (None if arm == Arm.HIDDEN else locked.locked_at)
    unaided.refresh_from_db()
    assert unaided.revealed_at == locked.revealed_at
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    review = reading.sign(study, doctor)
    unaided.refresh_from_db()
    assert unaided.revealed_at == (review.signed_at if arm == Arm.HIDDEN else locked.locked_at)
