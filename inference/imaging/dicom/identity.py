"""Who and what a DICOM file says it shows: identity, spacing and remarks, cleaned so that nothing odd travels on."""

from __future__ import annotations

import datetime
import re
import warnings
from typing import Any

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from inference.imaging.size import CALIBRATED, DETECTOR_PLANE

TEXT_CHARS = 64
NAME_CHARS = 200
_UID = re.compile(r"[0-9.]{1,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff\ufffd]+")

_TEXTS = {
    "patient_id": "PatientID",
    "accession_number": "AccessionNumber",
    "modality": "Modality",
    "body_part_examined": "BodyPartExamined",
    "view_position": "ViewPosition",
}
_UIDS = {
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "sop_instance_uid": "SOPInstanceUID",
}
_NAMES = {"patient_name": "PatientName", "referring_physician_name": "ReferringPhysicianName"}
_DATES = {"patient_birth_date": "PatientBirthDate", "study_date": "StudyDate"}
_CODED = {"patient_sex": ("M", "F", "O"), "laterality": ("R", "L", "B", "U")}
KEYS = (*_TEXTS, *_UIDS, *_NAMES, *_DATES, *_CODED)

# What the dataset reader has to keep for the functions of this module.
KEYWORDS = (
    "SpecificCharacterSet", *_TEXTS.values(), *_UIDS.values(), *_NAMES.values(), *_DATES.values(),
    "PatientSex", "Laterality", "ImageLaterality", "BurnedInAnnotation",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType",
    "PixelAspectRatio",
)  # fmt: skip

NOT_STATED = "calibration not stated"
# Pixel Spacing of a slice is a distance in the patient (PS3.3, C.7.6.2.1.1); a projection magnifies.
_SLICES = frozenset({"CT", "MR", "PT", "NM"})


def empty_identity() -> dict[str, str]:
    """Return the identity of a picture that says nothing about itself: every key, each empty."""
    return dict.fromkeys(KEYS, "")


def clean_text(value: object, limit: int = TEXT_CHARS) -> str:
    """Return one line of printable text of at most `limit` characters."""
    return " ".join(_UNPRINTABLE.sub(" ", str(value)).split())[:limit].strip()


def read_identity(ds: Dataset, found: list[str]) -> dict[str, str]:
    """Return the identity of `ds`; values that cannot be trusted are empty, and `found` gains the reason's code."""
    identity = empty_identity()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for key, keyword in _TEXTS.items():
            identity[key] = clean_text(_first(ds, keyword))
        for key, keyword in _NAMES.items():
            identity[key] = _name(_first(ds, keyword))
    if any("decode" in str(w.message).lower() or "encoding" in str(w.message).lower() for w in caught):
        found.append("charset_undecodable")
    for key, keyword in _UIDS.items():
        uid = clean_text(_first(ds, keyword))
        identity[key] = uid if _UID.fullmatch(uid) else ""
    for key, keyword in _DATES.items():
        identity[key] = _date(clean_text(_first(ds, keyword)), found)
    identity["patient_sex"] = _coded(_first(ds, "PatientSex"), _CODED["patient_sex"])
    side = _first(ds, "ImageLaterality") or _first(ds, "Laterality")
    identity["laterality"] = _coded(side, _CODED["laterality"])
    for key in ("modality", "body_part_examined", "view_position"):
        identity[key] = identity[key].upper()[:16]
    return identity


def read_spacing(ds: Dataset) -> tuple[tuple[float, float] | None, str]:
    """Return ((row, column) spacing in mm, its source), or (None, "").

    PS3.3, 10.7.1.1: of a projection, a Pixel Spacing that differs from the detector's or the scanner's, or that comes
    with a calibration type, is calibrated; one that is equal was only copied there; with nothing to compare it with,
    nobody can tell.
    """
    pixel, plane = _pair(ds, "PixelSpacing"), _pair(ds, "ImagerPixelSpacing") or _pair(ds, "NominalScannedPixelSpacing")
    if pixel is None:
        return (plane, DETECTOR_PLANE) if plane is not None else (None, "")
    slices = clean_text(_first(ds, "Modality")).upper() in _SLICES
    if slices or clean_text(_first(ds, "PixelSpacingCalibrationType")):
        return pixel, CALIBRATED
    if plane is None:
        return pixel, NOT_STATED
    return pixel, DETECTOR_PLANE if plane == pixel else CALIBRATED


def pixel_ratio(ds: Dataset) -> float:
    """Return a pixel's height over its width: from spacings, else Pixel Aspect Ratio (PS3.3, C.7.6.3.1.7), else 1."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        pair = _pair(ds, keyword)
        if pair is not None:
            return pair[0] / pair[1]
    return 1.0


def burned_in_annotation(ds: Dataset) -> str:
    """Return YES, NO or "" as the file states it."""
    return _coded(_first(ds, "BurnedInAnnotation"), ("YES", "NO"))


def value_of(ds: Dataset, keyword: str) -> Any:
    """Return the element's value, or None where it is absent, empty or not convertible."""
    try:
        value = ds.get(keyword)
    except Exception:
        return None
    return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value


def _first(ds: Dataset, keyword: str) -> Any:
    """Return the first of the element's values, "" where there is none."""
    value = value_of(ds, keyword)
    if value is None:
        return ""
    if isinstance(value, (str, bytes, PersonName)):
        return value
    return value[0] if hasattr(value, "__getitem__") else value


def _name(value: Any) -> str:
    """Return 'Family Given Middle' of the first component group that is not empty (PS3.5, 6.2.1)."""
    if not isinstance(value, PersonName):
        return clean_text(value, NAME_CHARS)
    for group in (value.alphabetic, value.ideographic, value.phonetic):
        text = clean_text(" ".join(group.split("^")[:3]), NAME_CHARS)
        if text:
            return text
    return ""


def _date(text: str, found: list[str]) -> str:
    """Return a DA value (PS3.5, 6.2; also the dotted form of old files) as ISO 8601."""
    if not text:
        return ""
    digits = text.replace(".", "").replace("-", "")
    try:
        if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
            raise ValueError
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        if "date_unreadable" not in found:
            found.append("date_unreadable")
        return ""


def _coded(value: Any, allowed: tuple[str, ...]) -> str:
    text = clean_text(value).upper()
    return text if text in allowed else ""


def _pair(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return two positive finite numbers, or None; files hold zeros, single values and texts here."""
    value = value_of(ds, keyword)
    try:
        first, second = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError):
        return None
    return (first, second) if 1e-4 < first < 1e4 and 1e-4 < second < 1e4 else None
