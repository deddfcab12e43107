"""The doctor's reading: draft, signature, addendum, and every state in which one of them is refused."""

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection

from accounts.models import AuditEvent, Department
from accounts.tests.factories import UserFactory
from analyses.answers import current
from analyses.case_page import corrections
from analyses.errors import Conflict, Invalid
from analyses.models import Analysis, ReadingState, Report, ReportKind, Review, Task
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.structured_reading import signature
from analyses.tests.factories import ADVISED, AnalysisFactory, ImageFactory, StudyFactory, result
from analyses.worklist import assignment


@pytest.fixture
def case(department):
    """A case of one film that the model calls malignant."""
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


@pytest.fixture
def colleague(department):
    return UserFactory(email="colleague@example.org", department=department, roles=["doctor"])


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(Conflict) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_a_draft_is_kept_makes_the_case_preliminary_and_counts_as_a_change(case, doctor):
    before = case.revision
    review = reading.save_reading(case, user=doctor, reading="malignant", impression="  Lytic lesion.\r\nNo fracture. ")
    assert (review.reader, review.impression) == (doctor, "Lytic lesion.\nNo fracture.")
    assert not review.is_signed
    assert case.reading_state == ReadingState.PRELIMINARY
    assert case.revision == before + 1
    assert AuditEvent.objects.filter(action="save_reading", case_id=case.pk, user=doctor).count() == 1


@pytest.mark.parametrize(
    ("outcome", "read", "agrees"),
    [
        ("malignant", "malignant", True),
        ("malignant", "benign", False),
        ("benign", "cannot_tell", False),
        ("normal", "normal", True),
        ("not_analysable", "benign", None),
        ("failed", "malignant", None),
    ],
)
def test_agreement_is_computed_from_the_models_answer(department, doctor, outcome, read, agrees):
    study = StudyFactory(owner=department)
    result(outcome, study=study)
    assert reading.save_reading(study, user=doctor, reading=read).agrees_with_model is agrees


def test_agreeing_with_an_answer_that_has_changed_meanwhile_is_refused(case, doctor):
    code = refused(reading.save_reading, case, user=doctor, reading="benign", agrees_with_model=True)
    assert code == "result_changed"
    assert not Review.objects.exists()


def test_an_unknown_reading_and_an_endless_impression_are_refused(case, doctor):
    for fields in ({"reading": "healthy"}, {"reading": "benign", "impression": "x" * 8001}, {"reading": ""}):
        with pytest.raises(Invalid):
            reading.save_reading(case, user=doctor, **fields)
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("read", "codes"),
    [
        ("benign", {"tumour_stage": "1"}),
        ("benign", {"tumour_stage": "3"}),
        ("malignant", {"tumour_grade": "GX"}),
        ("malignant", {"tumour_grade": "G3", "tumour_stage": "IIB"}),
        ("malignant", {"tumour_stage": "III"}),
        ("cannot_tell", {}),
    ],
)
def test_grade_and_stage_are_kept_with_the_draft_and_named_as_codes_in_the_trail(case, doctor, read, codes):
    review = reading.save_reading(case, user=doctor, reading=read, structure=ADVISED, **codes)
    review.refresh_from_db()
    assert review.grade_and_stage == codes
    reading.sign(case, doctor)
    for action in ("save_reading", "sign"):
        detail = AuditEvent.objects.get(action=action).detail
        assert {name: code for name, code in detail.items() if name.startswith("tumour_")} == codes


@pytest.mark.parametrize(
    ("read", "field", "code", "why"),
    [
        ("malignant", "tumour_stage", "2", "Stages 1 to 3 apply to benign tumours"),
        ("normal", "tumour_stage", "1", "Stages 1 to 3 apply to benign tumours"),
        ("benign", "tumour_stage", "IA", "Stages IA to III apply to malignant tumours"),
        ("cannot_tell", "tumour_stage", "III", "Stages IA to III apply to malignant tumours"),
        ("benign", "tumour_grade", "G1", "Only malignant tumours are graded"),
        ("normal", "tumour_grade", "GX", "Only malignant tumours are graded"),
        ("malignant", "tumour_grade", "G4", "Choose a grade"),
        ("malignant", "tumour_stage", "IIC", "Choose a stage"),
    ],
)
def test_a_grade_or_stage_that_contradicts_the_reading_is_refused_at_its_field(case, doctor, read, field, code, why):
    with pytest.raises(Invalid) as caught:
        reading.save_reading(case, user=doctor, reading=read, **{field: code})
    assert list(caught.value.fields) == [field]
    assert why in caught.value.fields[field][0]
    assert not Review.objects.exists()


