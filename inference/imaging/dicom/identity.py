"""Who and what a DICOM file says it shows: identity, spacing and remarks, cleaned so that nothing odd travels on."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from inference.imaging.dicom import animals, charset
from inference.imaging.limits import NOT_HUMAN
from inference.imaging.size import CALIBRATED, DETECTOR_PLANE

TEXT_CHARS = 64
NAME_CHARS = 200
_UID = re.compile(r"[0-9.]{1,64}")
# As for typed values: no name and no number has these, and what stands beside them may be another's.
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff]")
# Letters that show nothing: a name is the same without, a number would only look the same.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
_EARLIEST = "1850-01-01"
# The file may come from east of Greenwich.
_GRACE = datetime.timedelta(days=1)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff\ufffd]+")

_NUMBERS = {"patient_id": "PatientID", "accession_number": "AccessionNumber"}
_TEXTS = {"modality": "Modality", "body_part_examined": "BodyPartExamined", "view_position": "ViewPosition"}
_UIDS = {
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "sop_instance_uid": "SOPInstanceUID",
}
_NAMES = {"patient_name": "PatientName", "referring_physician_name": "ReferringPhysicianName"}
_DATES = {"patient_birth_date": "PatientBirthDate", "study_date": "StudyDate"}
# PS3.3, C.2.3 and C.7.3.1; and the same in whole English words, which nobody can mistake.
_SEXES = {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "OTHER": "O"}
_SIDES = {"R": "R", "L": "L", "B": "B", "U": "U", "RIGHT": "R", "LEFT": "L", "BOTH": "B", "UNPAIRED": "U"}
# PS3.16, CID 244: modifiers of an anatomic region in SNOMED CT and in the codes of before.
_SIDE_CODES = {
    "7771000": "L", "G-A101": "L", "24028007": "R", "G-A100": "R", "51440002": "B", "G-A102": "B",
}  # fmt: skip
KEYS = (*_NUMBERS, *_TEXTS, *_UIDS, *_NAMES, *_DATES, "patient_sex", "laterality")

# What the dataset reader has to keep for the functions of this module.
KEYWORDS = (
    "SpecificCharacterSet", *_NUMBERS.values(), *_TEXTS.values(), *_UIDS.values(), *_NAMES.values(), *_DATES.values(),
    "PatientSex", "Laterality", "ImageLaterality", "AnatomicRegionSequence", "BurnedInAnnotation",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType",
    "PixelAspectRatio", *animals.KEYWORDS,
)  # fmt: skip

NOT_STATED = "calibration not stated"
# Pixel Spacing of a slice is a distance in the patient (PS3.3, C.7.6.2.1.1); a projection magnifies.
_SLICES = frozenset({"CT", "MR", "PT", "NM"})
# Pixels from dental sensors to coarse fluoroscopy, and of nuclear medicine; films from a tooth to a whole body that a
# slot scanner took (1.8 m).
_SPACING_MM = (0.01, 2.0)
_MOST_OF_SLICES_MM = 10.0
_FILM_MM = (5.0, 2000.0)
# Calibrated to the detector's: magnified five times at most, and no smaller than life but for the error of a ruler.
_PIXEL_TO_PLANE = (0.2, 1.25)


def empty_identity() -> dict[str, str]:
    """Return the identity of a picture that says nothing about itself: every key, each empty."""
    return dict.fromkeys(KEYS, "")


def clean_text(value: object, limit: int = TEXT_CHARS) -> str:
    """Return one line of printable text of at most `limit` characters."""
    return " ".join(_UNPRINTABLE.sub(" ", str(value)).split())[:limit].strip()


def read_identity(ds: Dataset, found: list[str]) -> dict[str, str]:
    """Return the identity of `ds`; values that cannot be trusted are empty, and `found` gains the reason's code."""
    identity = empty_identity()
    declared = _declared(ds)
    for key, keyword in _TEXTS.items():
        identity[key] = clean_text(_first(ds, keyword))
    for key, keyword in _NUMBERS.items():
        identity[key] = _number(_text(ds, keyword, declared, found), found)
    for key, keyword in _NAMES.items():
        identity[key] = _name(_text(ds, keyword, declared, found), found)
    for key, keyword in _UIDS.items():
        uid = clean_text(_first(ds, keyword))
        identity[key] = uid if _UID.fullmatch(uid) else ""
    _read_dates(ds, identity, found)
    identity["patient_sex"] = _coded(_first(ds, "PatientSex"), _SEXES, found, "sex_unreadable")
    identity["laterality"] = _side(ds, found)
    if animals.is_animal(ds):
        _remark(found, NOT_HUMAN)
    for key in ("modality", "body_part_examined", "view_position"):
        identity[key] = identity[key].upper()[:16]
    return identity


