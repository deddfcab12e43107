"""Where Bone-RADS holds, and why it does not elsewhere.

Bone-RADS here is the system of the Society of Skeletal Radiology: Chang CY, Garner HW, Ahlawat S, et al. Guidelines for
the diagnostic management of incidental solitary bone lesions on CT and MRI in adults: bone reporting and data system
(Bone-RADS). Skeletal Radiol 2022;51:1743-1764, doi 10.1007/s00256-022-04022-8. Categories: 1 leave alone; 2 different
imaging modality; 3 follow-up imaging; 4 biopsy and/or oncologic referral. It addresses solitary lesions found
incidentally on CT or MRI in adults, and says that children are not addressed. A history of malignancy is a branch of
its algorithms that leads to further work-up; this portal leaves such patients to the oncologist and offers no category.
It is not the ACR's Bone Tumor RADS (Caracciolo et al., J Am Coll Radiol 2023;20:1044-1058), another system.
"""

from datetime import date

from django.utils.translation import gettext as _

from analyses.models.vocabulary import Number, Presence
from analyses.structured_reading.findings import Findings

ADULT_YEARS = 18
MODALITIES = ("CT", "MR")


def age_years(born: date | None, on: date) -> int | None:
    """Full years of age on a day; None where the birth date is not known."""
    if born is None:
        return None
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def examination_exclusions(modality: str, age: int | None) -> list[str]:
    """Why no category can hold for this examination, whatever is found: a sentence each, empty where one can."""
    reasons = []
    if modality not in MODALITIES:
        reasons.append(_("Bone-RADS is defined for CT and MR, not for radiographs."))
    if age is None:
        reasons.append(_("Bone-RADS is defined for adults; the date of birth is unknown."))
    elif age < ADULT_YEARS:
        reasons.append(_("Bone-RADS is defined for adults aged 18 years and over."))
    return reasons


def exclusions(modality: str, age: int | None, findings: Findings) -> list[str]:
    """Why no category holds: a sentence for each reason, empty where Bone-RADS is valid."""
    reasons = examination_exclusions(modality, age)
    if findings.number != Number.ONE:
        reasons.append(_("Bone-RADS is defined for a solitary lesion; set the number of lesions to one."))
    if findings.incidental != Presence.YES:
        reasons.append(_("Bone-RADS is defined for an incidental lesion; mark the lesion as incidental."))
    if findings.known_primary != Presence.NO:
        reasons.append(_("Bone-RADS requires that a known primary malignancy has been excluded."))
    return reasons
