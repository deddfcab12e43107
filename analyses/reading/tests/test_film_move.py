"""A film that belongs to somebody else gets a case of its own, and what stood on the films together is void."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.case_page import corrections
from analyses.errors import Conflict, Invalid
from analyses.models import Notification, ReaderStudy, ReaderStudyCase, Referral, Review, Study, UnaidedReading
from analyses.reading import services as reading
from analyses.reading.film_move import move_film
from analyses.record.fields import CaseFields
from analyses.reports import services as reports
from analyses.tests.factories import ADVISED, PatientFactory, StudyFactory, result

pytestmark = pytest.mark.django_db
HEADER = {
    "patient_id": "R2",
    "patient_name": "Roe John",
    "accession_number": "A2",
    "laterality": "R",
    "study_instance_uid": "1.2.4",
}
ROE = CaseFields(patient_id="R2", patient_name="Roe John")


@pytest.fixture
def study(department):
    return StudyFactory(owner=department, patient__patient_id="R1", patient__patient_name="Doe Jane")


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", department=department, roles=["doctor"])


@pytest.fixture
def films(study):
    """The case's own film and one that its file gives to somebody else."""
    warning = {"code": "patient_id_mismatch", "field": "patient_id", "against": "record", "confirmed": None}
    stays = result("benign", study=study, image__header={"patient_id": "R1"})
    goes = result("malignant", study=study, image__header=HEADER, warnings=[warning])
    return stays, goes


def moved(films, doctor, **options):
    return move_film(films[1].image, user=doctor, reason="Another patient's film.", **options)


def test_a_film_moves_to_the_patient_that_is_stated_and_both_cases_sum_up_anew(study, films, doctor):
    new = moved(films, doctor, fields=ROE)
    study.refresh_from_db()
    new.refresh_from_db()
    assert (new.patient.patient_id, new.patient.patient_name) == ("R2", "Roe John")
    assert (new.accession_number, new.laterality, new.study_instance_uid) == ("A2", "R", "1.2.4")
    assert (new.modality, new.body_part_examined) == (study.modality, study.body_part_examined)
    assert (study.outcome, new.outcome) == ("benign", "malignant")
    films[1].refresh_from_db()
    assert films[1].image.study == new
    assert films[1].open_warnings == []


def test_both_trails_have_it_without_naming_anybody_in_the_detail(study, films, doctor):
    new = moved(films, doctor, fields=ROE)
    here, there = (AuditEvent.objects.get(action="move_film", case_id=case.pk) for case in (study, new))
    assert here.subject == there.subject == "R1 -> R2: Another patient's film."
    assert here.detail["to"] == str(new.pk)
    assert there.detail == {"from": str(study.pk)}
    assert here.object_id == there.object_id == str(films[1].image_id)


def test_without_a_number_the_new_case_is_unassigned(films, doctor):
    new = moved(films, doctor)
    assert new.patient is None
    assert AuditEvent.objects.filter(subject="R1 -> unassigned: Another patient's film.").count() == 2


def test_a_known_number_with_other_details_is_refused_and_nothing_moves(study, films, doctor, department):
    PatientFactory(department=department, patient_id="R2", patient_name="Poe Edgar")
    with pytest.raises(Conflict) as refused:
        moved(films, doctor, fields=ROE)
    assert refused.value.code == "patient_mismatch"
    assert study.images.count() == 2
    assert Study.objects.count() == 1


def test_the_draft_and_what_was_issued_are_void(study, films, doctor):
    films[1].warnings = []
    films[1].save()
    study.assigned_to = doctor
    study.save()
    reading.save_reading(study, user=doctor, reading="malignant", likelihood=90)
    report = reports.issue_report(study, doctor)
    referral = referral_of(study, doctor)
    new = moved(films, doctor, fields=ROE)
    study.refresh_from_db()
    report.refresh_from_db()
    referral.refresh_from_db()
    assert (report.state, report.end_reason) == ("void", "Another patient's film.")
    assert referral.voided_at is not None
    assert not Review.objects.exists()
    assert (study.reading_state, new.reading_state) == ("in_reading", "unread")
    detail = AuditEvent.objects.get(action="move_film", case_id=study.pk).detail
    assert detail["voided"] == {"reports": 1, "referrals": 1, "drafts": 1}


def test_unaided_readings_are_void_where_locked_and_empty_where_open(
    study, films, doctor, department, django_user_model
):
    now = timezone.now()
    other = StudyFactory(owner=department).created_by
    common = {"study": study, "mode": "own_first", "opened_at": now, "reading": "benign", "likelihood": 10}
    locked = UnaidedReading.objects.create(reader=doctor, locked_at=now, answer={"films": []}, **common)
    opened = UnaidedReading.objects.create(reader=other, region={"image": "x", "box": [0, 0, 1, 1]}, **common)
    moved(films, doctor, fields=ROE)
    locked.refresh_from_db()
    opened.refresh_from_db()
    assert (locked.reading, locked.voided_at is not None) == ("benign", True)
    assert (opened.reading, opened.likelihood, opened.region, opened.voided_at) == ("", None, None, None)