def read_spacing(ds: Dataset, shape: tuple[int, int], found: list[str]) -> tuple[tuple[float, float] | None, str]:
    """Return ((row, column) spacing in mm, its source), or (None, "") for a film of `shape` (rows, columns).

    PS3.3, 10.7.1.1: of a projection, a Pixel Spacing that differs from the detector's or the scanner's, or that comes
    with a calibration type, is calibrated; one that is equal but for rounding was only copied there; with nothing to
    compare it with, nobody can tell. An implausible one is left out, and `found` gains its remark.
    """
    slices = clean_text(_first(ds, "Modality")).upper() in _SLICES
    pixel, plane = _pair(ds, "PixelSpacing"), _pair(ds, "ImagerPixelSpacing") or _pair(ds, "NominalScannedPixelSpacing")
    typed = bool(clean_text(_first(ds, "PixelSpacingCalibrationType")))
    likely_pixel, likely_plane = (
        pair if pair is not None and _is_plausible(pair, shape, slices) else None for pair in (pixel, plane)
    )
    if likely_pixel and likely_plane and not slices and not typed and not _is_projected(likely_pixel, likely_plane):
        likely_pixel = None
    if (likely_pixel, likely_plane) != (pixel, plane):
        found.append("spacing_ignored")
    if pixel is None:
        return (likely_plane, DETECTOR_PLANE) if likely_plane is not None else (None, "")
    if likely_pixel is None:
        return None, ""
    if slices or typed:
        return likely_pixel, CALIBRATED
    if likely_plane is None:
        return likely_pixel, NOT_STATED
    same = all(map(_is_rounded, likely_pixel, likely_plane))
    return likely_pixel, DETECTOR_PLANE if same else CALIBRATED


def _is_plausible(spacing: tuple[float, float], shape: tuple[int, int], slices: bool) -> bool:
    """Whether pixels and film have a size that a detector and a body have: metres and micrometres have not."""
    least, most = _SPACING_MM
    longest = max(mm * count for mm, count in zip(spacing, shape, strict=True))
    in_range = all(least <= mm <= (_MOST_OF_SLICES_MM if slices else most) for mm in spacing)
    return in_range and _FILM_MM[0] <= longest <= _FILM_MM[1]


def _is_projected(pixel: tuple[float, float], plane: tuple[float, float]) -> bool:
    """Whether `pixel` can be `plane` divided by a magnification, which is never far below 1."""
    least, most = _PIXEL_TO_PLANE
    return all(least <= one / other <= most for one, other in zip(pixel, plane, strict=True))


def _is_rounded(one: float, other: float) -> bool:
    """Whether two spacings are one number: within 1 per cent, or one is the other with two decimals (0.14, 0.143)."""
    low, high = sorted((one, other))
    if high - low <= 0.01 * high:
        return True
    return any(b >= 0.1 and round(a, 2) == b != round(b, 1) for a, b in ((one, other), (other, one)))