def test_a_draft_saved_without_grade_and_stage_clears_them(case, doctor):
    reading.save_reading(case, user=doctor, reading="malignant", tumour_grade="G3", tumour_stage="IIB")
    assert reading.save_reading(case, user=doctor, reading="benign").grade_and_stage == {}


@pytest.mark.parametrize("who", ["clerk", "api_client", "administrator", "auditor"])
def test_only_doctors_read_sign_and_add(request, case, who):
    user = request.getfixturevalue(who)
    for call in (
        lambda: reading.save_reading(case, user=user, reading="benign"),
        lambda: reading.sign(case, user),
        lambda: reading.add_addendum(case, user, "text"),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert not Review.objects.exists()


def test_signing_locks_hashes_and_makes_the_case_final(case, doctor):
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED, impression="Lytic lesion.")
    review = reading.sign(case, doctor)
    assert review.is_signed
    assert case.reading_state == ReadingState.FINAL
    content = signature.signed_content(case, review, current.current_analyses(case, Task.TUMOUR), review.signed_at)
    assert review.signed_sha256 == signature.content_sha256(content)
    assert content["impression"] == "Lytic lesion."
    assert content["films"][0]["outcome"] == "malignant"
    assert AuditEvent.objects.get(action="sign").detail["sha256"] == review.signed_sha256


def test_a_signed_reading_takes_no_change_and_no_second_signature(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED, impression="Lytic lesion.")
    reading.sign(case, doctor)
    for user in (doctor, colleague):
        assert refused(reading.save_reading, case, user=user, reading="benign") == "already_signed"
        assert refused(reading.sign, case, user) == "already_signed"
    assert Review.objects.get().reading == "malignant"
    assert AuditEvent.objects.filter(action="sign").count() == 1


def test_nobody_signs_what_a_colleague_wrote(case, doctor, colleague):
    reading.save_reading(case, user=doctor, reading="benign")
    assert refused(reading.sign, case, colleague) == "not_your_reading"
    assignment.take_over(case, colleague)
    reading.save_reading(case, user=colleague, reading="malignant", structure=ADVISED)
    assert refused(reading.sign, case, doctor) == "not_your_reading"
    assert reading.sign(case, colleague).reader == colleague


def test_a_case_without_reading_cannot_be_signed(case, doctor):
    assert refused(reading.sign, case, doctor) == "not_read"


def test_an_unassigned_case_cannot_be_signed(department, doctor):
    study = StudyFactory(department=department, patient=None)
    result("benign", study=study)
    reading.save_reading(study, user=doctor, reading="benign")
    assert refused(reading.sign, study, doctor) == "unassigned"


def test_where_the_department_waits_a_case_is_signed_once_every_film_has_ended(case, doctor):
    Department.objects.update(waits_for_answers=True)
    waiting = AnalysisFactory(image=ImageFactory(study=case))
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    assert refused(reading.sign, case, doctor) == "still_running"
    Analysis.objects.filter(pk=waiting.pk).update(status="cancelled")
    assert reading.sign(case, doctor).is_signed