def test_a_signed_reading_is_amended_and_no_report_leaves_before_a_doctor_confirms_it(
    study, films, doctor, colleague, quick_pdf
):
    films[1].warnings = []
    films[1].save()
    reading.save_reading(
        study, user=doctor, reading="malignant", likelihood=90, impression="Aggressive.", structure=ADVISED
    )
    reading.sign(study, doctor)
    issued = reports.issue_report(study, doctor)
    new = move_film(films[1].image, user=colleague, reason="Swapped.", fields=ROE)
    study.refresh_from_db()
    issued.refresh_from_db()
    assert (study.reading_state, issued.state) == ("amended", "void")
    assert Review.objects.get().is_signed
    assert Notification.objects.filter(user=doctor, study=study, kind="amended").exists()
    with pytest.raises(Conflict) as refused:
        reports.issue_report(study, doctor)
    assert refused.value.code == "identity_unconfirmed"
    assert new.reading_state == "unread"

    films[0].refresh_from_db()
    corrections.confirm_identity(films[0], "film_moved", "record", doctor)
    assert reports.issue_report(Study.objects.get(pk=study.pk), doctor).kind == "amended"


def test_the_only_film_a_running_one_and_a_case_in_a_reader_study_stay(study, films, doctor):
    films[1].status = "running"
    films[1].save()
    with pytest.raises(Conflict) as refused:
        moved(films, doctor)
    assert refused.value.code == "still_running"
    films[1].status = "succeeded"
    films[1].save()
    place = place_in_an_open_reader_study(study, doctor)
    with pytest.raises(Conflict) as refused:
        moved(films, doctor)
    assert refused.value.code == "in_reader_study"
    place.delete()
    moved(films, doctor)
    with pytest.raises(Conflict) as refused:
        move_film(films[0].image, user=doctor, reason="x")
    assert refused.value.code == "only_film"
    with pytest.raises(Conflict):
        moved(films, doctor)


def test_a_reason_is_needed(films, doctor):
    with pytest.raises(Invalid):
        move_film(films[1].image, user=doctor, reason=" ")


def test_a_film_that_shares_its_examination_with_the_old_case_is_asked_about_on_both(study, films, doctor):
    for film in films:
        film.image.study_instance_uid = "1.2.4"
        film.image.save()
    moved(films, doctor, fields=ROE)
    for film in films:
        film.refresh_from_db()
        assert [entry["field"] for entry in film.open_warnings] == ["same_study"]


def test_the_page_offers_whom_the_file_names_and_moves_the_film(client, study, films, doctor):
    client.force_login(doctor)
    page = client.get(reverse("analyses:case", args=[study.pk])).content.decode()
    address = reverse("analyses:film_move", args=[study.pk, films[1].pk])
    assert f'href="{address}"' in page
    form = client.get(address).content.decode()
    assert 'value="R2"' in form
    assert 'value="Roe John"' in form
    answer = client.post(address, {"patient_id": "R2", "patient_name": "Roe John", "reason": ""})
    assert answer.status_code == 400
    answer = client.post(address, {"patient_id": "R2", "patient_name": "Roe John", "reason": "Swapped."})
    assert answer["Location"] == reverse("analyses:case", args=[study.pk])
    assert Study.objects.filter(patient__patient_id="R2").count() == 1
    page = client.get(reverse("analyses:case", args=[study.pk])).content.decode()
    assert "film_move" not in page
    assert "film moved to its own case" in page


def test_where_other_files_disagree_the_page_offers_no_file_choice(client, study, films, doctor):
    client.force_login(doctor)
    page = client.get(reverse("analyses:case", args=[study.pk])).content.decode()
    assert 'name="choice" value="typed"' in page
    assert 'name="choice" value="file"' not in page


def referral_of(study, doctor):
    return Referral.objects.create(
        study=study,
        revision=study.revision,
        reading_state=study.reading_state,
        recipient="Centre",
        with_answer=True,
        films=2,
        archive_file="referrals/x.zip",
        archive_sha256="0" * 64,
        archive_size_bytes=1,
        letter_sha256="0" * 64,
        made_by=doctor,
        made_at=timezone.now(),
    )


def place_in_an_open_reader_study(study, doctor):
    reader_study = ReaderStudy.objects.create(
        name="Knees", department=study.department, created_by=doctor, state="open", washout_days=0
    )
    return ReaderStudyCase.objects.create(reader_study=reader_study, case=study, number=1, truth="benign")


def test_what_was_asked_of_a_signed_case_does_not_go_with_its_next_film(study, films, doctor):
    last = result("normal", study=study)
    study.reading_state = "final"
    study.save()
    moved(films, doctor, fields=ROE)
    films[0].refresh_from_db()
    assert [entry["field"] for entry in films[0].open_warnings] == ["film_moved"]
    move_film(films[0].image, user=doctor, reason="x")
    for film, fields in ((films[0], []), (last, ["film_moved"])):
        film.refresh_from_db()
        assert [entry["field"] for entry in film.open_warnings] == fields
