"""Checks of the structured part of a reading, and its way onto the review; ``analyses.reading`` saves it."""

from collections.abc import Collection
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from analyses.errors import Conflict, invalid_fields
from analyses.models import Reading, Review, Study
from analyses.models.vocabulary import BoneRads, DisagreementReason, Recommendation
from analyses.record.fields import turns_letters
from analyses.structured_reading import bone_rads, contradictions, text
from analyses.structured_reading.content import Structured
from analyses.structured_reading.contradictions import Contradiction, StatedCase
from analyses.structured_reading.findings import Findings, from_json

# Readings after which somebody must know what to do next.
NEEDS_ADVICE = (Reading.MALIGNANT, Reading.CANNOT_TELL)
MAX_MONTHS = 60
MAX_LINE = 500


def examined_on(study: Study) -> date:
    """The day by which a patient's age counts."""
    return study.study_date if isinstance(study.study_date, date) else timezone.localdate()


def patient_age(study: Study) -> int | None:
    """Full years at the examination; None where the birth date is not known."""
    patient = study.patient
    return bone_rads.age_years(patient.patient_birth_date if patient else None, examined_on(study))


def check(study: Study, reading: str, likelihood: int | None, given: Structured) -> None:
    """Refuse what cannot be, each with the reason at its field.

    Raises:
        Invalid: ``bad_field``.
    """
    errors = {**_likelihood_errors(reading, likelihood), **_advice_errors(given), **_reason_errors(given)}
    if given.bone_rads is not None:
        reasons = bone_rads.exclusions(study.modality, patient_age(study), given.findings)
        if given.bone_rads not in BoneRads.values:
            errors["bone_rads"] = [_("Choose a category.")]
        elif reasons:
            errors["bone_rads"] = reasons
    if errors:
        raise invalid_fields(errors)


def check_advice(given: Structured) -> None:
    """Refuse a recommendation that cannot be, as ``check`` does.

    Raises:
        Invalid: ``bad_field``.
    """
    errors = _advice_errors(given)
    if errors:
        raise invalid_fields(errors)


def values(
    review: Review, given: Structured, likelihood: int | None, agrees: bool | None, language: str
) -> dict[str, Any]:
    """The fields of a review as this reading sets them; ``given`` is checked.

    A text that was left empty is written from the findings, and so is one that still is what was written from the
    findings before they changed; a text written by hand is kept as it is.
    """
    stated = given.findings.to_json()
    written = given.findings_text
    if not written or _was_generated(written, review.findings):
        written = text.findings_text(given.findings, language)
    overruled = agrees is False
    return {
        "likelihood": likelihood,
        "findings": stated,
        "findings_text": written,
        "text_findings": review.text_findings if written == review.findings_text else stated,
        "recommendation": given.recommendation,
        "recommendation_months": given.recommendation_months,
        "recommendation_text": given.recommendation_text.strip(),
        "bone_rads": given.bone_rads,
        "disagreement_reason": given.disagreement_reason if overruled else "",
        "disagreement_text": given.disagreement_text.strip() if overruled else "",
    }


def impression(review: Review, reading: str, typed: str, findings: Findings, language: str) -> str:
    """The impression as it is kept: what was typed; where that is nothing, written from reading and findings.

    One that still is what was written from the reading and the findings before they changed is written anew.
    """
    before = from_json(review.findings)
    generated = (text.impression(review.reading, before, one) for one in text.LANGUAGES)
    if typed and typed not in generated:
        return typed
    return text.impression(reading, findings, language)


def missing(reading: str, impression: str, recommendation: str) -> dict[str, list[str]]:
    """What a reading still lacks to be signed, by field; nothing where it is complete."""
    lacks = {}
    if not any(letter.isalnum() for letter in impression):
        lacks["impression"] = [_("Enter the impression, then sign.")]
    if reading in NEEDS_ADVICE and not recommendation:
        lacks["recommendation"] = [_("Choose a recommendation, then sign. No follow-up is one, too.")]
    return lacks


