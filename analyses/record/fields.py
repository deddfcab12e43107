"""What an uploader or editor states about a case: one shape for pages and API, with the rules that each value obeys."""

import re
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from analyses.errors import invalid_field, invalid_fields
from analyses.models import Laterality, Sex

MAX_LENGTHS = {
    "patient_id": 64,
    "patient_name": 200,
    "patient_sex": 1,
    "accession_number": 64,
    "modality": 16,
    "body_part_examined": 64,
    "laterality": 1,
    "view_position": 32,
    "referring_physician_name": 200,
    "clinical_question": 2000,
}
_EARLIEST = date(1850, 1, 1)
# Control and invisible characters, halves of surrogate pairs and what stands for unreadable bytes: none can be typed by
# hand into a record on purpose.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff\ud800-\udfff]")
_FORBIDDEN_IN_TEXT = re.compile(_FORBIDDEN.pattern.replace("\x00-\x1f", "\x00-\x08\x0b\x0c\x0e-\x1f"))
# In a number also whatever shows nothing, or a blot: two charts would carry what looks like one number.
_UNSEEN = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d173-\U0001d17a"
_FORBIDDEN_IN_NUMBER = re.compile(f"[{_UNSEEN}\U000e0000-\U000e0fff]|{_FORBIDDEN.pattern}")
# In a name the same, but for the forms of an ideograph that registers tell apart (Unicode Technical Standard 37).
_FORBIDDEN_IN_NAME = re.compile(
    f"[{_UNSEEN}\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    "|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af])[\U000e0100-\U000e01ef]"
    f"|{_FORBIDDEN.pattern}"
)
_UNREADABLE = "\ufffd"
_RULES = {
    "clinical_question": _FORBIDDEN_IN_TEXT,
    **dict.fromkeys(("patient_id", "accession_number"), _FORBIDDEN_IN_NUMBER),
    **dict.fromkeys(("patient_name", "referring_physician_name"), _FORBIDDEN_IN_NAME),
}
_CODE = re.compile(r"[A-Z0-9_ ]*")
_CHOICES = {"patient_sex": Sex.values, "laterality": Laterality.values}
_UPPER = ("modality", "body_part_examined", "view_position", "patient_sex", "laterality")

IDENTITY_FIELDS = ("patient_id", "patient_name", "patient_birth_date", "patient_sex")
CASE_FIELDS = (
    "accession_number",
    "modality",
    "body_part_examined",
    "laterality",
    "study_date",
    "referring_physician_name",
    "clinical_question",
)

MAX_REASON = 200


@dataclass(frozen=True)
class CaseFields:
    """Patient, case and view as somebody typed them; empty (or None) means *not said*."""

    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: date | None = None
    patient_sex: str = ""
    accession_number: str = ""
    modality: str = ""
    body_part_examined: str = ""
    laterality: str = ""
    view_position: str = ""
    study_date: date | None = None
    referring_physician_name: str = ""
    clinical_question: str = ""

    def said(self) -> dict[str, str]:
        """The values that were given, as JSON-able texts (dates in ISO 8601)."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in pairs if value}


def cleaned(given: CaseFields) -> CaseFields:
    """The same fields trimmed and in DICOM's capitals.

    Raises:
        Invalid: ``bad_field`` with a sentence for each field that breaks a rule.
    """
    problems: dict[str, list[str]] = {}
    changes: dict[str, Any] = {}
    for name in MAX_LENGTHS:
        changes[name] = _text(name, getattr(given, name), problems)
    for name in ("patient_birth_date", "study_date"):
        _check_date(name, getattr(given, name), problems)
    born, examined = given.patient_birth_date, given.study_date
    if not problems and born and examined and examined < born:
        problems["study_date"] = [_("The examination date is before the date of birth.")]
    if problems:
        raise invalid_fields(problems, _("Some fields are invalid. Correct them, then submit again."))
    return replace(given, **changes)


def _text(name: str, value: object, problems: dict[str, list[str]]) -> str:
    text = str(value or "").strip()
    if name == "clinical_question":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if name in _UPPER:
        text = text.upper()
    if len(text) > MAX_LENGTHS[name]:
        problems[name] = [_("At most %(most)s characters.") % {"most": MAX_LENGTHS[name]}]
    elif _UNREADABLE in text:
        problems[name] = [_("The text contains characters that could not be read. Send it as UTF-8.")]
    elif _RULES.get(name, _FORBIDDEN).search(text):
        problems[name] = [_("Control characters are not allowed.")]
    elif name in _CHOICES and text and text not in _CHOICES[name]:
        problems[name] = [_("One of %(values)s, or empty.") % {"values": ", ".join(_CHOICES[name])}]
    elif name == "modality" and not _CODE.fullmatch(text):
        problems[name] = [_("Only letters and digits, as in DICOM: CR, DX, MR, CT.")]
    return text


def _check_date(name: str, value: date | None, problems: dict[str, list[str]]) -> None:
    if value is None:
        return
    # One day of grace: the uploader may live east of the server's clock.
    if value > timezone.localdate() + timedelta(days=1):
        problems[name] = [_("The date is in the future.")]
    elif value < _EARLIEST:
        problems[name] = [_("The date is before %(year)s.") % {"year": _EARLIEST.year}]


def is_plain_line(text: str) -> bool:
    """Whether a line holds no control or invisible characters and no half of a surrogate pair."""
    return not _FORBIDDEN.search(text)


def stated_reason(text: str, at_most: int = MAX_REASON) -> str:
    """A reason on one line.

    Raises:
        Invalid: ``bad_field`` where there is none, or one longer than ``at_most`` characters.
    """
    reason = " ".join(text.split())
    if not reason or len(reason) > at_most:
        message = _("Enter a reason of at most %(most)s characters.") % {"most": at_most}
        raise invalid_field("reason", message)
    return reason


# Characters that turn the order of the letters after them (Unicode Standard Annex 9): a text would read otherwise than
# it was written.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def turns_letters(text: str) -> bool:
    """Whether a text holds invisible characters that reorder what is shown."""
    return bool(_TURNING.search(text))


def written(field: str, text: str, at_most: int) -> str:
    """A text of several lines.

    Raises:
        Invalid: ``bad_field`` where it is too long, or holds control characters or such that turn the order of letters.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > at_most or any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        message = _("At most %(most)s characters, without control characters.") % {"most": at_most}
        raise invalid_field(field, message)
    if turns_letters(text):
        message = _("The text holds invisible characters that change the order of the letters. Type it without them.")
        raise invalid_field(field, message)
    return text
