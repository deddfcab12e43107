"""What the reading part of the case page shows."""

from typing import Any

from analyses.models import ReadingTemplate, Review, Study
from analyses.reading.forms import ReadingForm
from analyses.structured_reading import bone_rads, text
from analyses.structured_reading import services as structured_reading


def reading_context(study: Study, review: Review | None, initial: dict[str, Any]) -> dict[str, Any]:
    """The form, the department's templates, contradictions, and whether Bone-RADS can hold.

    Args:
        initial: what the form begins with, e.g. the draft (``initial_of_review``).
    """
    drafted = review is not None and not review.is_signed
    return {
        "reading_form": ReadingForm(initial=initial),
        "reading_templates": templates_for(study),
        "contradictions": structured_reading.contradictions_of(study, review) if review is not None and drafted else [],
        "bone_rads_refusals": bone_rads.examination_exclusions(study.modality, structured_reading.patient_age(study)),
        "advice": text.recommendation_of(review, study.department.language),
    }


def templates_for(study: Study) -> list[ReadingTemplate]:
    """The department's templates: those for this body part first, those for another one last."""
    part = study.body_part_examined.strip().upper()
    rows = ReadingTemplate.objects.filter(department_id=study.department_id, is_active=True)
    return sorted(rows, key=lambda row: (row.body_part.upper() != part or not part, bool(row.body_part), row.name))
