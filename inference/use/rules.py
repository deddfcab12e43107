"""Whether a picture is what a model is meant for, by what its file and its uploader say; decided without its pixels.

A card may state its use: `"intended_for": {"modalities": ["CR", "DX", "RG"], "body_parts_refused": ["breast", ...]}`.
Cards without it are taken to mean plain radiographs of every body part that `body_parts.OUTSIDE` does not refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inference.card import modalities_of
from inference.use.body_parts import OUTSIDE_NAMES, is_untrained, outside_by_code, outside_by_words

OUTSIDE_INTENDED_USE = "outside_intended_use"
UNTRAINED_BODY_PART = "body_part_not_in_training"
MODALITY, BODY_PART, REGION, SOP_CLASS = "modality", "body_part_examined", "anatomic_region", "sop_class"
TAGS = {MODALITY: "(0008,0060)", BODY_PART: "(0018,0015)", REGION: "(0008,2218)", SOP_CLASS: "(0008,0016)"}
FILE, TYPED = "file", "typed"

# Plain radiographs (PS3.3, C.7.3.1.1.1): computed, digital, and conventional films that were scanned.
RADIOGRAPHS = ("CR", "DX", "RG")
# What devices write for DX although no edition of the standard lists it.
_WRITTEN_FOR = {"DR": "DX"}
# SOP classes whose pictures are of one modality, whatever a file forgets to say of it (PS3.4, B.5).
SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1.2": "MG",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "MG",
    "1.2.840.10008.5.1.4.1.1.1.3": "IO",
    "1.2.840.10008.5.1.4.1.1.1.3.1": "IO",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.6.1": "US",
    "1.2.840.10008.5.1.4.1.1.12.1": "XA",
    "1.2.840.10008.5.1.4.1.1.12.2": "RF",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.77.1.1": "ES",
    "1.2.840.10008.5.1.4.1.1.77.1.2": "GM",
    "1.2.840.10008.5.1.4.1.1.77.1.4": "XC",
    "1.2.840.10008.5.1.4.1.1.77.1.5.1": "OP",
}


@dataclass(frozen=True)
class Statement:
    """One thing that is said of a picture: `tag` is a key of TAGS, `source` the file or the uploader.

    `value` is what stands there, `scheme` the designator of a code, `meaning` what that code means by the file.
    """

    tag: str
    value: str
    source: str
    scheme: str = ""
    meaning: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return what is stored and sent: the fields, and the tag's number."""
        return asdict(self) | {"dicom_tag": TAGS[self.tag]}


def statements(said: Mapping[str, Any], typed: Mapping[str, str], corrected: Mapping[str, str]) -> list[Statement]:
    """Return everything that is said of a picture's modality and body part.

    `said` is the decoder's `meta["use"]` (`imaging.dicom.region.read_use`), `typed` the uploader's form, `corrected`
    what a doctor stated instead of both; what is empty says nothing.
    """
    found = []
    for tag in (MODALITY, BODY_PART):
        if corrected.get(tag):
            found.append(Statement(tag, corrected[tag], TYPED))
        else:
            found += [Statement(tag, said.get(tag, ""), FILE), Statement(tag, typed.get(tag, ""), TYPED)]
    if not corrected.get(BODY_PART):
        region = said.get(REGION) or {}
        code, scheme, meaning = (region.get(name, "") for name in ("value", "scheme", "meaning"))
        found.append(Statement(REGION, code, FILE, scheme, meaning))
    kind = SOP_CLASSES.get(said.get(SOP_CLASS, ""), "")
    if not corrected.get(MODALITY) and kind != said.get(MODALITY):
        found.append(Statement(SOP_CLASS, kind, FILE))
    return [one for one in found if one.value]


def modality_of(found: Iterable[Statement]) -> str:
    """Return the modality as the file has it or, where that is silent, as the uploader has it; empty where neither."""
    return next((one.value for one in found if one.tag in (MODALITY, SOP_CLASS)), "")


def modality_said(found: Iterable[Statement]) -> tuple[str, ...]:
    """Return the modalities among the statements in the standard's words: the file's first, the uploader's after it."""
    return tuple(_standard(one.value) for one in found if one.tag in (MODALITY, SOP_CLASS))


def _standard(modality: str) -> str:
    return _WRITTEN_FOR.get(modality.upper(), modality.upper())


def outside(found: Iterable[Statement], card: Mapping[str, Any], group: str = "DX") -> list[Statement]:
    """Return the statements by which a picture is not what the model of `card` is meant for; none where it may be.

    `group` is the modality that the model was activated for, where its card names none.
    """
    modalities, refused = admitted_modalities(card, group), refused_body_parts(card, group)
    return [one for one in found if _is_outside(one, modalities, refused)]


def _is_outside(one: Statement, modalities: tuple[str, ...], refused: tuple[str, ...]) -> bool:
    if one.tag in (MODALITY, SOP_CLASS):
        return _standard(one.value) not in modalities
    named = outside_by_code(one.value, one.scheme) if one.tag == REGION else outside_by_words(one.value)
    return named in refused


def admitted_modalities(card: Mapping[str, Any], group: str = "DX") -> tuple[str, ...]:
    """Return the modalities that the model may judge; a card that names one of the plain radiographs means all."""
    stated = _stated(card).get("modalities")
    if stated:
        return tuple(str(one).upper() for one in stated)
    known = modalities_of(dict(card)) or (group,)
    return tuple(dict.fromkeys((*known, *RADIOGRAPHS))) if set(known) & set(RADIOGRAPHS) else known


def refused_body_parts(card: Mapping[str, Any], group: str = "DX") -> tuple[str, ...]:
    """Return the names of the regions that the model refuses; by default all, where it judges plain radiographs."""
    stated = _stated(card).get("body_parts_refused")
    if stated is not None:
        return tuple(str(one) for one in stated)
    return OUTSIDE_NAMES if set(admitted_modalities(card, group)) & set(RADIOGRAPHS) else ()


def _stated(card: Mapping[str, Any]) -> Mapping[str, Any]:
    stated = card.get("intended_for")
    return stated if isinstance(stated, Mapping) else {}


def is_untrained_part(found: Iterable[Statement]) -> bool:
    """Whether a body part is bone, but none that the models learnt from: spine, ribs, breastbone."""
    parts = [one for one in found if one.tag in (BODY_PART, REGION)]
    return any(is_untrained(one.meaning or one.value, one.value, one.scheme) for one in parts)
