"""What a reading holds beyond reading, impression, grade and stage, as one value between form and service."""

from dataclasses import dataclass

from analyses.structured_reading.findings import EMPTY, Findings


@dataclass(frozen=True)
class Structured:
    """Everything may be left open.

    Attributes:
        findings_text: as edited; empty to have it written from the findings.
        recommendation_months: for follow-up only.
        bone_rads: 1 to 4, only where Bone-RADS is valid.
        disagreement_reason, disagreement_text: kept only where the reading overrules the model.
    """

    findings: Findings = EMPTY
    findings_text: str = ""
    recommendation: str = ""
    recommendation_months: int | None = None
    recommendation_text: str = ""
    bone_rads: int | None = None
    disagreement_reason: str = ""
    disagreement_text: str = ""


NOTHING = Structured()
