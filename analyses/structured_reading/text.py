"""The words of a reading, written from its structure: findings, a proposal for the impression, the recommendation.

Telegraphic, as reports are, so that no phrase has to agree with another one in gender or case.
"""

from types import ModuleType

from analyses.models import Reading, Review
from analyses.models.vocabulary import Number, Presence, Recommendation
from analyses.structured_reading import phrases_de, phrases_en
from analyses.structured_reading.findings import Findings

LANGUAGES: dict[str, ModuleType] = {"en": phrases_en, "de": phrases_de}
ORDER = (
    "margin",
    "matrix",
    "periosteum",
    "cortical_destruction",
    "soft_tissue_mass",
    "fracture",
    "incidental",
    "known_primary",
)


def findings_text(findings: Findings, language: str) -> str:
    """The findings as a paragraph; empty where nothing is stated.

    Args:
        language: a language code; its first two letters choose the phrases, English where there are none.
    """
    if findings.is_empty:
        return ""
    words = _words(language)
    said = [words.SENTENCES[name].get(getattr(findings, name), "") for name in ORDER]
    if findings.margin:
        said[0] = words.GRADE.format(margin=said[0], grade=findings.margin)
    return " ".join(sentence for sentence in (_lesion(findings, words), *said) if sentence)


def impression(reading: str, findings: Findings, language: str) -> str:
    """A proposal for the impression; empty where there is no reading."""
    words = _words(language)
    if reading == Reading.NORMAL:
        return words.IMPRESSION_NORMAL
    if reading not in words.IMPRESSION:
        return ""
    if reading == Reading.CANNOT_TELL and not findings.describes_a_lesion:
        return words.IMPRESSION_OPEN
    one, several = words.IMPRESSION[reading]
    what = several if findings.number == Number.SEVERAL else one
    place = _place(findings, words)
    sentence = _sentence(f"{place}: {what}" if place else what)
    fracture = words.SENTENCES["fracture"]["yes"] if findings.fracture == Presence.YES else ""
    return f"{sentence} {fracture}".strip()


def recommendation(advice: str, months: int | None, other: str, language: str) -> str:
    """The recommendation as a sentence; empty where there is none."""
    words = _words(language)
    if advice == Recommendation.FOLLOW_UP and months:
        return words.FOLLOW_UP[months > 1].format(months=months)
    sentence = words.ADVICE.get(advice, "")
    return " ".join(part for part in (sentence, other.strip()) if part)


def recommendation_of(review: Review | None, language: str) -> str:
    """The recommendation of a reading as a sentence; empty where there is none."""
    if review is None:
        return ""
    months, other = review.recommendation_months, review.recommendation_text
    return recommendation(review.recommendation, months, other, language)


def _lesion(findings: Findings, words: ModuleType) -> str:
    if findings.number == Number.NONE:
        return words.NO_LESION
    place = _place(findings, words)
    size = f"{' × '.join(str(side) for side in findings.size_mm)} mm" if findings.size_mm else ""
    if not (findings.number or place or size):
        return ""
    return _sentence(", ".join(part for part in (words.LESION[findings.number], place, size) if part))


def _place(findings: Findings, words: ModuleType) -> str:
    bone = words.BONE.get(findings.bone, "")
    side = words.SIDE.get(findings.side, "")
    where = words.PLACE.format(bone=bone, side=side).strip() if bone else side
    part = words.PART.get(findings.part, "")
    if findings.end:
        part = words.END[findings.end].format(part=part) if part else words.END_ALONE[findings.end]
    return ", ".join(word for word in (where, part) if word)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _words(language: str) -> ModuleType:
    return LANGUAGES.get(language[:2], phrases_en)