def pixel_ratio(ds: Dataset) -> float:
    """Return a pixel's height over its width: from spacings, else Pixel Aspect Ratio (PS3.3, C.7.6.3.1.7), else 1."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"):
        pair = _pair(ds, keyword)
        if pair is not None:
            return pair[0] / pair[1]
    return 1.0


def burned_in_annotation(ds: Dataset) -> str:
    """Return YES, NO or "" as the file states it."""
    return _coded(_first(ds, "BurnedInAnnotation"), {"YES": "YES", "NO": "NO"}, [], "")


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


def _declared(ds: Dataset) -> list[str]:
    """The values of Specific Character Set as they stand there."""
    value = value_of(ds, "SpecificCharacterSet")
    values = [value] if isinstance(value, str) else list(value or [])
    return [str(one) for one in values]


def _text(ds: Dataset, keyword: str, declared: list[str], found: list[str]) -> str:
    """The letters of an element that names somebody: all of its values, as the file has them; "" where nobody can tell.

    Read from its bytes, since what a library made of them may have been replaced, or cut at a backslash.
    """
    try:
        element = ds.get_item(keyword)
    except (KeyError, ValueError):
        return ""
    raw = getattr(element, "value", None)
    if not isinstance(raw, bytes):
        return _joined(raw)
    text, remark = charset.decoded(raw.rstrip(b"\x00 "), declared)
    _remark(found, remark)
    return text


def _joined(value: Any) -> str:
    """A value that is no longer bytes; several are one text again."""
    if value is None:
        return ""
    if isinstance(value, (str, PersonName)):
        return str(value)
    return "\\".join(map(str, value)) if hasattr(value, "__iter__") else str(value)


def _number(text: str, found: list[str]) -> str:
    """A record or accession number, whole or not at all: part of one is another patient's."""
    number = text.strip()
    if len(number) > TEXT_CHARS or _UNREADABLE.search(number) or _UNSEEN.search(number):
        _remark(found, "number_unreadable")
        return ""
    if "\\" in number:
        _remark(found, "several_numbers")
    return number


def _name(text: str, found: list[str]) -> str:
    """A person's name as PS3.5, 6.2.1 writes it: groups apart by =, components by ^, without empty ones at the end."""
    if _UNREADABLE.search(text):
        _remark(found, "name_unreadable")
        return ""
    text = _UNSEEN.sub("", text)
    groups = ["^".join(" ".join(part.split()) for part in group.split("^")).rstrip("^") for group in text.split("=")]
    while groups and not groups[-1]:
        groups.pop()
    # Each group has 64 characters at most; of a longer one the first groups are kept whole.
    while len(groups) > 1 and len("=".join(groups)) > NAME_CHARS:
        groups.pop()
    return "=".join(groups)[:NAME_CHARS].strip()


def _read_dates(ds: Dataset, identity: dict[str, str], found: list[str]) -> None:
    """Days that can be true, under the rules that typed ones obey."""
    latest = (datetime.datetime.now(datetime.UTC).date() + _GRACE).isoformat()
    for key, keyword in _DATES.items():
        day = _date(clean_text(_first(ds, keyword)), found)
        if day and not _EARLIEST <= day <= latest:
            _remark(found, f"{key.removeprefix('patient_')}_implausible")
            day = ""
        identity[key] = day
    born, examined = identity["patient_birth_date"], identity["study_date"]
    if born and examined and born > examined:
        _remark(found, "birth_after_examination")
        identity["patient_birth_date"] = identity["study_date"] = ""


def _remark(found: list[str], code: str) -> None:
    if code and code not in found:
        found.append(code)


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
        _remark(found, "date_unreadable")
        return ""


def _coded(value: Any, words: Mapping[str, str], found: list[str], remark: str) -> str:
    """The code that a word stands for; another word is left out, with a remark."""
    text = clean_text(value).upper()
    if text and text not in words:
        _remark(found, remark)
    return words.get(text, "")


def _side(ds: Dataset, found: list[str]) -> str:
    """Return the side that the film shows; "" where the file does not say, or says two.

    It may say it for the image (PS3.3, C.8.11.2), for the series (C.7.3.1) and as a modifier of the region (10.5).
    """
    words = [_first(ds, keyword) for keyword in ("ImageLaterality", "Laterality")]
    stated = [_coded(word, _SIDES, found, "laterality_unreadable") for word in words]
    sides = [side for side in (*stated, _region_side(ds)) if side]
    if len(set(sides) - {"B"}) > 1:
        _remark(found, "laterality_contradicts")
        return ""
    return sides[0] if sides else ""


def _region_side(ds: Dataset) -> str:
    """Return the side in the modifiers of the anatomic region, "" where none is a side or two are."""
    sides = set()
    for region in value_of(ds, "AnatomicRegionSequence") or ():
        for modifier in value_of(region, "AnatomicRegionModifierSequence") or ():
            sides.add(_SIDE_CODES.get(clean_text(_first(modifier, "CodeValue")), ""))
    sides.discard("")
    return sides.pop() if len(sides) == 1 else ""


def _pair(ds: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return two positive finite numbers, or None; files hold zeros, single values and texts here."""
    value = value_of(ds, keyword)
    try:
        first, second = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError):
        return None
    return (first, second) if 1e-9 < first < 1e9 and 1e-9 < second < 1e9 else None
