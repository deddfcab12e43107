"""Names of people: how they are written for people, and when two of them are one. What is stored stays as it came."""

import unicodedata

from accounts.spelling import forms, pairs, plain, words_of


def written_name(stored: str) -> str:
    """A DICOM person name (PS3.5, 6.2.1.1) in reading order: ``Müller^Anna^Katharina`` is MÜLLER, Anna Katharina.

    The first of its groups that holds anything is written. A name without ^ was typed for people and is left alone,
    unless = parts it into groups of which one is not written in Latin letters.
    """
    if "^" not in stored and not _in_groups(stored):
        return stored
    group = next((part for part in stored.split("=") if part.strip("^ ")), "")
    if "^" not in group:
        return group.strip()
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    # A capital ß is written as such: SS would be another name.
    family = family.replace("ß", "ẞ").upper()
    first_names = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, first_names, suffix) if part)


def _in_groups(name: str) -> bool:
    """Whether a name without ^ is of up to three groups (Yamada=山田=やまだ), and no text with a = in it."""
    groups = name.split("=")
    letters = [letter for letter in name if letter.isalpha()]
    return 1 < len(groups) <= 3 and not all(unicodedata.name(one, "").startswith("LATIN") for one in letters)


def name_words(name: str) -> list[str]:
    """A name's words in every group without case, Latin accents, punctuation and order, for names that are equal."""
    return sorted(plain(word) for group in _groups(name) for word in group)


def names_agree(one: str, other: str) -> bool:
    """Whether two names can be one person's.

    They agree when a group of one (PS3.5, 6.2.1: alphabetic, ideographic, phonetic) agrees with a group of the other:
    the same words in any order, or one leaves out words of the other (a missing second name contradicts nothing).
    Scripts are not turned into each other: 山田 reads Yamada in one country and Shantian in another. Where both state
    the ideographs, these decide: 陽子 and 洋子 are both Yōko, and two people.
    """
    first, second = _groups(one), _groups(other)
    if not first or not second:
        return True
    mine, theirs = _ideographic(first), _ideographic(second)
    return _any_agree(mine, theirs) if mine and theirs else _any_agree(first, second)


def _any_agree(first: list[list[str]], second: list[list[str]]) -> bool:
    return any(_within(mine, theirs) or _within(theirs, mine) for mine in first for theirs in second)


def _groups(name: str) -> list[list[str]]:
    return [words for words in map(words_of, name.split("=")) if words]


def _ideographic(groups: list[list[str]]) -> list[list[str]]:
    """The groups that hold an ideograph, in whichever place: a typed name has one group only."""
    return [group for group in groups if any(map(_is_ideograph, "".join(group)))]


def _is_ideograph(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("CJK UNIFIED IDEOGRAPH")


def _within(few: list[str], many: list[str]) -> bool:
    """Whether every word of `few` is one of `many`, where words written apart in either may be joined in the other."""
    known = forms(many)
    joined = known | forms(pairs(many)) | forms(["".join(many)])
    apart = [bool(forms([word]) & joined) for word in few]
    for index, pair in enumerate(pairs(few)):
        if forms([pair]) & known:
            apart[index] = apart[index + 1] = True
    return all(apart) or bool(forms(["".join(few)]) & known)