def require_complete(review: Review) -> None:
    """Refuse the signature of a reading that lacks something.

    Raises:
        Conflict: ``incomplete``, with a sentence at each field.
    """
    lacks = missing(review.reading, review.impression, review.recommendation)
    if lacks:
        raise Conflict("incomplete", " ".join(one for said in lacks.values() for one in said), fields=lacks)


def contradictions_of(study: Study, review: Review) -> list[Contradiction]:
    """What contradicts itself in a saved reading, or contradicts its examination."""
    findings = from_json(review.findings)
    return contradictions.find(
        StatedCase(
            reading=review.reading,
            likelihood=review.likelihood,
            findings=findings,
            recommendation=review.recommendation,
            body_part=study.body_part_examined,
            laterality=study.laterality,
            text_is_older=text_is_older(review, findings, review.findings_text),
        )
    )


def text_is_older(review: Review | None, findings: Findings, written: str) -> bool:
    """Whether a text was written by hand when other findings were stated than these."""
    if review is None or not written or written != review.findings_text:
        return False
    stated = findings.to_json()
    return review.text_findings != stated and not _was_generated(written, stated)


def confirmed_contradictions(study: Study, review: Review, confirmed: Collection[str]) -> list[str]:
    """The codes of the contradictions that this signature confirms.

    Raises:
        Conflict: ``contradiction`` where one must be mended, ``unconfirmed`` where one was not confirmed.
    """
    found = contradictions_of(study, review)
    errors = [one.text for one in found if one.is_error]
    if errors:
        raise Conflict("contradiction", _("The reading contradicts itself. %(why)s") % {"why": " ".join(errors)})
    if any(one.code not in confirmed for one in found):
        raise Conflict(
            "unconfirmed", _("The reading contains contradictions. Resolve or confirm each of them, then sign.")
        )
    return sorted(one.code for one in found)


def _was_generated(written: str, findings: dict[str, Any]) -> bool:
    """Whether a text is what one of the languages writes from these findings."""
    known = from_json(findings)
    return any(written == text.findings_text(known, language) for language in text.LANGUAGES)


def _likelihood_errors(reading: str, likelihood: int | None) -> dict[str, list[str]]:
    if likelihood is None:
        return {}
    if not 0 <= likelihood <= 100:
        return {"likelihood": [_("A whole number from 0 to 100.")]}
    if reading == Reading.CANNOT_TELL:
        return {"likelihood": [_("Leave the likelihood empty for cannot tell.")]}
    return {}


def _advice_errors(given: Structured) -> dict[str, list[str]]:
    advice, months = given.recommendation, given.recommendation_months
    errors: dict[str, list[str]] = {}
    if advice and advice not in Recommendation.values:
        errors["recommendation"] = [_("Choose a recommendation.")]
    if advice == Recommendation.FOLLOW_UP and months is None:
        errors["recommendation_months"] = [_("Enter the interval in months.")]
    elif months is not None and advice != Recommendation.FOLLOW_UP:
        errors["recommendation_months"] = [_("An interval applies to follow-up films only.")]
    elif months is not None and not 1 <= months <= MAX_MONTHS:
        errors["recommendation_months"] = [_("1 to %(most)s months.") % {"most": MAX_MONTHS}]
    if advice == Recommendation.OTHER and not given.recommendation_text.strip():
        errors["recommendation_text"] = [_("Enter the recommendation.")]
    elif not _is_line(given.recommendation_text):
        errors["recommendation_text"] = [
            _("At most %(most)s characters, without control characters.") % {"most": MAX_LINE}
        ]
    return errors


def _reason_errors(given: Structured) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    if given.disagreement_reason and given.disagreement_reason not in DisagreementReason.values:
        errors["disagreement_reason"] = [_("Choose a reason.")]
    if given.disagreement_reason == DisagreementReason.OTHER and not given.disagreement_text.strip():
        errors["disagreement_text"] = [_("Enter the reason.")]
    elif not _is_line(given.disagreement_text):
        errors["disagreement_text"] = [
            _("At most %(most)s characters, without control characters.") % {"most": MAX_LINE}
        ]
    return errors


def _is_line(line: str) -> bool:
    plain = not any(ord(letter) < 32 for letter in line) and not turns_letters(line)
    return len(line) <= MAX_LINE and plain
