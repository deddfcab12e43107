"""Whether a DICOM object shows an animal: the attributes that PS3.3, C.7.1.1 gives to patients that are no people."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

KEYWORDS = (
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "PatientSexNeutered",
    "ResponsiblePersonRole",
)
_HUMAN = re.compile(r"\b(homo|human|sapiens|mensch|people|person)", re.IGNORECASE)
# Homo sapiens in SNOMED CT, in its earlier codes (PS3.16, CID 7454), and in the NCBI taxonomy.
_HUMAN_CODES = frozenset(("337915000", "L-85B00", "9606"))
_SAYS_NOTHING = frozenset(("", "UNKNOWN", "NONE", "N/A", "NA", "-", "NOT APPLICABLE"))


def is_animal(ds: Dataset) -> bool:
    """Whether the object says that its patient is an animal. The species decides; else what only animals have."""
    species = _text(ds, "PatientSpeciesDescription")
    codes = [item for item in _items(ds, "PatientSpeciesCodeSequence") if _text(item, "CodeValue")]
    if species or codes:
        return not (
            (bool(species) and bool(_HUMAN.search(species)))
            or any(_text(item, "CodeValue") in _HUMAN_CODES for item in codes)
            or any(_HUMAN.search(_text(item, "CodeMeaning")) for item in codes)
        )
    # Required of patients that are no people, and of no others (C.7.1.1): breed, neutering, an owner.
    breeds = [*_items(ds, "PatientBreedCodeSequence"), *_items(ds, "BreedRegistrationSequence")]
    stated = [_text(ds, keyword) for keyword in ("PatientBreedDescription", "PatientSexNeutered")]
    return bool(breeds) or any(stated) or _text(ds, "ResponsiblePersonRole").upper() == "OWNER"


def _text(ds: Dataset, keyword: str) -> str:
    try:
        text = str(ds.get(keyword) or "").strip("\x00 ")
    except Exception:
        return ""
    return "" if text.upper() in _SAYS_NOTHING else text


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    try:
        return [item for item in ds.get(keyword) or [] if isinstance(item, Dataset) and len(item)]
    except Exception:
        return []
