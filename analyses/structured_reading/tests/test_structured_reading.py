"""The structured part of a reading in the record: kept, signed, contradicted, never overwritten unseen."""

from datetime import date

import pytest

from accounts.models import AuditEvent, Language
from analyses.answers import current
from analyses.errors import Conflict, Invalid
from analyses.models import Review, Task
from analyses.reading import services as reading
from analyses.structured_reading import signature, text
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import StudyFactory, result

AGGRESSIVE = Findings(number="one", bone="femur", side="L", margin="IIIB", soft_tissue_mass="yes")
MILD = Findings(number="one", bone="femur", side="L", margin="IA")


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


def save(case, doctor, read="malignant", **fields):
    own = {name: fields.pop(name) for name in ("likelihood", "version", "impression") if name in fields}
    return reading.save_reading(case, user=doctor, reading=read, structure=Structured(**fields), **own)


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(Conflict) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_findings_are_kept_and_their_text_is_written_in_the_language_of_the_department(case, doctor, department):
    assert save(case, doctor, findings=AGGRESSIVE).findings_text == text.findings_text(AGGRESSIVE, "en")
    department.language = Language.GERMAN
    department.save()
    review = save(case, doctor, findings=MILD)
    assert review.findings == MILD.to_json()
    assert review.findings_text == text.findings_text(MILD, "de")


def test_a_text_that_nobody_edited_follows_the_structure(case, doctor):
    written = save(case, doctor, findings=AGGRESSIVE).findings_text
    assert save(case, doctor, findings=MILD, findings_text=written).findings_text == text.findings_text(MILD, "en")


def test_an_edited_text_is_never_overwritten_but_is_said_to_be_older_than_the_structure(case, doctor):
    save(case, doctor, findings=AGGRESSIVE, findings_text="In my own words.")
    review = save(case, doctor, findings=MILD, findings_text="In my own words.", recommendation="refer")
    assert review.findings_text == "In my own words."
    assert refused(reading.sign, case, doctor) == "unconfirmed"
    assert reading.sign(case, doctor, ["text_is_older"]).confirmed == ["text_is_older"]


