"""The structure of a reading without a database: schema, text in both languages, contradictions, Bone-RADS."""

from datetime import date

import pytest

from analyses.answers.tags import body_parts
from analyses.errors import Invalid
from analyses.models.vocabulary import AGGRESSIVE_MARGINS, Bone, End, Margin, Part, Recommendation, Side
from analyses.structured_reading import bone_rads, contradictions, text
from analyses.structured_reading.contradictions import BONES_OF, StatedCase
from analyses.structured_reading.findings import CODES, Findings, from_json

AGGRESSIVE = Findings(
    number="one",
    bone="femur",
    side="L",
    part="metaphysis",
    end="distal",
    size_mm=(45, 30),
    margin="IIIB",
    matrix="osteoid",
    periosteum="spiculated",
    cortical_destruction="yes",
    soft_tissue_mass="yes",
    fracture="no",
)
INCIDENTAL = Findings(number="one", incidental="yes", known_primary="no")


def codes(**said) -> list[str]:
    return [one.code for one in contradictions.find(StatedCase(**said))]


def test_findings_survive_the_way_to_json_and_back_and_nothing_stated_is_nothing_stored():
    assert from_json(AGGRESSIVE.to_json()) == AGGRESSIVE
    assert Findings().to_json() == {}
    assert Findings().is_empty
    assert from_json(None) == Findings()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"margin": "IC"}, "margin"),
        ({"bone": "Femur"}, "bone"),
        ({"dignity": "benign"}, "dignity"),
        ({"size_mm": [0]}, "size_mm"),
        ({"size_mm": [601]}, "size_mm"),
        ({"size_mm": [1, 2, 3, 4]}, "size_mm"),
        ({"size_mm": ["12"]}, "size_mm"),
        ({"size_mm": [True]}, "size_mm"),
        ({"size_mm": "12"}, "size_mm"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_at_its_field(given, field):
    with pytest.raises(Invalid) as caught:
        from_json(given)
    assert list(caught.value.fields) == [field]


def test_the_longest_diameter_stands_first():
    assert from_json({"size_mm": [12, 40, 20]}).size_mm == (40, 20, 12)


def test_the_text_says_all_that_is_stated_in_english():
    assert text.findings_text(AGGRESSIVE, "en-gb") == (
        "Solitary lesion, left femur, distal metaphysis, 45 × 30 mm. Moth-eaten or permeative (modified "
        "Lodwick-Madewell grade IIIB). Osteoid matrix. Spiculated periosteal reaction. Cortical destruction. "
        "Soft-tissue mass. No pathological fracture."
    )
    assert text.impression("malignant", AGGRESSIVE, "en") == (
        "Left femur, distal metaphysis: lesion suspicious for malignancy."
    )


def test_the_text_says_the_same_in_german():
    assert text.findings_text(AGGRESSIVE, "de") == (
        "Solitäre Läsion, Femur links, distale Metaphyse, 45 × 30 mm. Mottenfraßartig oder permeativ (modifizierte "
        "Lodwick-Madewell-Klassifikation, Grad IIIB). Osteoide Matrix. Spikulierte Periostreaktion. "
        "Kortikalisdestruktion. Weichteilkomponente. Keine pathologische Fraktur."
    )
    assert text.impression("cannot_tell", AGGRESSIVE, "de") == (
        "Femur links, distale Metaphyse: Läsion unklarer Dignität."
    )
    assert text.recommendation("follow_up", 6, "", "de") == "Verlaufskontrolle in 6 Monaten."


@pytest.mark.parametrize("language", text.LANGUAGES)
def test_every_code_of_the_vocabulary_has_its_words_in_every_language(language):
    words = text.LANGUAGES[language]
    assert set(words.BONE) == set(Bone.values)
    assert set(words.SIDE) == set(Side.values)
    assert set(words.PART) == set(Part.values)
    assert set(words.END) == set(words.END_ALONE) == set(End.values)
    for name, sentences in words.SENTENCES.items():
        assert set(sentences) == set(CODES[name].values), name
    assert set(words.ADVICE) == set(Recommendation.values) - {"follow_up", "other"}


@pytest.mark.parametrize("language", text.LANGUAGES)
@pytest.mark.parametrize("name", [name for name in CODES if name not in ("incidental", "known_primary")])
def test_no_code_is_lost_in_the_text(name, language):
    written = {
        text.findings_text(Findings(**{"number": "one", "bone": "femur", name: code}), language)
        for code in CODES[name].values
    }
    assert len(written) == len(CODES[name].values)


def test_no_reading_reads_as_an_all_clear():
    for language in text.LANGUAGES:
        for written in (text.impression("normal", Findings(), language), text.findings_text(Findings(), language)):
            assert "healthy" not in written.lower()
            assert "gesund" not in written.lower()
    assert "does not exclude" in text.impression("normal", Findings(), "en")


def test_what_agrees_is_not_pointed_out():
    agreeing = {"likelihood": 95, "recommendation": "refer", "body_part": "KNEE"}
    assert codes(reading="malignant", findings=AGGRESSIVE, **agreeing) == []
    assert codes(reading="normal", likelihood=2, findings=Findings(number="none"), recommendation="none") == []
    assert codes(reading="benign", findings=Findings(number="one", margin="IA"), recommendation="none") == []


@pytest.mark.parametrize("margin", Margin.values)
def test_no_follow_up_with_an_aggressive_margin_is_pointed_out(margin):
    found = codes(reading="cannot_tell", findings=Findings(margin=margin), recommendation="none")
    assert found == (["no_follow_up_aggressive"] if margin in AGGRESSIVE_MARGINS else [])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"reading": "normal", "findings": Findings(number="one")}, "normal_with_lesion"),
        ({"reading": "normal", "findings": Findings(size_mm=(12,))}, "normal_with_lesion"),
        ({"reading": "normal", "findings": Findings(margin="IA")}, "normal_with_lesion"),
        ({"reading": "benign", "findings": Findings(number="none")}, "reading_without_lesion"),
        ({"reading": "cannot_tell", "findings": Findings(number="none", margin="II")}, "no_lesion_described"),
        ({"reading": "benign", "findings": Findings(margin="IIIB", soft_tissue_mass="yes")}, "benign_but_aggressive"),
        ({"reading": "benign", "findings": Findings(margin="IIIC", soft_tissue_mass="yes")}, "benign_but_aggressive"),
        ({"reading": "benign", "likelihood": 80}, "high_likelihood"),
        ({"reading": "normal", "likelihood": 100}, "high_likelihood"),
        ({"reading": "malignant", "likelihood": 19}, "low_likelihood"),
        ({"reading": "malignant", "recommendation": "none"}, "no_referral_malignant"),
        (
            {"reading": "cannot_tell", "findings": Findings(margin="IIIA"), "recommendation": "follow_up"},
            "only_follow_up_aggressive",
        ),
        ({"reading": "benign", "findings": Findings(bone="humerus"), "body_part": "Knee"}, "other_bone"),
        ({"reading": "benign", "findings": Findings(side="R"), "laterality": "L"}, "other_side"),
        ({"reading": "benign", "text_is_older": True}, "text_is_older"),
    ],
)
def test_each_contradiction_is_pointed_out(said, code):
    assert codes(**said) == [code]


