"""What in a reading contradicts itself or the examination: warnings that a doctor may confirm, and a few errors."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from analyses.models import Laterality, Reading
from analyses.models.vocabulary import AGGRESSIVE_MARGINS, GRADE_III, Bone, Number, Presence, Recommendation
from analyses.stored_words import body_part_words
from analyses.structured_reading.findings import EMPTY, Findings

# Likelihoods of malignancy (0 to 100) from which, and below which, they contradict a reading.
HIGH, LOW = 80, 20
# Bones that an examination named by DICOM's body part (PS3.16, CID 4) is taken of; another one is worth a look.
BONES_OF: dict[str, tuple[str, ...]] = {
    "ANKLE": (Bone.TIBIA, Bone.FIBULA, Bone.TARSUS),
    "CLAVICLE": (Bone.CLAVICLE,),
    "ELBOW": (Bone.HUMERUS, Bone.RADIUS, Bone.ULNA),
    "FEMUR": (Bone.FEMUR,),
    "FIBULA": (Bone.FIBULA, Bone.TIBIA),
    "FOOT": (Bone.TARSUS, Bone.METATARSAL, Bone.TOE),
    "FOREARM": (Bone.RADIUS, Bone.ULNA),
    "HAND": (Bone.CARPUS, Bone.METACARPAL, Bone.FINGER),
    "HIP": (Bone.FEMUR, Bone.PELVIS),
    "HUMERUS": (Bone.HUMERUS,),
    "KNEE": (Bone.FEMUR, Bone.TIBIA, Bone.FIBULA, Bone.PATELLA),
    "PELVIS": (Bone.PELVIS, Bone.SACRUM, Bone.FEMUR),
    "RADIUS": (Bone.RADIUS, Bone.ULNA),
    "RIB": (Bone.RIB,),
    "SCAPULA": (Bone.SCAPULA,),
    "SHOULDER": (Bone.HUMERUS, Bone.SCAPULA, Bone.CLAVICLE),
    "SPINE": (Bone.SPINE, Bone.SACRUM),
    "TIBIA": (Bone.TIBIA, Bone.FIBULA),
    "ULNA": (Bone.ULNA, Bone.RADIUS),
    "WRIST": (Bone.RADIUS, Bone.ULNA, Bone.CARPUS, Bone.METACARPAL),
}


@dataclass(frozen=True)
class StatedCase:
    """One reading, and what the record says of its examination."""

    reading: str
    likelihood: int | None = None
    findings: Findings = EMPTY
    recommendation: str = ""
    body_part: str = ""
    laterality: str = ""
    # Whether the findings' text was edited by hand and its structure changed afterwards.
    text_is_older: bool = False


@dataclass(frozen=True)
class Contradiction:
    """``is_error``: no signature until it is mended; otherwise the doctor may confirm it."""

    code: str
    text: str
    is_error: bool = False


def find(said: StatedCase) -> list[Contradiction]:
    """All contradictions of a reading, the errors first."""
    found = [*_of_the_lesion(said), *_of_the_likelihood(said), *_of_the_advice(said), *_of_the_place(said)]
    if said.text_is_older:
        found.append(
            Contradiction(
                "text_is_older",
                _(
                    "The findings text was edited by hand, and the structured findings were changed "
                    "afterwards. Compare the two."
                ),
            )
        )
    return sorted(found, key=lambda one: not one.is_error)


def _of_the_lesion(said: StatedCase) -> Iterator[Contradiction]:
    findings = said.findings
    if findings.number == Number.NONE and findings.describes_a_lesion:
        yield Contradiction(
            "no_lesion_described", _("The number of lesions is none, but a lesion is described."), is_error=True
        )
    elif said.reading == Reading.NORMAL and findings.describes_a_lesion:
        yield Contradiction("normal_with_lesion", _("The reading is normal, but a lesion is described."), is_error=True)
    if findings.number == Number.NONE and said.reading in (Reading.BENIGN, Reading.MALIGNANT):
        yield Contradiction(
            "reading_without_lesion",
            _("The reading names a tumour, but the number of lesions is none."),
            is_error=True,
        )
    destroying = findings.margin in GRADE_III[1:] and findings.soft_tissue_mass == Presence.YES
    if said.reading == Reading.BENIGN and destroying:
        yield Contradiction(
            "benign_but_aggressive",
            _("The reading is benign, but the margin is grade IIIB or IIIC with a soft-tissue mass."),
        )


def _of_the_likelihood(said: StatedCase) -> Iterator[Contradiction]:
    if said.likelihood is None:
        return
    if said.likelihood >= HIGH and said.reading in (Reading.NORMAL, Reading.BENIGN):
        yield Contradiction(
            "high_likelihood",
            _("The likelihood of malignancy is %(value)s, but the reading is not malignant.")
            % {"value": said.likelihood},
        )
    if said.likelihood < LOW and said.reading == Reading.MALIGNANT:
        yield Contradiction(
            "low_likelihood",
            _("The likelihood of malignancy is %(value)s, but the reading is malignant.") % {"value": said.likelihood},
        )


def _of_the_advice(said: StatedCase) -> Iterator[Contradiction]:
    margin, advice = said.findings.margin, said.recommendation
    if advice == Recommendation.NONE and margin in AGGRESSIVE_MARGINS:
        yield Contradiction(
            "no_follow_up_aggressive",
            _("The margin is aggressive (grade %(grade)s), but the recommendation is no follow-up.")
            % {"grade": margin},
        )
    if advice == Recommendation.FOLLOW_UP and margin in GRADE_III:
        yield Contradiction(
            "only_follow_up_aggressive",
            _("The margin is grade %(grade)s, but only follow-up films are recommended.") % {"grade": margin},
        )
    if advice in (Recommendation.NONE, Recommendation.FOLLOW_UP) and said.reading == Reading.MALIGNANT:
        yield Contradiction(
            "no_referral_malignant",
            _("The reading is malignant, but neither a referral nor further imaging is recommended."),
        )


def _of_the_place(said: StatedCase) -> Iterator[Contradiction]:
    bone, side = said.findings.bone, said.findings.side
    examined = BONES_OF.get(said.body_part.strip().upper())
    if bone and examined and bone not in examined:
        yield Contradiction(
            "other_bone",
            _("Location of the lesion: %(bone)s. Examined body part: %(part)s.")
            % {"bone": Bone(bone).label, "part": body_part_words(said.body_part)},
        )
    if {side, said.laterality} == {Laterality.LEFT.value, Laterality.RIGHT.value}:
        yield Contradiction(
            "other_side",
            _("Side of the lesion: %(side)s. Examined side: %(examined)s.")
            % {"side": Laterality(side).label, "examined": Laterality(said.laterality).label},
        )
