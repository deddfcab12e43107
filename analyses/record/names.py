"""Names of people: how they are written for people, and when two of them are one. What is stored stays as it came."""

import re
import unicodedata
from itertools import pairwise

_APOSTROPHES = (
    "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u2018\u2019\u201b\u2032\u055a\u05f3\ua78b\ua78c\uff07"
)
# Letters that are not seen, and the Arabic line that only makes a word longer.
_UNSEEN = "\u034f\u0640\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
_DROPPED = re.compile(f"[{re.escape(_APOSTROPHES)}{_UNSEEN}\ufe00-\ufe0f\U000e0000-\U000e0fff]")
# Vowel points and signs of Hebrew and Arabic, which most writers leave out (hamza and madda among them).
_POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
# One letter on two keyboards, or in two writings of one sound: Persian and Arabic, katakana and hiragana.
_SAME = {ord("\u06cc"): "\u064a", ord("\u0649"): "\u064a", ord("\u06a9"): "\u0643"} | {
    katakana: katakana - 0x60 for katakana in range(0x30A1, 0x30F7)
}
# Letters of the Latin alphabet that are no letter with a mark: as they are written without, and as they are spelt out.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "ı": "i", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ŋ": "n"}
    | {"ə": "a", "ĸ": "k"}
)
_SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "đ": "dj", "ð": "th", "ŋ": "ng"})
# ae, oe and ue may stand for ä, ö and ü, but not in Bauer and Enrique, Doe and Chloe, Michael, Noel and Manuela.
_DIGRAPH = re.compile(r"(?<![aeiouyq])([aou])e(?!l(?:l?[ae])?$)(?!$)")


def written_name(stored: str) -> str:
    """A DICOM person name (PS3.5, 6.2.1.1) in reading order: ``Müller^Anna^Katharina`` is MÜLLER, Anna Katharina.

    The first of its groups that holds anything is written. A name without ^ was typed for people and is left alone.
    """
    if "^" not in stored:
        return stored
    group = next((part for part in stored.split("=") if part.strip("^ ")), "")
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    # A capital ß is written as such: SS would be another name.
    family = family.replace("ß", "ẞ").upper()
    first_names = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, first_names, suffix) if part)


def name_words(name: str) -> list[str]:
    """A name's words in every group without case, Latin accents, punctuation and order, for names that are equal."""
    return sorted(_plain(word) for group in _groups(name) for word in group)


def names_agree(one: str, other: str) -> bool:
    """Whether two names can be one person's.

    They agree when a group of one (PS3.5, 6.2.1: alphabetic, ideographic, phonetic) agrees with a group of the other:
    the same words in any order, or one leaves out words of the other (a missing second name contradicts nothing).
    Scripts are not turned into each other: 山田 reads Yamada in one country and Shantian in another.
    """
    first, second = _groups(one), _groups(other)
    if not first or not second:
        return True
    return any(_within(mine, theirs) or _within(theirs, mine) for mine in first for theirs in second)


def _groups(name: str) -> list[list[str]]:
    return [words for words in map(_words, name.split("=")) if words]


def _words(group: str) -> list[str]:
    """The group's words, each a run of letters with their marks, digits and signs of no known meaning."""
    text = unicodedata.normalize("NFKC", _DROPPED.sub("", group))
    # Twice: a letter can fall into two that compose, and folding is to change nothing the second time.
    text = unicodedata.normalize("NFKC", text.casefold()).casefold().translate(_SAME)
    kinds = ((letter, unicodedata.category(letter)) for letter in _DROPPED.sub("", text))
    return "".join(
        letter if kind[0] in "LMN" or kind in ("So", "Co", "Cn") else "" if kind == "Cf" else " "
        for letter, kind in kinds
    ).split()


def _within(few: list[str], many: list[str]) -> bool:
    """Whether every word of `few` is one of `many`, where words written apart in either may be joined in the other."""
    known = _forms(many)
    joined = known | _forms(_pairs(many)) | _forms(["".join(many)])
    apart = [bool(_forms([word]) & joined) for word in few]
    for index, pair in enumerate(_pairs(few)):
        if _forms([pair]) & known:
            apart[index] = apart[index + 1] = True
    return all(apart) or bool(_forms(["".join(few)]) & known)


def _pairs(words: list[str]) -> list[str]:
    return [first + second for first, second in pairwise(words)]


def _forms(words: list[str]) -> set[str]:
    """The words without accents, and spelt out: Müller is Muller and Mueller."""
    return {form for word in words for form in (_plain(word), _without_marks(word.translate(_SPELT)))}


def _plain(word: str) -> str:
    return _DIGRAPH.sub(r"\1", _without_marks(word))


def _without_marks(word: str) -> str:
    """Without the marks that writers leave out. Elsewhere (Devanagari, Thai, kana) a mark is half of the letter."""
    kept: list[str] = []
    base = ""
    for letter in unicodedata.normalize("NFD", word.translate(_PLAIN)):
        if not unicodedata.category(letter).startswith("M"):
            base = letter
        elif _may_lack(base, letter):
            continue
        kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept))


def _may_lack(base: str, mark: str) -> bool:
    alphabet = unicodedata.name(base, "").partition(" ")[0] if base else ""
    if alphabet == "CYRILLIC":  # stress, and ё for е; й is not и, nor ї і
        return mark in "\u0300\u0301" or (base == "е" and mark == "\u0308")
    return alphabet in ("LATIN", "GREEK") or bool(_POINTS.fullmatch(mark))
