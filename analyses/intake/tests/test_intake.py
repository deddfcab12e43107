"""What an upload becomes: stored unaltered, in the right case, once."""

import errno
import hashlib
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils import timezone

from accounts.models import ApiToken, AuditEvent
from analyses.errors import Conflict, Invalid, ServiceError, StorageFull, Unprocessable
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis, Image, Patient, Study
from analyses.record import storage
from analyses.tests.factories import StudyFactory, png_bytes

pytestmark = pytest.mark.django_db
KNOWN = CaseFields(patient_id="R1", patient_name="DOE JANE", laterality="l", modality="dx")


@pytest.fixture
def submit(doctor):
    def post(content: bytes | None = None, **options):
        upload = ContentFile(png_bytes() if content is None else content, name="film.png")
        return intake.submit_image(**{"user": doctor, "token": None, "upload": upload, "fields": KNOWN} | options)

    return post


def files() -> list[str]:
    try:
        return default_storage.listdir("originals")[1]
    except FileNotFoundError:
        return []


def test_a_film_is_stored_unaltered_under_a_name_that_says_nothing(submit):
    content = png_bytes(seed=1)
    image = submit(content).analysis.image
    assert storage.read(image.original_file) == content
    assert image.original_sha256 == hashlib.sha256(content).hexdigest()
    assert image.original_size_bytes == len(content)
    assert uuid.UUID(image.original_file.removeprefix("originals/"))


def test_an_upload_that_lies_in_a_temporary_file_is_stored_whole(submit):
    content = png_bytes(seed=2)
    upload = TemporaryUploadedFile("film.png", "image/png", len(content), None)
    upload.write(content)
    image = submit(upload=upload).analysis.image
    upload.close()  # as the request does at its end
    assert storage.read(image.original_file) == content


def test_a_film_makes_patient_case_and_waiting_analysis_and_a_line_in_the_log(submit, doctor):
    analysis = submit().analysis
    study = analysis.image.study
    assert (analysis.status, analysis.stage, analysis.attempts) == ("queued", "waiting", 0)
    assert (study.patient.patient_id, study.patient.patient_name) == ("R1", "DOE JANE")
    assert (study.laterality, study.modality, study.status) == ("L", "DX", "queued")
    event = AuditEvent.objects.get(action="upload")
    assert (event.user, event.case_id, event.subject) == (doctor, study.pk, "R1")


