"""The referral before biopsy: when it is offered, what is in the archive, and that it betrays no hidden answer."""

import hashlib
import io
import re
import time
import zipfile

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone
from PIL import Image as Picture
from pypdf import PdfReader

from accounts.models import AuditEvent, Language, ReadingMode
from accounts.services import change_settings
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, ServiceError
from analyses.models import Analysis, Image, Referral, UnaidedReading
from analyses.reading import services as reading
from analyses.record import storage
from analyses.referral import services as referral_services
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import ImageFactory, StudyFactory, png_bytes, result

FINDINGS = Findings(number="one", bone="tibia", margin="IIIB", periosteum="codman")
STATEMENT = "Research device. Not for diagnosis without a radiologist's reading."
# Nothing that the model says may stand in a letter to or from a reader who must not see it.
OF_THE_MODEL = ("research model", "probability", "bonescan-test", "0.80")


@pytest.fixture
def case(department, administrator):
    change_settings(
        institution_name="General hospital", contact="", tumour_centre="Bone tumour centre North", by=administrator
    )
    study = StudyFactory(owner=department, clinical_question="Night pain.")
    result("malignant", study=study, image__view_position="AP")
    study.refresh_from_db()
    return study


@pytest.fixture
def web(doctor) -> Client:
    client = Client()
    client.force_login(doctor)
    return client


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def words(pdf: bytes) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


def letter_of(referral) -> str:
    return words(files_of(referral_services.archive_bytes(referral))["letter.pdf"])


def refused(call, *args) -> str:
    with pytest.raises(Conflict) as caught:
        call(*args)
    return caught.value.code


def blind(doctor, **own):
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    if own:
        UnaidedReading.objects.create(reader=doctor, mode=ReadingMode.OWN_FIRST, opened_at=timezone.now(), **own)


def test_one_click_hands_out_letter_films_and_report_and_the_archive_can_be_had_again(web, case, doctor):
    reading.save_reading(case, user=doctor, reading="malignant", likelihood=90, structure=Structured(findings=FINDINGS))
    answer = web.post(f"/cases/{case.pk}/refer/", follow=True)
    assert answer["Content-Type"] == "application/zip"
    files = files_of(answer.content)
    report = next(name for name in files if name.startswith("report-"))
    assert set(files) == {"letter.pdf", "film-1-ap.png", report}
    assert files[report].startswith(b"%PDF")
    film = Image.objects.get()
    assert files["film-1-ap.png"] == storage.read(film.canonical_file)
    assert Picture.open(io.BytesIO(files["film-1-ap.png"])).format == "PNG"
    referral = Referral.objects.get()
    assert referral.archive_sha256 == hashlib.sha256(answer.content).hexdigest()
    assert referral.letter_sha256 == hashlib.sha256(files["letter.pdf"]).hexdigest()
    assert web.get(f"/referrals/{referral.pk}.zip").content == answer.content
    assert AuditEvent.objects.filter(action="refer", case_id=case.pk, user=doctor).count() == 1
    assert AuditEvent.objects.filter(action="download_referral", case_id=case.pk).count() == 2
    assert f"/referrals/{referral.pk}.zip" in web.get(f"/cases/{case.pk}/").content.decode()


def test_the_letter_says_who_asks_what_and_how_far_the_reading_is(case, doctor):
    reading.save_reading(
        case,
        user=doctor,
        reading="malignant",
        impression="Osteosarcoma likely.",
        likelihood=90,
        structure=Structured(findings=FINDINGS, recommendation="refer"),
    )
    text = letter_of(referral_services.refer(case, doctor))
    for said in (
        "Bone tumour centre North",
        "Please see this patient before any biopsy.",
        case.patient.patient_id,
        "Night pain.",
        f"Preliminary reading by {doctor}, not signed.",
        "90 of 100",
        "Codman triangle.",
        "Osteosarcoma likely.",
        "Refer to a bone tumour centre before any biopsy.",
        "Suspicious for malignancy, probability of malignancy 0.80",
        STATEMENT,
    ):
        assert said in text, said
    reading.sign(case, doctor)
    assert "Signed by" in letter_of(referral_services.refer(case, doctor))


def test_the_letter_is_written_in_the_language_of_the_department(case, doctor, department):
    department.language = Language.GERMAN
    department.save()
    reading.save_reading(case, user=doctor, reading="malignant", structure=Structured(findings=FINDINGS))
    text = letter_of(referral_services.refer(case, doctor))
    assert "Codman-Dreieck." in text
    assert "Wir bitten um Vorstellung dieser Person vor jeder Biopsie." in text


def test_a_case_that_nothing_calls_suspicious_is_not_referred_and_shows_no_button(web, department, doctor):
    study = StudyFactory(owner=department)
    result("benign", study=study)
    assert refused(referral_services.refer, study, doctor) == "not_suspicious"
    assert f"/cases/{study.pk}/refer/" not in web.get(f"/cases/{study.pk}/").content.decode()
    reading.save_reading(study, user=doctor, reading="cannot_tell")
    assert refused(referral_services.refer, study, doctor) == "not_suspicious"
    reading.save_reading(study, user=doctor, reading="benign", likelihood=50)
    assert f"/cases/{study.pk}/refer/" in web.get(f"/cases/{study.pk}/").content.decode()
    assert referral_services.refer(study, doctor).films == 1


