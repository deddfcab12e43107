"""Outcomes of cases: entered later by doctors, corrected in versions, one by one on the case page."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AuditEvent
from analyses.errors import Conflict, Invalid
from analyses.evidence.outcomes import services as outcomes
from analyses.evidence.outcomes.services import OutcomeFields
from analyses.models import CaseOutcome, Review, Study
from analyses.tests.factories import StudyFactory, result

pytestmark = pytest.mark.django_db
SARCOMA = OutcomeFields("malignant", "pathology", date(2026, 4, 11), "Pathology H-118", "osteosarcoma", "G3", "IIB")
FORM = {
    "truth": "malignant",
    "method": "pathology",
    "established_on": "2026-04-11",
    "source": "Pathology H-118",
    "subtype": "osteosarcoma",
    "tumour_grade": "G3",
    "tumour_stage": "IIB",
    "seen_version": "0",
}


def signed_case(doctor, reading="malignant", outcome="malignant", **fields) -> Study:
    study = StudyFactory(owner=doctor.department, **fields)
    result(outcome, study=study)
    Study.objects.filter(pk=study.pk).update(reading_state="final")
    Review.objects.create(study=study, reader=doctor, reading=reading, model_outcome=outcome, signed_at=timezone.now())
    study.refresh_from_db()
    return study


@pytest.fixture
def study(doctor):
    return signed_case(doctor)


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def test_an_outcome_closes_a_signed_case_and_stands_in_the_trail(doctor, study):
    made = outcomes.enter_outcome(study, SARCOMA, user=doctor)
    assert (made.version, made.is_current, outcomes.fields_of(made)) == (1, True, SARCOMA)
    event = AuditEvent.objects.get(action="enter_outcome")
    assert (event.case_id, event.detail["truth"]) == (study.pk, "malignant")
    assert study.patient.patient_id not in str(event.detail)


def test_a_correction_is_a_new_version_and_the_earlier_one_stays(doctor, study):
    first = outcomes.enter_outcome(study, SARCOMA, user=doctor)
    benign = OutcomeFields("benign", "pathology", date(2026, 5, 2), subtype="osteochondroma")
    second = outcomes.enter_outcome(study, benign, user=doctor)
    assert [row.pk for row in outcomes.history(study)] == [second.pk, first.pk]
    assert list(CaseOutcome.objects.filter(study=study, is_current=True)) == [second]
    assert outcomes.fields_of(outcomes.history(study)[1]) == SARCOMA
    assert AuditEvent.objects.filter(action="correct_outcome").count() == 1


def test_the_same_outcome_sent_twice_makes_one_version(doctor, study):
    assert outcomes.enter_outcome(study, SARCOMA, user=doctor) == outcomes.enter_outcome(study, SARCOMA, user=doctor)
    assert CaseOutcome.objects.count() == 1


def test_a_second_tab_does_not_overwrite_what_it_has_not_seen(doctor, study):
    outcomes.enter_outcome(study, SARCOMA, user=doctor, seen_version=0)
    other = OutcomeFields("benign", "clinical_follow_up", date(2026, 5, 2))
    with pytest.raises(Conflict, match="in the meantime"):
        outcomes.enter_outcome(study, other, user=doctor, seen_version=0)
    assert outcomes.enter_outcome(study, other, user=doctor, seen_version=1).version == 2


@pytest.mark.parametrize("state", ["unread", "in_reading", "preliminary"])
def test_a_case_that_is_not_signed_takes_no_outcome(doctor, study, state):
    Study.objects.filter(pk=study.pk).update(reading_state=state)
    with pytest.raises(Conflict) as refused:
        outcomes.enter_outcome(study, SARCOMA, user=doctor)
    assert refused.value.code == "not_signed"


@pytest.mark.parametrize("who", ["clerk", "api_client", "administrator"])
def test_only_doctors_enter_outcomes(request, study, who):
    with pytest.raises(PermissionDenied):
        outcomes.enter_outcome(study, SARCOMA, user=request.getfixturevalue(who))
    assert not CaseOutcome.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"truth": "cannot_tell"}, "truth", "bad_field"),
        ({"method": "hearsay"}, "method", "bad_field"),
        ({"established_on": None}, "established_on", "bad_field"),
        ({"established_on": date(1989, 1, 1)}, "established_on", "bad_field"),  # before the birth date
        ({"established_on": date.today() + timedelta(days=2)}, "established_on", "bad_field"),
        ({"source": "=HYPERLINK(1)"}, "source", "bad_field"),
        ({"subtype": "+cmd"}, "subtype", "bad_field"),
        ({"subtype": "a\u202eb"}, "subtype", "bad_field"),
        ({"source": "x" * 201}, "source", "bad_field"),
        ({"tumour_grade": "G9"}, "tumour_grade", "bad_field"),
        ({"truth": "benign", "tumour_stage": "2"}, "tumour_grade", "contradiction"),
        ({"truth": "malignant", "tumour_stage": "2"}, "tumour_stage", "contradiction"),
        ({"truth": "benign", "tumour_grade": "", "tumour_stage": "IIB"}, "tumour_stage", "contradiction"),
        ({"truth": "normal", "tumour_grade": "", "tumour_stage": ""}, "subtype", "contradiction"),
    ],
)
def test_values_that_break_a_rule_are_refused_at_their_field(doctor, study, change, field, code):
    with pytest.raises(Invalid) as refused:
        outcomes.enter_outcome(study, OutcomeFields(**vars(SARCOMA) | change), user=doctor)
    assert (refused.value.code, list(refused.value.fields)) == (code, [field])


# --- on the page -----------------------------------------------------------------------------------------------
def test_the_case_page_takes_and_shows_the_outcome(web, study):
    assert "open: no pathology or follow-up yet" in web.get(f"/cases/{study.pk}/").content.decode()
    answer = web.post(f"/cases/{study.pk}/outcome/", FORM, follow=True)
    text = answer.content.decode()
    for words in (
        "Outcome saved. The case is closed.",
        "osteosarcoma",
        "Pathology H-118",
        "G3, high grade",
        "2026-04-11",
    ):
        assert words in text
    web.post(
        f"/cases/{study.pk}/outcome/",
        FORM | {"truth": "benign", "tumour_grade": "", "tumour_stage": "", "seen_version": "1"},
    )
    assert "1 earlier version" in web.get(f"/cases/{study.pk}/").content.decode()


def test_a_refused_outcome_keeps_what_was_typed_and_says_why(web, study):
    answer = web.post(f"/cases/{study.pk}/outcome/", FORM | {"truth": "benign", "tumour_stage": ""})
    text = answer.content.decode()
    assert (answer.status_code, "Only malignant tumours are graded." in text) == (400, True)
    assert "Pathology H-118" in text
    assert not CaseOutcome.objects.exists()


def test_a_refusal_for_another_version_lets_the_same_form_be_sent_again(web, doctor, study):
    outcomes.enter_outcome(study, OutcomeFields("benign", "pathology", date(2026, 4, 1)), user=doctor)
    answer = web.post(f"/cases/{study.pk}/outcome/", FORM)
    assert answer.status_code == 409
    assert 'name="seen_version" value="1"' in answer.content.decode()


def test_before_the_signature_the_page_has_no_place_for_an_outcome(web, department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    assert "outcome-head" not in web.get(f"/cases/{study.pk}/").content.decode()
    assert web.post(f"/cases/{study.pk}/outcome/", FORM).status_code == 409


def test_the_list_says_which_cases_are_closed(web, doctor, study):
    assert "closed" not in web.get("/cases/").content.decode()
    outcomes.enter_outcome(study, SARCOMA, user=doctor)
    assert "closed" in web.get("/cases/").content.decode()