def test_a_case_with_an_undecided_contradiction_is_not_signed(case, doctor):
    warning = {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    Analysis.objects.update(warnings=[warning])
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    assert refused(reading.sign, case, doctor) == "identity_unconfirmed"
    Analysis.objects.update(warnings=[warning | {"confirmed": "file"}])
    assert reading.sign(case, doctor).is_signed


def test_an_answer_that_came_after_the_draft_must_be_seen_before_signing(department, doctor):
    study = StudyFactory(owner=department)
    result("benign", study=study)
    reading.save_reading(study, user=doctor, reading="benign")
    result("malignant", study=study)
    assert refused(reading.sign, study, doctor) == "result_changed"
    assert reading.save_reading(study, user=doctor, reading="benign").agrees_with_model is False
    assert reading.sign(study, doctor).is_signed


@pytest.mark.parametrize("outcome", ["failed", "not_analysable"])
def test_a_case_that_the_model_could_not_judge_can_be_read_and_signed(department, doctor, outcome):
    study = StudyFactory(owner=department)
    result(outcome, study=study)
    reading.save_reading(study, user=doctor, reading="cannot_tell", structure=ADVISED)
    assert reading.sign(study, doctor).is_signed


def test_an_addendum_needs_a_signature_and_words_and_amends_the_case(case, doctor, colleague):
    assert refused(reading.add_addendum, case, doctor, "The lesion is new.") == "not_signed"
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(case, doctor)
    with pytest.raises(Invalid):
        reading.add_addendum(case, doctor, "  \n ")
    addendum = reading.add_addendum(case, colleague, "The lesion is new.")
    assert addendum.author == colleague
    assert case.reading_state == ReadingState.AMENDED
    assert Review.objects.get().reading == "malignant"


def test_the_final_report_exists_once_the_signature_is_kept(case, doctor, django_capture_on_commit_callbacks):
    preliminary = reports.issue_report(case, doctor)
    with django_capture_on_commit_callbacks(execute=True):
        reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
        reading.sign(case, doctor)
    final = Report.objects.get(state="valid")
    assert (final.kind, final.revision) == (ReportKind.FINAL, case.revision)
    preliminary.refresh_from_db()
    assert preliminary.state == "superseded"
    with django_capture_on_commit_callbacks(execute=True):
        reading.add_addendum(case, doctor, "The lesion is new.")
    assert Report.objects.get(state="valid").kind == ReportKind.AMENDED


def test_the_signature_stands_when_the_report_cannot_be_stored(
    case, doctor, monkeypatch, django_capture_on_commit_callbacks, caplog
):
    def full(*_):
        raise OSError(28, "No space left on device")

    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        patch.setattr("django.core.files.storage.FileSystemStorage._save", full)
        reading.sign(case, doctor)
    assert Review.objects.get().is_signed
    assert not Report.objects.exists()
    assert reports.issue_report(case, doctor).kind == ReportKind.FINAL


def test_a_signature_covers_the_patient_the_side_and_the_answers_but_not_the_clinical_question(case, doctor):
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    review = reading.sign(case, doctor)
    case.clinical_question = "Other question"
    assert signature.covers(case, review, current.current_analyses(case, Task.TUMOUR))
    corrections.reassign(case, user=doctor, reason="wrong side", laterality="R")
    assert not signature.covers(case, review, current.current_analyses(case, Task.TUMOUR))
    corrections.reassign(case, user=doctor, reason="was right", laterality="L")
    assert signature.covers(case, review, current.current_analyses(case, Task.TUMOUR))
    Analysis.objects.update(outcome="benign")
    assert not signature.covers(case, review, current.current_analyses(case, Task.TUMOUR))


def test_the_signature_covers_grade_and_stage(case, doctor):
    reading.save_reading(
        case, user=doctor, reading="malignant", structure=ADVISED, tumour_grade="G3", tumour_stage="IIB"
    )
    review = reading.sign(case, doctor)
    analyses = current.current_analyses(case, Task.TUMOUR)
    assert signature.covers(case, review, analyses)
    for field, code in (("tumour_grade", "G1"), ("tumour_grade", ""), ("tumour_stage", "IB"), ("tumour_stage", "")):
        changed = Review.objects.get()
        setattr(changed, field, code)
        assert not signature.covers(case, changed, analyses)


def test_a_reading_signed_before_there_were_grade_and_stage_keeps_its_signature(case, doctor):
    """The content is that of before, key by key, so that its sha256 is too."""
    reading.save_reading(case, user=doctor, reading="benign", impression="Lytic lesion.")
    review = reading.sign(case, doctor)
    analyses = current.current_analyses(case, Task.TUMOUR)
    content = signature.signed_content(case, review, analyses, review.signed_at)
    before = {"case", "patient", "study", "films", "reading", "impression", "reader", "signed_at"}
    assert set(content) == before | {"signed_as"}
    review.signed_sha256 = signature.content_sha256({name: content[name] for name in before})
    assert signature.covers(case, review, analyses)
    review.tumour_grade = "G3"
    assert not signature.covers(case, review, analyses)


@pytest.mark.django_db(transaction=True)
def test_two_clicks_on_sign_make_one_signature(case, doctor):
    if connection.vendor != "postgresql":
        pytest.skip("needs row locks of PostgreSQL (scripts/with_services)")
    reading.save_reading(case, user=doctor, reading="malignant", structure=ADVISED)
    codes, start = [], threading.Barrier(2)

    def click():
        try:
            start.wait(10)
            reading.sign(case, doctor)
            codes.append("signed")
        except Conflict as conflict:
            codes.append(conflict.code)
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join(30)
    assert sorted(codes) == ["already_signed", "signed"]
    assert AuditEvent.objects.filter(action="sign").count() == 1
    assert Report.objects.filter(kind=ReportKind.FINAL).count() == 1