def test_two_clicks_make_one_archive_and_a_changed_case_another(case, doctor):
    first = referral_services.refer(case, doctor)
    assert referral_services.refer(case, doctor) == first
    reading.save_reading(case, user=doctor, reading="malignant")
    assert referral_services.refer(case, doctor) != first
    assert Referral.objects.count() == 2


def test_a_case_without_patient_with_open_contradictions_or_without_film_is_not_referred(case, doctor, department):
    unassigned = StudyFactory(department=department, patient=None)
    result("malignant", study=unassigned)
    unassigned.refresh_from_db()
    assert refused(referral_services.refer, unassigned, doctor) == "unassigned"
    warning = {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    Analysis.objects.filter(image__study=case).update(warnings=[warning])
    assert refused(referral_services.refer, case, doctor) == "identity_unconfirmed"
    Analysis.objects.filter(image__study=case).update(warnings=[])
    Image.objects.filter(study=case).update(canonical_file="")
    assert refused(referral_services.refer, case, doctor) == "no_film"


def test_every_film_is_enclosed_once(case, doctor):
    result("benign", image=ImageFactory(study=case, stored=True, film_bytes=png_bytes(seed=7)))
    files = files_of(referral_services.archive_bytes(referral_services.refer(case, doctor)))
    assert {name for name in files if name.endswith(".png")} == {"film-1-ap.png", "film-2.png"}


def test_a_blind_reader_is_offered_nothing_by_the_models_answer(web, case, doctor):
    assert f"/cases/{case.pk}/refer/" in web.get(f"/cases/{case.pk}/").content.decode()
    blind(doctor)
    assert f"/cases/{case.pk}/refer/" not in web.get(f"/cases/{case.pk}/").content.decode()
    assert web.post(f"/cases/{case.pk}/refer/").status_code == 409
    assert not Referral.objects.exists()


def test_the_archive_of_a_blind_reader_holds_nothing_of_the_model(web, case, doctor):
    blind(doctor)
    now = timezone.now()
    UnaidedReading.objects.create(
        study=case, reader=doctor, mode="trial", arm="hidden", reading="malignant", likelihood=90, opened_at=now,
        locked_at=now, answer={"complete": True, "outcome": "malignant", "films": []},
    )  # fmt: skip
    reading.save_reading(case, user=doctor, reading="malignant", likelihood=90)
    files = files_of(web.post(f"/cases/{case.pk}/refer/", follow=True).content)
    assert set(files) == {"letter.pdf", "film-1-ap.png"}
    text = words(files["letter.pdf"])
    assert "90 of 100" in text
    for word in OF_THE_MODEL:
        assert word not in text


def test_a_blind_reader_is_not_given_the_archive_of_one_who_saw_the_answer(case, doctor, department):
    colleague = UserFactory(department=department, roles=["doctor"])
    archive = referral_services.refer(case, colleague)
    assert archive.with_answer
    blind(doctor)
    web = Client()
    web.force_login(doctor)
    assert web.get(f"/referrals/{archive.pk}.zip").status_code == 404
    assert str(archive.pk) not in web.get(f"/cases/{case.pk}/").content.decode()
    UnaidedReading.objects.create(
        study=case, reader=doctor, mode="own_first", opened_at=timezone.now(), locked_at=timezone.now()
    )
    assert web.get(f"/referrals/{archive.pk}.zip").status_code == 200


def test_a_blind_reader_is_offered_nothing_by_a_colleagues_reading_that_may_follow_the_answer(case, doctor, department):
    colleague = UserFactory(department=department, roles=["doctor"])
    reading.save_reading(case, user=colleague, reading="malignant")
    blind(doctor)
    assert refused(referral_services.refer, case, doctor) == "not_suspicious"
    web = Client()
    web.force_login(doctor)
    assert f"/cases/{case.pk}/refer/" not in web.get(f"/cases/{case.pk}/").content.decode()


def test_a_damaged_archive_is_not_handed_out(case, doctor):
    referral = referral_services.refer(case, doctor)
    Referral.objects.update(archive_sha256="0" * 64)
    referral.refresh_from_db()
    with pytest.raises(ServiceError) as caught:
        referral_services.archive_bytes(referral)
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize("who", ["clerk", "api_client", "administrator", "auditor"])
def test_only_doctors_refer(request, case, who):
    with pytest.raises(PermissionDenied):
        referral_services.refer(case, request.getfixturevalue(who))


def test_the_click_is_answered_far_within_a_minute_of_opening_the_case(web, department, doctor):
    """Three films of 3000 x 2500: opening, saving a reading and the whole archive together."""
    study = StudyFactory(owner=department)
    for seed in range(3):
        film = ImageFactory(study=study, stored=True, film_bytes=png_bytes(3000, 2500, seed))
        result("malignant", image=film)
    began = time.perf_counter()
    assert web.get(f"/cases/{study.pk}/").status_code == 200
    assert web.post(f"/cases/{study.pk}/reading/", {"reading": "malignant", "action": "save"}).status_code == 302
    answer = web.post(f"/cases/{study.pk}/refer/", follow=True)
    took_s = time.perf_counter() - began
    assert answer.status_code == 200
    assert len(files_of(answer.content)) == 5
    print(f"opening to archive: {took_s:.1f} s")
    assert took_s < 60
