"""When two spellings are one: letters of names as they are compared and searched, and numbers. What is stored stays."""

import re
import unicodedata
from collections.abc import Iterable
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
# Longer than any number that a rule lets in, also where one sign falls into several letters.
NUMBER_CHARS = 200
# As many words as people write as one: van der Velde, Mary Ann.
_JOINED = 3


def normal_number(number: str) -> str:
    """The form in which two record or accession numbers are one: no case, width or white space.

    Leading zeros count: 0123 and 123 may be two people.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).casefold())
    return "".join(folded.casefold().split())[:NUMBER_CHARS]


def words_of(text: str) -> list[str]:
    """The words of a text, each a run of letters with their marks, digits and signs of no known meaning.

    Without case, width, apostrophes and letters that are not seen; accents are kept.
    """
    text = unicodedata.normalize("NFKC", _DROPPED.sub("", text))
    # Twice: a letter can fall into two that compose, and folding is to change nothing the second time.
    text = unicodedata.normalize("NFKC", text.casefold()).casefold().translate(_SAME)
    kinds = ((letter, unicodedata.category(letter)) for letter in _DROPPED.sub("", text))
    return "".join(
        letter if kind[0] in "LMN" or kind in ("So", "Co", "Cn") else "" if kind == "Cf" else " "
        for letter, kind in kinds
    ).split()


def pairs(words: list[str]) -> list[str]:
    """Each word written together with the next."""
    return [first + second for first, second in pairwise(words)]


def forms(words: Iterable[str]) -> set[str]:
    """The words without accents, and spelt out: Müller is Muller and Mueller."""
    return {form for word in words for form in _forms(word)}


def plain(word: str) -> str:
    """The word without accents, and without letters that only spell an accent out."""
    return _DIGRAPH.sub(r"\1", _without_marks(word))


def search_words(name: str) -> str:
    """The words of a name in all their forms, for a search that looks for a part of one."""
    return _listed(form for group in name.split("=") for word in words_of(group) for form in _forms(word))


def search_joined(name: str) -> str:
    """Neighbouring words of a name written together, for a search that looks for how one of them begins.

    Apart from ``search_words``, so that *nam* does not find Anna Müller.
    """
    runs = []
    for group in name.split("="):
        words = words_of(group)
        runs += ["".join(words[at : at + _JOINED]) for at in range(len(words) - 1)]
    return _listed(form for run in runs for form in _forms(run))


def is_found(question: str, text: str) -> bool:
    """Whether every word of a question is a part of the text's words, or begins some that are written together."""
    known, joined, words = search_words(text), search_joined(text), words_of(question)
    return bool(words) and all(any(form in known or f" {form}" in joined for form in _forms(word)) for word in words)


def _forms(word: str) -> list[str]:
    return list(dict.fromkeys((plain(word), _without_marks(word.translate(_SPELT)))))


def _listed(words: Iterable[str]) -> str:
    """Each once, with a blank before it: a word's beginning is found by the blank."""
    return "".join(f" {word}" for word in dict.fromkeys(words))


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
