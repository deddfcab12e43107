"""English phrases of the written findings."""

LESION = {"": "lesion", "one": "solitary lesion", "several": "several lesions, the largest"}
NO_LESION = "No focal bone lesion."
PLACE = "{side} {bone}"
BONE = {
    "femur": "femur",
    "tibia": "tibia",
    "fibula": "fibula",
    "patella": "patella",
    "tarsus": "tarsal bone",
    "metatarsal": "metatarsal",
    "toe": "phalanx of the foot",
    "humerus": "humerus",
    "radius": "radius",
    "ulna": "ulna",
    "carpus": "carpal bone",
    "metacarpal": "metacarpal",
    "finger": "phalanx of the hand",
    "clavicle": "clavicle",
    "scapula": "scapula",
    "rib": "rib",
    "sternum": "sternum",
    "spine": "vertebra",
    "sacrum": "sacrum",
    "pelvis": "pelvic bone",
    "skull": "skull",
}
SIDE = {"L": "left", "R": "right", "U": ""}
PART = {
    "epiphysis": "epiphysis",
    "apophysis": "apophysis",
    "metaphysis": "metaphysis",
    "metadiaphysis": "metadiaphysis",
    "diaphysis": "diaphysis",
    "whole": "whole bone",
    "other": "",
}
END = {"proximal": "proximal {part}", "distal": "distal {part}"}
END_ALONE = {"proximal": "proximal end", "distal": "distal end"}
GRADE = "{margin} (modified Lodwick-Madewell grade {grade})."
SENTENCES = {
    "margin": {
        "IA": "Geographic with a sclerotic rim",
        "IB": "Geographic, sharply defined without a sclerotic rim",
        "II": "Geographic, ill-defined",
        "IIIA": "Changing margin",
        "IIIB": "Moth-eaten or permeative",
        "IIIC": "Radiographically occult",
    },
    "matrix": {
        "none": "No matrix mineralisation.",
        "osteoid": "Osteoid matrix.",
        "chondroid": "Chondroid matrix.",
        "fibrous": "Fibrous matrix, ground glass.",
        "mixed": "Mixed matrix.",
        "cannot_tell": "Matrix cannot be judged.",
    },
    "periosteum": {
        "none": "No periosteal reaction.",
        "solid": "Solid periosteal reaction.",
        "lamellated": "Lamellated periosteal reaction.",
        "spiculated": "Spiculated periosteal reaction.",
        "codman": "Codman triangle.",
        "interrupted": "Interrupted periosteal reaction.",
    },
    "cortical_destruction": {
        "yes": "Cortical destruction.",
        "no": "No cortical destruction.",
        "cannot_tell": "Cortex cannot be judged.",
    },
    "soft_tissue_mass": {
        "yes": "Soft-tissue mass.",
        "no": "No soft-tissue mass.",
        "cannot_tell": "Soft tissues cannot be judged.",
    },
    "fracture": {
        "yes": "Pathological fracture.",
        "no": "No pathological fracture.",
        "cannot_tell": "A fracture cannot be judged.",
    },
    "incidental": {"yes": "Incidental finding.", "no": "", "cannot_tell": ""},
    "known_primary": {"yes": "Known primary malignancy.", "no": "No known primary malignancy.", "cannot_tell": ""},
}
IMPRESSION = {
    "malignant": ("lesion suspicious for malignancy", "lesions suspicious for malignancy"),
    "benign": ("lesion with benign features", "lesions with benign features"),
    "cannot_tell": ("indeterminate lesion", "indeterminate lesions"),
}
IMPRESSION_NORMAL = "No focal bone lesion seen. This does not exclude one."
IMPRESSION_OPEN = "The films do not allow a judgement."
ADVICE = {
    "refer": "Refer to a bone tumour centre before any biopsy.",
    "mr": "Further imaging: MR.",
    "ct": "Further imaging: CT.",
    "none": "No follow-up recommended.",
}
FOLLOW_UP = ("Follow-up films in {months} month.", "Follow-up films in {months} months.")