@pytest.mark.parametrize(
    "said",
    [
        {"reading": "benign", "likelihood": 79},
        {"reading": "malignant", "likelihood": 20},
        {"reading": "benign", "findings": Findings(margin="IIIB", soft_tissue_mass="no")},
        {"reading": "benign", "findings": Findings(margin="IIIA", soft_tissue_mass="yes")},
        {"reading": "benign", "findings": Findings(bone="tibia"), "body_part": "KNEE"},
        {"reading": "benign", "findings": Findings(bone="humerus"), "body_part": "whole body"},
        {"reading": "benign", "findings": Findings(side="R"), "laterality": "B"},
        {"reading": "benign", "findings": Findings(side="R"), "laterality": ""},
        {"reading": "normal", "findings": Findings(side="L", fracture="no", matrix="none", periosteum="none")},
    ],
)
def test_what_is_possible_is_left_alone(said):
    assert codes(**said) == []


def test_errors_come_before_what_may_be_confirmed():
    found = contradictions.find(StatedCase(reading="normal", likelihood=90, findings=Findings(number="one")))
    assert [one.is_error for one in found] == [True, False]


def test_every_body_part_that_is_offered_has_its_bones():
    assert set(BONES_OF) == {part for part, _ in body_parts()}


def test_bone_rads_holds_for_a_solitary_incidental_lesion_of_an_adult_on_ct_or_mr():
    for modality in ("CT", "MR"):
        assert bone_rads.exclusions(modality, 18, INCIDENTAL) == []


@pytest.mark.parametrize(
    ("modality", "age", "findings", "word"),
    [
        ("DX", 40, INCIDENTAL, "radiographs"),
        ("", 40, INCIDENTAL, "radiographs"),
        ("CT", 17, INCIDENTAL, "adults aged 18 years"),
        ("MR", None, INCIDENTAL, "date of birth"),
        ("CT", 40, Findings(number="several", incidental="yes", known_primary="no"), "solitary"),
        ("CT", 40, Findings(number="one", incidental="no", known_primary="no"), "incidental"),
        ("CT", 40, Findings(number="one", incidental="yes", known_primary="yes"), "primary"),
        ("CT", 40, Findings(number="one", incidental="yes"), "primary"),
    ],
)
def test_bone_rads_says_why_it_does_not_hold(modality, age, findings, word):
    (reason,) = bone_rads.exclusions(modality, age, findings)
    assert word in reason


def test_age_counts_full_years_on_the_day():
    assert bone_rads.age_years(date(2008, 11, 24), date(2026, 11, 23)) == 17
    assert bone_rads.age_years(date(2008, 11, 24), date(2026, 11, 24)) == 18
    assert bone_rads.age_years(None, date(2026, 11, 24)) is None