@pytest.mark.parametrize(
    ("read", "likelihood", "fields", "at"),
    [
        ("malignant", 101, {}, "likelihood"),
        ("malignant", -1, {}, "likelihood"),
        ("cannot_tell", 50, {}, "likelihood"),
        ("malignant", None, {"recommendation": "operate"}, "recommendation"),
        ("malignant", None, {"recommendation": "follow_up"}, "recommendation_months"),
        ("malignant", None, {"recommendation": "follow_up", "recommendation_months": 61}, "recommendation_months"),
        ("malignant", None, {"recommendation": "refer", "recommendation_months": 3}, "recommendation_months"),
        ("malignant", None, {"recommendation": "other", "recommendation_text": "  "}, "recommendation_text"),
        ("malignant", None, {"recommendation_text": "x" * 501}, "recommendation_text"),
        ("benign", None, {"disagreement_reason": "mood"}, "disagreement_reason"),
        ("benign", None, {"disagreement_reason": "other"}, "disagreement_text"),
        ("malignant", None, {"bone_rads": 4}, "bone_rads"),
        ("malignant", None, {"bone_rads": 5}, "bone_rads"),
        ("malignant", None, {"findings": MILD, "findings_text": "x" * 8001}, "findings_text"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_and_nothing_is_kept(case, doctor, read, likelihood, fields, at):
    with pytest.raises(Invalid) as caught:
        save(case, doctor, read, likelihood=likelihood, **fields)
    assert list(caught.value.fields) == [at]
    assert not Review.objects.exists()


def test_a_bone_rads_category_is_kept_where_it_is_valid_and_refused_with_the_reasons_elsewhere(department, doctor):
    study = StudyFactory(owner=department, modality="CT", patient__patient_birth_date=date(1980, 1, 1))
    result("benign", study=study)
    incidental = Findings(number="one", incidental="yes", known_primary="no")
    assert save(study, doctor, "benign", findings=incidental, bone_rads=1).bone_rads == 1
    with pytest.raises(Invalid) as caught:
        save(study, doctor, "benign", findings=Findings(number="several"), bone_rads=1)
    assert len(caught.value.fields["bone_rads"]) == 3


def test_a_reason_for_disagreement_is_kept_only_where_the_reading_overrules_the_model(case, doctor):
    given = {"disagreement_reason": "history", "disagreement_text": "Unchanged for years"}
    assert save(case, doctor, "benign", **given).disagreement_reason == "history"
    review = save(case, doctor, "malignant", **given)
    assert (review.disagreement_reason, review.disagreement_text) == ("", "")


def test_a_contradiction_must_be_confirmed_and_the_signature_says_which_was(case, doctor):
    save(case, doctor, "benign", findings=AGGRESSIVE, recommendation="none")
    assert refused(reading.sign, case, doctor) == "unconfirmed"
    assert refused(reading.sign, case, doctor, ["no_follow_up_aggressive"]) == "unconfirmed"
    both = ["no_follow_up_aggressive", "benign_but_aggressive"]
    review = reading.sign(case, doctor, [*both, "no_such_code"])
    assert review.confirmed == sorted(both)
    assert AuditEvent.objects.get(action="sign").detail["confirmed"] == sorted(both)


def test_an_error_cannot_be_confirmed_away(case, doctor):
    save(case, doctor, "normal", findings=MILD)
    assert refused(reading.sign, case, doctor, ["normal_with_lesion"]) == "contradiction"


def test_the_bone_and_side_are_compared_with_the_examination(case, doctor):
    """The case is of the left knee."""
    save(case, doctor, findings=Findings(number="one", bone="humerus", side="R"), recommendation="mr")
    assert refused(reading.sign, case, doctor, ["other_bone"]) == "unconfirmed"
    assert reading.sign(case, doctor, ["other_bone", "other_side"]).is_signed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("likelihood", 96),
        ("findings", {}),
        ("findings_text", "Other"),
        ("recommendation", "mr"),
        ("recommendation_months", 3),
        ("recommendation_text", "Other"),
        ("bone_rads", 4),
        ("disagreement_reason", "other"),
        ("disagreement_text", "Other"),
        ("confirmed", ["other_bone"]),
    ],
)
def test_the_signature_covers_every_structured_field(case, doctor, field, value):
    save(case, doctor, likelihood=95, findings=AGGRESSIVE, recommendation="refer")
    review = reading.sign(case, doctor)
    analyses = current.current_analyses(case, Task.TUMOUR)
    assert signature.covers(case, review, analyses)
    setattr(review, field, value)
    assert not signature.covers(case, review, analyses)


def test_a_page_that_shows_an_older_draft_does_not_overwrite_a_newer_one(case, doctor):
    save(case, doctor, impression="First tab.", version=0)
    assert refused(save, case, doctor, impression="Second tab.", version=0) == "stale_draft"
    assert Review.objects.get().impression == "First tab."
    assert save(case, doctor, impression="Second tab.", version=1).version == 2


def test_the_same_reading_sent_twice_is_kept_once(case, doctor):
    first = save(case, doctor, impression="Once.", findings=MILD, version=0)
    again = save(case, doctor, impression="Once.", findings=MILD, version=0)
    assert (again.pk, again.version) == (first.pk, 1)
    assert AuditEvent.objects.filter(action="save_reading").count() == 1


def test_the_trail_names_codes_and_never_a_text(case, doctor):
    save(case, doctor, "benign", likelihood=30, findings=MILD, recommendation="other", recommendation_text="Secret")
    detail = AuditEvent.objects.get(action="save_reading").detail
    assert detail["likelihood"] == 30
    assert detail["recommendation"] == "other"
    assert "Secret" not in str(detail)
    assert "lesion" not in str(detail)


def test_an_addendum_keeps_its_reason_and_refuses_an_unknown_one(case, doctor):
    save(case, doctor, recommendation="refer")
    reading.sign(case, doctor)
    assert reading.add_addendum(case, doctor, "Later.", "pathology").reason == "pathology"
    with pytest.raises(Invalid) as caught:
        reading.add_addendum(case, doctor, "Later.", "boredom")
    assert list(caught.value.fields) == ["reason"]
