"""The words of a structured reading of a bone lesion. The codes are stored and hashed: they are never renamed."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reading(models.TextChoices):
    """What the doctor sees on the films."""

    NORMAL = "normal", _("Normal")
    BENIGN = "benign", _("Benign")
    MALIGNANT = "malignant", _("Malignant")
    CANNOT_TELL = "cannot_tell", _("Cannot tell")


class Number(models.TextChoices):
    """How many lesions the films show."""

    NONE = "none", _("no lesion")
    ONE = "one", _("one")
    SEVERAL = "several", _("several")


class Bone(models.TextChoices):
    """The bone, or group of small bones, that holds the (largest) lesion."""

    FEMUR = "femur", _("femur")
    TIBIA = "tibia", _("tibia")
    FIBULA = "fibula", _("fibula")
    PATELLA = "patella", _("patella")
    TARSUS = "tarsus", _("tarsal bone")
    METATARSAL = "metatarsal", _("metatarsal")
    TOE = "toe", _("phalanx of the foot")
    HUMERUS = "humerus", _("humerus")
    RADIUS = "radius", _("radius")
    ULNA = "ulna", _("ulna")
    CARPUS = "carpus", _("carpal bone")
    METACARPAL = "metacarpal", _("metacarpal")
    FINGER = "finger", _("phalanx of the hand")
    CLAVICLE = "clavicle", _("clavicle")
    SCAPULA = "scapula", _("scapula")
    RIB = "rib", _("rib")
    STERNUM = "sternum", _("sternum")
    SPINE = "spine", _("vertebra")
    SACRUM = "sacrum", _("sacrum")
    PELVIS = "pelvis", _("pelvic bone")
    SKULL = "skull", _("skull")


class Side(models.TextChoices):
    """DICOM (0020,0060), as far as one lesion can have it."""

    LEFT = "L", _("left")
    RIGHT = "R", _("right")
    UNPAIRED = "U", _("unpaired")


class Part(models.TextChoices):
    """Where along the bone."""

    EPIPHYSIS = "epiphysis", _("epiphysis")
    APOPHYSIS = "apophysis", _("apophysis")
    METAPHYSIS = "metaphysis", _("metaphysis")
    METADIAPHYSIS = "metadiaphysis", _("metadiaphysis")
    DIAPHYSIS = "diaphysis", _("diaphysis")
    WHOLE = "whole", _("whole bone")
    OTHER = "other", _("flat, short or irregular bone")


class End(models.TextChoices):
    """Which end of a long bone."""

    PROXIMAL = "proximal", _("proximal")
    DISTAL = "distal", _("distal")


class Margin(models.TextChoices):
    """Modified Lodwick-Madewell grade of a lytic lesion.

    Source: Caracciolo JT, Temple HT, Letson GD, Kransdorf MJ. A modified Lodwick-Madewell grading system for the
    evaluation of lytic bone lesions. AJR 2016;207:150-156, doi 10.2214/AJR.15.14368. Grade II is Lodwick's IC; IIIA and
    IIIC are the patterns that Madewell added.
    """

    IA = "IA", _("IA, geographic, sclerotic rim")
    IB = "IB", _("IB, geographic, sharp, no sclerotic rim")
    II = "II", _("II, geographic, ill-defined")
    IIIA = "IIIA", _("IIIA, changing margin")
    IIIB = "IIIB", _("IIIB, moth-eaten or permeative")
    IIIC = "IIIC", _("IIIC, radiographically occult")


# Moderate and high risk of malignancy in that paper; grade I is the low one.
AGGRESSIVE_MARGINS = (Margin.II, Margin.IIIA, Margin.IIIB, Margin.IIIC)
GRADE_III = (Margin.IIIA, Margin.IIIB, Margin.IIIC)


class Matrix(models.TextChoices):
    """Mineralisation of the tumour."""

    NONE = "none", _("none")
    OSTEOID = "osteoid", _("osteoid")
    CHONDROID = "chondroid", _("chondroid")
    FIBROUS = "fibrous", _("fibrous, ground glass")
    MIXED = "mixed", _("mixed")
    CANNOT_TELL = "cannot_tell", _("cannot tell")


class Periosteum(models.TextChoices):
    """Periosteal reaction."""

    NONE = "none", _("none")
    SOLID = "solid", _("solid")
    LAMELLATED = "lamellated", _("lamellated")
    SPICULATED = "spiculated", _("spiculated")
    CODMAN = "codman", _("Codman triangle")
    INTERRUPTED = "interrupted", _("interrupted")


class Presence(models.TextChoices):
    """A finding that is there, is not, or cannot be judged on these films."""

    NO = "no", _("no")
    YES = "yes", _("yes")
    CANNOT_TELL = "cannot_tell", _("cannot tell")


class Recommendation(models.TextChoices):
    """What the reader advises."""

    REFER = "refer", _("Refer to a bone tumour centre before biopsy")
    MR = "mr", _("Further imaging: MR")
    CT = "ct", _("Further imaging: CT")
    FOLLOW_UP = "follow_up", _("Follow-up films")
    NONE = "none", _("No follow-up")
    OTHER = "other", _("Other (free text)")


class DisagreementReason(models.TextChoices):
    """Why a reader overrules the model, where the reader saw its answer."""

    MORE_SEEN = "more_seen", _("The film shows more")
    HISTORY = "history", _("Known history or earlier films")
    ARTEFACT = "artefact", _("Artefact or overlay")
    WRONG_PLACE = "wrong_place", _("The model marks the wrong place")
    OUT_OF_DOMAIN = "out_of_domain", _("Outside the model's domain")
    OTHER = "other", _("Other (free text)")


class AddendumReason(models.TextChoices):
    """Why a signed reading is amended."""

    NEW_INFORMATION = "new_information", _("New clinical information")
    EARLIER_FILMS = "earlier_films", _("Comparison with other examinations")
    CORRECTION = "correction", _("Correction of an error")
    SECOND_READING = "second_reading", _("Second reading or conference")
    PATHOLOGY = "pathology", _("Pathology or follow-up")
    OTHER = "other", _("Other (free text)")


class BoneRads(models.IntegerChoices):
    """Management categories of the SSR's Bone-RADS; when they hold stands in ``bone_rads``."""

    LEAVE_ALONE = 1, _("1, likely benign: leave alone")
    OTHER_MODALITY = 2, _("2, incompletely assessed: different imaging modality")
    FOLLOW_UP = 3, _("3, indeterminate: follow-up imaging")
    BIOPSY_OR_REFERRAL = 4, _("4, suspicious: biopsy or oncologic referral")
