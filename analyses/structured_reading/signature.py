"""What a doctor's signature covers, as one canonical text and its sha256."""

import hashlib
import json
from datetime import datetime
from typing import Any

from analyses.models import Analysis, Review, Study


def signed_content(
    study: Study, review: Review, analyses: list[Analysis], signed_at: datetime, *, named: bool = True
) -> dict[str, Any]:
    """Everything that the signature stands for: whose films, what the model said, what the doctor says, who and when.

    The clinical question and the referrer are left out: they may be corrected without touching what was signed.

    Args:
        named: with the name that the reader signed as; signatures from before names were kept were made without it.
    """
    patient = study.patient
    return {
        "case": str(study.pk),
        "patient": patient
        and {
            "patient_id": patient.patient_id,
            "patient_name": patient.patient_name,
            "patient_birth_date": _iso(patient.patient_birth_date),
            "patient_sex": patient.patient_sex,
        },
        "study": {
            "accession_number": study.accession_number,
            "modality": study.modality,
            "body_part_examined": study.body_part_examined,
            "laterality": study.laterality,
            "study_date": _iso(study.study_date),
        },
        "films": [
            {
                "image": str(analysis.image_id),
                "original_sha256": analysis.image.original_sha256,
                "canonical_sha256": analysis.image.canonical_sha256,
                "analysis": str(analysis.pk),
                "status": analysis.status,
                "outcome": analysis.outcome,
                "probabilities": analysis.probabilities,
                "model_sha256": analysis.model_sha256,
            }
            for analysis in analyses
        ],
        "reading": review.reading,
        "impression": review.impression,
        # Only where stated: readings signed before the record knew these fields keep their signature.
        **review.grade_and_stage,
        **review.structured,
        "reader": str(review.reader_id),
        **({"signed_as": review.signed_as} if review.signed_as and named else {}),
        "signed_at": signed_at.isoformat(),
    }


def content_sha256(content: dict[str, Any]) -> str:
    """sha256 of the content as JSON with sorted keys, no spaces, UTF-8."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def signed_sha256(
    study: Study, review: Review, analyses: list[Analysis], signed_at: datetime, *, named: bool = True
) -> str:
    """The digest that a signature keeps."""
    return content_sha256(signed_content(study, review, analyses, signed_at, named=named))


def covers(study: Study, review: Review, analyses: list[Analysis]) -> bool:
    """Whether the case still is what was signed; False after the patient, the side or an answer was corrected."""
    if review.signed_at is None:
        return False
    at = review.signed_at
    return review.signed_sha256 in (signed_sha256(study, review, analyses, at, named=named) for named in (True, False))


def _iso(day: Any) -> str:
    # A row that was just made may still hold the text it was made from.
    return "" if day is None else str(day)
