"""The referral letter to the bone tumour centre as a PDF: gathers what it says and has it drawn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.models import User
from accounts.services import portal_settings
from analyses.answers.suspicion import rank
from analyses.models import Analysis, Review, Study
from analyses.reports import content as reports
from analyses.reports import printing
from analyses.structured_reading import text


@dataclass(frozen=True)
class Enclosed:
    """One file of the archive beside the letter."""

    name: str
    sha256: str


def render(
    referral_id: UUID,
    study: Study,
    review: Review | None,
    *,
    analysis: Analysis | None,
    enclosed: list[Enclosed],
    user: User,
    made_at: datetime,
) -> bytes:
    """Draw the letter in the language of the department.

    Args:
        study: with patient and department.
        review: the reading as it stands, signed or not.
        analysis: the model's answer to the most suspicious film; None where the letter must not say it.
        enclosed: the other files of the archive.
    """
    language = study.department.language
    with translation.override(language):
        html = render_to_string(
            "analyses/referral/letter.html",
            {
                "language": language,
                "study": study,
                "patient": study.patient,
                "facts": reports.facts(study),
                "head": reports.running_head(study),
                "review": review,
                "advice": text.recommendation_of(review, language),
                "answer": _answer(analysis),
                "analysis": analysis,
                "enclosed": enclosed,
                "made_by": user,
                "made_at": timezone.localtime(made_at),
                "portal": portal_settings(),
            },
        )
    return printing.draw(html, identifier=referral_id.bytes)


def most_suspicious(analyses: list[Analysis]) -> Analysis | None:
    """The judged analysis that lists and reports put first."""
    judged = [row for row in analyses if reports.judged(row)]
    return min(judged, key=lambda row: rank(row.outcome, row.malignant_probability), default=None)


def _answer(analysis: Analysis | None) -> dict[str, Any]:
    """Word and line of the model's answer; empty where it must not be said."""
    return {"word": analysis.get_outcome_display(), "line": reports.answer_line(analysis)} if analysis else {}
