"""From a header's bytes to letters, by what they can mean and not only by what the file says they are.

Specific Character Set (PS3.3, C.12.1.1.2) is often wrong, and single-byte sets decode whatever they are given. A text
is given only where it is likely to be what was written; else a person has to say.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence

from pydicom.charset import convert_encodings, decode_bytes

UNDECODABLE, DOUBTFUL, CORRECTED = "charset_undecodable", "charset_doubtful", "charset_corrected"
# The default repertoire has no byte above 7F (PS3.5, 6.1.2.1 and E.2).
_DEFAULT = ("", "ISO_IR 6", "ISO 2022 IR 6")
_ESCAPE = b"\x1b"
_DELIMITERS = {0x5C, 0x5E, 0x3D}  # \ ^ =
_MOST_BYTES = 4096
_TWO_BYTES = ("gb18030", "gbk", "gb2312", "euc_kr", "shift_jis")
# So many letters are no UTF-8 by chance.
_SURE = 4
# Signs of Latin-1 that count as letters and stand in no name: they are halves of letters of another set.
_NO_LETTERS = "\u00aa\u00b5\u00ba"
# Writings that are mixed within a word; no other two are.
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"}
_ANY_SCRIPT = {"FULLWIDTH", "HALFWIDTH", "IDEOGRAPHIC", "MODIFIER", "COMBINING", "VERTICAL", "DIGIT", "VARIATION"}


def decoded(raw: bytes, declared: Sequence[str]) -> tuple[str, str]:
    """Return (text, remark) of an element's bytes; the text is empty where nobody can tell what it says.

    Args:
        declared: the values of Specific Character Set; empty where there is none.

    The remark is "", or a code of DECODE_WARNINGS: ``charset_undecodable``, ``charset_doubtful`` (decoded into letters
    that no name has), ``charset_corrected`` (UTF-8 under another name, read as such).
    """
    if len(raw) > _MOST_BYTES:
        return "", UNDECODABLE
    first = declared[0].strip().upper() if declared else ""
    text, encoding, failed = _as_declared(raw, declared)
    if raw.isascii() and _ESCAPE not in raw:
        return text, ""
    in_utf8, beyond_default = _is_utf8(encoding), first in _DEFAULT and _ESCAPE not in raw
    better = _encoded_twice(text) if in_utf8 else _as_utf8(raw)
    if not is_likely(better, universal=True):
        better = ""
    likely = not failed and not beyond_default
    likely = likely and is_likely(text, universal=in_utf8, western=encoding == "latin_1")
    if likely and (in_utf8 or not _may_be_utf8(better, encoding)):
        return text, ""
    if better and not (likely and _letters_beyond_ascii(better) < _SURE):
        return better, CORRECTED
    return "", UNDECODABLE if failed else DOUBTFUL


def is_likely(text: str, *, universal: bool, western: bool = False) -> bool:
    """Whether a text can be what somebody wrote: letters, in words of one script each.

    Args:
        universal: the set holds every script, so that only signs that are no letters speak against it.
        western: the set is Latin-1, where bytes of another set show as signs; capitals within a word say nothing.
    """
    if not all(map(_may_stand_in_a_name, text)):
        return False
    words = "".join(letter if letter.isalpha() or unicodedata.category(letter)[0] == "M" else " " for letter in text)
    return universal or all(_is_word(word, western) for word in words.split())


def _as_declared(raw: bytes, declared: Sequence[str]) -> tuple[str, str, bool]:
    """(text, Python's name of the first encoding, whether decoding failed)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            encodings = convert_encodings(list(declared))
            known = len(caught)
            text = decode_bytes(raw, encodings, _DELIMITERS)
        except (LookupError, ValueError):
            return "", "", True
    return text, encodings[0], len(caught) > known or "\ufffd" in text


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"


def _as_utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _encoded_twice(text: str) -> str:
    """The text, where it was written in UTF-8, taken for Latin-1 and written in UTF-8 again."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return ""


def _may_be_utf8(better: str, encoding: str) -> bool:
    """Whether bytes that are likely letters as declared are likely UTF-8 as well.

    Sets of two bytes a letter take nearly every UTF-8 for letters, and Thai in UTF-8 is Thai in TIS 620. In other sets
    of one byte both are likely by chance only.
    """
    return bool(better) and (encoding.lower() in _TWO_BYTES or any(ord(letter) >= 0x800 for letter in better))


def _letters_beyond_ascii(text: str) -> int:
    return sum(not letter.isascii() for letter in text)


def _may_stand_in_a_name(letter: str) -> bool:
    if letter.isascii():
        return letter.isprintable()
    kind = unicodedata.category(letter)
    if kind[0] in "LM" or kind in ("Nd", "Nl", "Cf"):
        return letter not in _NO_LETTERS
    # Dashes, quotation marks and the signs of full width; those of Latin-1 are halves of letters.
    return letter in "\u00a0\u00b7" or (ord(letter) >= 0x2010 and (kind[0] in "PZ" or letter in "\uff1d\uff3e"))


def _is_word(word: str, western: bool) -> bool:
    letters = [letter for letter in word if letter.isalpha()]
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters} - _ANY_SCRIPT
    if len(scripts) > 1 and not scripts <= _EAST_ASIAN:
        return False
    if scripts != {"LATIN"}:
        return western or not _has_odd_capital(word)
    foreign = sum(not letter.isascii() for letter in letters)
    # Şükrü and Þórður have accents on three of five or six letters; Титов read as Latin-1 (ÂØâÞÒ) has nothing else.
    return (len(letters) < 3 or 3 * foreign <= 2 * len(letters)) and (western or not _has_odd_capital(word))


def _has_odd_capital(word: str) -> bool:
    """Whether a capital that is no ASCII stands within a word that has small letters."""
    return word != word.upper() and any(not letter.isascii() and letter.isupper() for letter in word[1:])
