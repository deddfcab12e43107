"""When do two statements about a patient or an image contradict each other? One rule per field, nothing else decides.

A contradiction becomes a warning ``{code, field, against, confirmed}`` on the analysis and holds back the report until
a doctor decides. It holds no values: those are ``image.typed``, ``image.header`` and the record itself.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from accounts.spelling import normal_number
from analyses.models import Study
from analyses.record.fields import IDENTITY_FIELDS
from analyses.record.names import names_agree

AGAINST_FILE, AGAINST_RECORD = "file", "record"
_PROJECTION = frozenset({"CR", "DX", "RG", "RF", "XA", "DR", "IO", "PX", "OT"})
_REGIONS = {
    "upper limb": "HAND FINGER THUMB WRIST CARPUS FOREARM RADIUS ULNA ELBOW HUMERUS ARM UPPERARM SHOULDER CLAVICLE"
    " SCAPULA",
    "lower limb": "FOOT TOE HEEL CALCANEUS ANKLE TIBIA FIBULA LEG LOWERLEG CALF KNEE PATELLA FEMUR THIGH UPPERLEG HIP",
    "trunk": "CHEST THORAX RIB RIBS STERNUM CLAVICLE SCAPULA SHOULDER SPINE CSPINE TSPINE LSPINE SACRUM COCCYX ABDOMEN"
    " PELVIS HIP ILIUM",
    "head": "HEAD SKULL FACE JAW MANDIBLE MAXILLA NECK ORBIT NOSE CSPINE",
}


def ids_agree(one: str, other: str) -> bool:
    """Whether two record or accession numbers are one."""
    return normal_number(one) == normal_number(other)


def sides_agree(one: str, other: str) -> bool:
    """An image of one side belongs to a case of both."""
    return one == other or "B" in (one, other)


def modalities_agree(one: str, other: str) -> bool:
    """CR and DX and the like are all plain radiographs, and are mixed up harmlessly."""
    return one == other or {one, other} <= _PROJECTION


def body_parts_agree(one: str, other: str) -> bool:
    """Contradiction only where both are known words for different regions of the body."""
    first, second = _regions(one), _regions(other)
    return not first or not second or bool(first & second)


def _regions(text: str) -> set[str]:
    words = set(re.findall(r"[A-Z]+", text.upper()))
    return {region for region, names in _REGIONS.items() if words & set(names.split())}


AGREE: dict[str, Callable[[str, str], bool]] = {
    "patient_id": ids_agree,
    "patient_name": names_agree,
    "patient_birth_date": str.__eq__,
    "patient_sex": str.__eq__,
    "accession_number": ids_agree,
    "laterality": sides_agree,
    "modality": modalities_agree,
    "body_part_examined": body_parts_agree,
}


def agree(field: str, one: str, other: str) -> bool:
    """Whether two values of a field do not contradict each other; an empty value contradicts nothing."""
    return not one or not other or AGREE[field](one, other)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The fields in which two statements contradict each other."""
    return {field for field in AGREE if not agree(field, one.get(field, "") or "", other.get(field, "") or "")}


def recorded(study: Study) -> dict[str, str]:
    """What the record says now about a case and its patient, as texts like those typed."""
    patient = study.patient
    values: dict[str, Any] = {name: getattr(study, name) for name in AGREE if name not in IDENTITY_FIELDS}
    if patient is not None:
        values |= {name: getattr(patient, name) for name in IDENTITY_FIELDS}
        born = values["patient_birth_date"]
        values["patient_birth_date"] = born.isoformat() if born else ""
    return values


def warning(field: str, against: str) -> dict[str, Any]:
    """An open warning."""
    return {"code": f"{field}_mismatch", "field": field, "against": against, "confirmed": None}


def remark(code: str) -> dict[str, Any]:
    """What the decoder says of a file beside its picture: no contradiction, so nobody has to decide it."""
    return {"code": code, "field": "", "confirmed": None}


def with_remarks(warnings: list[dict[str, Any]], codes: Iterable[str]) -> list[dict[str, Any]]:
    """The contradictions among `warnings`, and each remark of the newest decoding once in the place of earlier ones."""
    return [*(entry for entry in warnings if entry["field"]), *map(remark, dict.fromkeys(codes))]


def contradictions(
    typed: Mapping[str, str], header: Mapping[str, str], record: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The open warnings of one image: typed against its header, then both against the record.

    A header that names another record number is another person's: its name is then not held against the record as well.
    """
    found = []
    other_person = not agree("patient_id", header.get("patient_id", ""), typed.get("patient_id", ""))
    other_person |= not agree("patient_id", header.get("patient_id", ""), record.get("patient_id", ""))
    for field in AGREE:
        said, read, known = (source.get(field, "") or "" for source in (typed, header, record))
        if other_person and field in IDENTITY_FIELDS and field != "patient_id":
            read = read if said else ""
        if not agree(field, said, read):
            found.append(warning(field, AGAINST_FILE))
        elif not agree(field, said, known) or not agree(field, read, known):
            found.append(warning(field, AGAINST_RECORD))
    sources = (typed, record) if other_person else (typed, header, record)
    if _born_after_examination(*sources) and "patient_birth_date" not in {w["field"] for w in found}:
        found.append(warning("patient_birth_date", AGAINST_FILE if header else AGAINST_RECORD))
    return found


def _born_after_examination(*sources: Mapping[str, str]) -> bool:
    """Whether the earliest stated examination is before the stated birth: one of the two is another person's.

    Typed dates and those of one header pass this rule by themselves; here one source meets another. ISO 8601 dates
    stand in the order of their texts.
    """
    born = next((source["patient_birth_date"] for source in sources if source.get("patient_birth_date")), "")
    examined = [source["study_date"] for source in sources if source.get("study_date")]
    return bool(born) and any(day < born for day in examined)


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]], reopen: Collection[str] = ()) -> list[dict[str, Any]]:
    """Warnings of both lists, one per code; what a doctor decided stays decided, except in the fields ``reopen``.

    A remark that is made again changes nothing.
    """
    result = {entry["code"]: entry for entry in old}
    for entry in new:
        known = result.get(entry["code"])
        if known is None:
            replaces = True
        elif known.get("confirmed"):
            replaces = entry["field"] in reopen
        else:
            replaces = entry.get("against") == AGAINST_FILE
        if replaces:
            result[entry["code"]] = entry
    return list(result.values())
