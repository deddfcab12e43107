"""What a model is meant for: which words and codes keep a picture from it, in the spellings that devices write."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.card import installed, load_card
from inference.imaging.decode import decode_bytes
from inference.tests.made_dicom import dicom, ramp
from inference.use import rules
from inference.use.body_parts import outside_by_code, outside_by_words

MAMMOGRAPHY_OBJECT = "1.2.840.10008.5.1.4.1.1.1.2"
CARD = {"modality": ["CR", "DX"]}


def refusals(**elements) -> list[tuple[str, str]]:
    """Tag and value of every statement of a file with these elements that keeps it from the model."""
    use = decode_bytes(dicom(ramp(0, 4000), **elements)).meta["use"]
    return [(one.tag, one.value) for one in rules.outside(rules.statements(use, {}, {}), CARD)]


def coded(value: str, scheme: str, meaning: str = "") -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


@pytest.mark.parametrize(
    ("said", "region"),
    [
        ("BREAST", "breast"), ("Mamma links", "breast"), ("BREAST_L", "breast"), ("SENO", "breast"),
        ("CHEST", "chest"), ("Thorax p.a.", "chest"), ("TÓRAX", "chest"), ("LUNG", "chest"), ("BRUST", "chest"),
        ("chest/abd", "chest"), ("胸部正位", "chest"), ("CHESTABDOMEN", "chest"),
        ("ABDOMEN", "abdomen"), ("KUB", "abdomen"), ("Bauch", "abdomen"),
        ("SKULL", "head"), ("HEAD", "head"), ("Schädel ap", "head"), ("SCHAEDEL", "head"), ("GŁOWA", "head"),
        ("CRÂNE", "head"), ("NASAL BONE", "head"), ("SINUS", "head"), ("ЧЕРЕП", "head"),
        ("TEETH", "teeth and jaw"), ("JAW", "teeth and jaw"), ("DENTAL", "teeth and jaw"), ("ZÄHNE", "teeth and jaw"),
        ("TMJ", "teeth and jaw"), ("PANORAMIC", "teeth and jaw"), ("PHANTOM", "phantom"),
    ],
)  # fmt: skip
def test_what_is_no_bone_film_is_known_by_the_words_that_devices_write(said, region):
    assert outside_by_words(said) == region


@pytest.mark.parametrize(
    "said",
    ["", "KNEE", "HAND", "HIP", "PELVIS", "SHOULDER", "CLAVICLE", "SCAPULA", "RIBS", "SPINE", "CSPINE", "EXTREMITY",
     "CHEST RIBS", "RIPPEN THORAX", "THORACIC SPINE", "BRUSTWIRBELSÄULE", "BRUSTBEIN", "RADIUS HEAD", "FEMORAL HEAD",
     "HÜFTKOPF", "胸椎", "ABDOMENPELVIS", "CHESTABDPELVIS", "WHOLEBODY", "NECK", "STERNUM", "SKELETON", "?", "1.2"],
)  # fmt: skip
def test_bone_and_what_nobody_knows_is_left_to_the_gate(said):
    assert outside_by_words(said) == ""


def test_codes_count_in_both_forms_of_snomed_and_in_no_other_scheme():
    assert [outside_by_code("76752008", "SCT"), outside_by_code("T-04000", "srt")] == ["breast", "breast"]
    assert outside_by_code("76752008", "LN") == ""
    assert outside_by_code("72696002", "SCT") == ""  # knee region


def test_no_code_stands_for_two_regions_and_no_bone_word_is_refused():
    from inference.use.body_parts import BONE, OUTSIDE

    codes = [code for region in OUTSIDE for code in region.codes]
    words = [word for region in OUTSIDE for word in region.words]
    assert (len(codes), len(words)) == (len(set(codes)), len(set(words)))
    assert not BONE & set(words)
    assert all(outside_by_words(word) for word in words)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "DR", "dx "])
def test_plain_radiographs_pass(modality):
    assert refusals(Modality=modality, BodyPartExamined="KNEE") == []


@pytest.mark.parametrize("modality", ["MG", "IO", "PX", "RF", "XA", "OT", "CT", "MR", "US", "SC"])
def test_every_other_modality_is_refused_by_its_tag(modality):
    assert refusals(Modality=modality) == [("modality", modality)]


def test_every_tag_that_speaks_against_the_film_is_named():
    found = refusals(
        Modality="MG", BodyPartExamined="BREAST", AnatomicRegionSequence=coded("76752008", "SCT", "Breast")
    )
    assert found == [("modality", "MG"), ("body_part_examined", "BREAST"), ("anatomic_region", "76752008")]


def test_a_silent_modality_is_read_off_the_kind_of_object():
    assert refusals(Modality=None, SOPClassUID=MAMMOGRAPHY_OBJECT) == [("sop_class", "MG")]
    assert refusals(Modality="DX", SOPClassUID=MAMMOGRAPHY_OBJECT) == [("sop_class", "MG")]
    assert refusals(Modality="MG", SOPClassUID=MAMMOGRAPHY_OBJECT) == [("modality", "MG")]


def test_a_file_that_says_nothing_is_left_to_the_gate():
    assert refusals(Modality=None) == []


def test_letters_that_a_code_string_must_not_hold_are_read_as_what_they_are():
    data = dicom(ramp(0, 4000), BodyPartExamined="SCHAEDEL__")
    for written in ("SCHÄDEL  ", "SCHÄDEL "):
        raw = written.encode("latin-1" if len(written.encode()) == 10 and written.endswith("  ") else "utf-8")
        changed = data.replace(b"SCHAEDEL__", raw.ljust(10))
        use = decode_bytes(changed).meta["use"]
        assert outside_by_words(use["body_part_examined"]) == "head"


@pytest.mark.parametrize(
    "region", [Sequence([]), coded("", ""), Sequence([Dataset()])], ids=["no item", "empty", "no code"]
)
def test_a_region_without_a_code_says_nothing(region):
    assert refusals(AnatomicRegionSequence=region) == []


def test_what_a_doctor_states_replaces_file_and_uploader():
    said = {"modality": "MG", "body_part_examined": "BREAST", "sop_class": MAMMOGRAPHY_OBJECT,
            "anatomic_region": {"value": "76752008", "scheme": "SCT", "meaning": "Breast"}}  # fmt: skip
    corrected = {"modality": "DX", "body_part_examined": "TIBIA"}
    assert rules.outside(rules.statements(said, {"modality": "MR"}, corrected), CARD) == []
    half = rules.outside(rules.statements(said, {}, {"modality": "DX"}), CARD)
    assert [one.tag for one in half] == ["body_part_examined", "anatomic_region"]


def test_what_the_uploader_says_counts_like_the_file():
    found = rules.outside(rules.statements({}, {"modality": "MR", "body_part_examined": "CHEST"}, {}), CARD)
    assert [(one.tag, one.source) for one in found] == [("modality", "typed"), ("body_part_examined", "typed")]


def test_a_card_may_state_its_own_use():
    said = rules.statements({"modality": "RF", "body_part_examined": "CHEST"}, {}, {})
    assert rules.outside(said, {"intended_for": {"modalities": ["RF"], "body_parts_refused": []}}) == []
    narrow = {"intended_for": {"modalities": ["DX"]}}
    assert [one.value for one in rules.outside(said, narrow)] == ["RF", "CHEST"]


def test_a_model_of_another_modality_refuses_no_body_part_unless_its_card_says_so():
    said = rules.statements({"modality": "MR", "body_part_examined": "HEAD"}, {}, {})
    assert rules.outside(said, {"modality": ["MR"]}) == []
    assert rules.outside(said, {}, "MR") == []


def test_every_installed_model_takes_plain_radiographs_of_bone_and_nothing_else():
    for folder in installed().values():
        card = load_card(folder)
        assert set(rules.admitted_modalities(card)) == {"CR", "DX", "RG"}
        assert {"breast", "chest", "head", "teeth and jaw"} <= set(rules.refused_body_parts(card))


@pytest.mark.parametrize(("part", "rare"), [("CSPINE", True), ("RIBS", True), ("NECK", True), ("TIBIA", False)])
def test_bones_that_no_model_learnt_from_are_known(part, rare):
    assert rules.is_untrained_part(rules.statements({"body_part_examined": part}, {}, {})) is rare
    region = {"value": "122494005", "scheme": "SCT", "meaning": ""}
    assert rules.is_untrained_part(rules.statements({"anatomic_region": region}, {}, {}))