def test_a_worker_is_woken_when_the_film_is_kept(submit, monkeypatch, django_capture_on_commit_callbacks):
    woken = []
    monkeypatch.setattr("analyses.pipeline.queue.wake", woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        analysis = submit().analysis
        assert woken == []
    assert woken == [analysis.pk]


def test_without_any_patient_identity_the_case_is_unassigned(submit):
    assert submit(fields=CaseFields(laterality="R")).analysis.image.study.patient is None
    assert not Patient.objects.exists()


def test_the_same_bytes_for_the_same_patient_are_answered_with_the_existing_analysis(submit):
    first, second = submit(), submit()
    assert (first.created, second.created) == (True, False)
    assert first.analysis == second.analysis
    assert len(files()) == Image.objects.count() == 1


def test_the_same_bytes_for_another_patient_are_another_film(submit):
    assert submit().analysis != submit(fields=CaseFields(patient_id="R2")).analysis
    assert Study.objects.count() == 2


def test_the_same_bytes_without_a_record_number_are_the_same_only_for_the_same_name(submit):
    first = submit(fields=CaseFields(patient_name="Doe, Jane"))
    assert submit(fields=CaseFields(patient_name="JANE DOE")).analysis == first.analysis
    assert submit(fields=CaseFields(patient_name="John Doe")).analysis != first.analysis
    assert submit(fields=CaseFields()).analysis != first.analysis


def test_the_same_bytes_in_another_department_are_another_film(submit, second_doctor):
    first = submit()
    other = submit(user=second_doctor)
    assert other.created
    assert other.analysis.image.study.patient != first.analysis.image.study.patient


def test_a_film_reassigned_to_another_patient_no_longer_answers_for_the_first(submit):
    first = submit().analysis
    study = first.image.study
    study.patient = Patient.objects.create(department=study.department, patient_id="R9")
    study.save()
    assert submit().created


def test_again_makes_another_analysis_of_the_same_film(submit):
    first, second = submit(), submit(again=True)
    assert second.created
    assert second.analysis.pk != first.analysis.pk
    assert second.analysis.image == first.analysis.image
    assert len(files()) == 1


def test_the_same_film_is_answered_with_the_answer_that_stands_when_its_second_analysis_failed(submit):
    first, second = submit(), submit(again=True)
    Analysis.objects.filter(pk=first.analysis.pk).update(status="succeeded", outcome="benign")
    Analysis.objects.filter(pk=second.analysis.pk).update(status="failed")
    assert submit().analysis == first.analysis


def test_again_on_a_signed_case_makes_a_new_case(submit):
    first = submit().analysis
    Study.objects.update(reading_state="final")
    second = submit(again=True).analysis
    assert second.image.study != first.image.study


def test_an_api_client_is_not_answered_with_a_film_it_may_not_see(submit, api_client):
    token = ApiToken.objects.create(user=api_client, name="t", prefix="p", digest="d")
    submit()
    posted = submit(user=api_client, token=token)
    assert posted.created
    assert submit(user=api_client, token=token).analysis == posted.analysis


def test_an_idempotency_key_answers_the_same_and_refuses_another_body(submit):
    first = submit(idempotency_key="k")
    assert submit(idempotency_key="k").analysis == first.analysis
    for other in ({"content": png_bytes(seed=5)}, {"fields": CaseFields(patient_id="R2")}, {"again": True}):
        with pytest.raises(Unprocessable) as refused:
            submit(idempotency_key="k", **other)
        assert (refused.value.code, refused.value.status) == ("idempotency_key_reused", 422)
    assert Analysis.objects.count() == len(files()) == 1


def test_an_idempotency_key_belongs_to_its_user(submit, second_doctor):
    first = submit(idempotency_key="k").analysis
    assert submit(idempotency_key="k", user=second_doctor, content=png_bytes(seed=5)).analysis != first


def test_a_repeated_key_with_again_does_not_analyse_a_third_time(submit):
    submit()
    second = submit(again=True, idempotency_key="k").analysis
    assert submit(again=True, idempotency_key="k").analysis == second


def test_films_with_one_case_key_become_one_case(submit):
    key = uuid.uuid4()
    one, two = (submit(png_bytes(seed=n), case_key=key).analysis.image.study for n in (1, 2))
    assert one == two
    assert one.images.count() == 2


def test_films_with_the_same_accession_number_and_patient_join_until_the_case_is_signed(submit):
    fields = CaseFields(patient_id="R1", accession_number="A1")
    one, two = (submit(png_bytes(seed=n), fields=fields).analysis.image.study for n in (1, 2))
    assert one == two
    Study.objects.update(reading_state="final")
    assert submit(png_bytes(seed=3), fields=fields).analysis.image.study != one
    other = CaseFields(patient_id="R2", accession_number="A1")
    assert submit(png_bytes(seed=4), fields=other).analysis.image.study.patient.patient_id == "R2"


def test_a_film_cannot_join_a_signed_case(submit, department):
    study = StudyFactory(department=department, reading_state="final")
    with pytest.raises(Conflict) as refused:
        submit(study=study)
    assert refused.value.code == "case_signed"
    assert files() == []


def test_a_film_cannot_join_a_case_of_another_department(submit, other_department):
    with pytest.raises(ServiceError) as refused:
        submit(study=StudyFactory(department=other_department))
    assert refused.value.status == 404


def test_a_film_named_for_another_patient_than_its_case_is_questioned(submit, department):
    study = StudyFactory(department=department)
    analysis = submit(study=study, fields=CaseFields(patient_id="ELSE")).analysis
    assert [(w["code"], w["against"]) for w in analysis.open_warnings] == [("patient_id_mismatch", "record")]
    assert analysis.image.study.patient == study.patient


def test_a_known_record_number_with_another_name_is_questioned_and_not_overwritten(submit):
    submit()
    analysis = submit(png_bytes(seed=2), fields=CaseFields(patient_id="R1", patient_name="ROE RICHARD")).analysis
    assert [w["code"] for w in analysis.open_warnings] == ["patient_name_mismatch"]
    assert Patient.objects.get().patient_name == "DOE JANE"


def test_what_the_patients_row_does_not_say_is_completed(submit):
    submit()
    submit(png_bytes(seed=2), fields=CaseFields(patient_id="R1", patient_birth_date=date(1980, 1, 2)))
    assert Patient.objects.get().patient_birth_date == date(1980, 1, 2)


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        (CaseFields(patient_id="x" * 65), "patient_id"),
        (CaseFields(patient_name="a\x00b"), "patient_name"),
        (CaseFields(patient_name="a\u202eb"), "patient_name"),
        (CaseFields(patient_id="\ud800"), "patient_id"),
        (CaseFields(laterality="X"), "laterality"),
        (CaseFields(patient_sex="Q"), "patient_sex"),
        (CaseFields(modality="D/X"), "modality"),
        (CaseFields(study_date=timezone.localdate() + timedelta(days=3)), "study_date"),
        (CaseFields(patient_birth_date=date(1700, 1, 1)), "patient_birth_date"),
        (CaseFields(patient_birth_date=date(2020, 1, 2), study_date=date(2020, 1, 1)), "study_date"),
        (CaseFields(clinical_question="x" * 2001), "clinical_question"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_and_nothing_is_stored(submit, fields, bad):
    with pytest.raises(Invalid) as refused:
        submit(fields=fields)
    assert refused.value.code == "bad_field"
    assert list(refused.value.fields) == [bad]
    assert files() == []


def test_a_clinical_question_may_have_several_lines(submit):
    study = submit(fields=CaseFields(clinical_question="Pain.\r\nSince May.")).analysis.image.study
    assert study.clinical_question == "Pain.\nSince May."


def test_an_empty_file_is_refused(submit):
    with pytest.raises(Invalid) as refused:
        submit(b"")
    assert refused.value.code == "empty_file"


def test_a_file_over_the_limit_is_refused_before_it_is_read(submit, settings):
    settings.MAX_UPLOAD_BYTES = 10
    upload = ContentFile(b"x" * 11)
    upload.chunks = None  # reading it would fail
    with pytest.raises(ServiceError) as refused:
        submit(upload=upload)
    assert (refused.value.code, refused.value.status) == ("too_large", 413)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_answered_with_507_and_leaves_nothing(submit, monkeypatch, number):
    def half(self, name, content, *_):
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            target.write(content.read(10))
        raise OSError(number, "no room")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", half)
    with pytest.raises(StorageFull) as refused:
        submit()
    assert (refused.value.code, refused.value.status) == ("storage_full", 507)
    assert files() == []
    assert not Study.objects.exists()
    assert not Patient.objects.exists()


def test_an_unreachable_file_store_is_answered_with_503(submit, monkeypatch):
    def away(*_):
        raise ConnectionError("store")

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", away)
    with pytest.raises(ServiceError) as refused:
        submit()
    assert (refused.value.code, refused.value.status) == ("storage_unavailable", 503)


def test_a_failed_transaction_removes_the_file(submit, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError

    monkeypatch.setattr("analyses.intake.services.audit.record", broken)
    with pytest.raises(RuntimeError):
        submit()
    assert files() == []
    assert not Study.objects.exists()


def test_an_account_without_a_department_cannot_post(submit, administrator):
    with pytest.raises(Invalid) as refused:
        submit(user=administrator)
    assert refused.value.code == "no_department"


def test_an_ordinary_upload_costs_few_statements(submit, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        submit()
