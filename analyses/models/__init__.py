"""The clinical record: patients, cases with their films, the model's answers, the doctor's readings, reports."""

from analyses.models.analysis import Analysis, IdempotencyKey, Outcome, ProcessSeen, Stage, Status
from analyses.models.reading import (
    BENIGN_STAGES,
    Addendum,
    Arm,
    OwnReading,
    Reading,
    Report,
    ReportKind,
    ReportState,
    Review,
    TumourGrade,
    TumourStage,
)
from analyses.models.reading_first import ChangeOfMind, Direction, Trial, TrialAllocation, TrialBlock
from analyses.models.record import Image, Laterality, Patient, ReadingState, Sex, Study
from analyses.models.registry import ComparisonStatus, ModelActivation, ModelComparison

__all__ = [
    "BENIGN_STAGES",
    "Addendum",
    "Analysis",
    "Arm",
    "ChangeOfMind",
    "ComparisonStatus",
    "Direction",
    "IdempotencyKey",
    "Image",
    "Laterality",
    "ModelActivation",
    "ModelComparison",
    "Outcome",
    "OwnReading",
    "Patient",
    "ProcessSeen",
    "Reading",
    "ReadingState",
    "Report",
    "ReportKind",
    "ReportState",
    "Review",
    "Sex",
    "Stage",
    "Status",
    "Study",
    "Trial",
    "TrialAllocation",
    "TrialBlock",
    "TumourGrade",
    "TumourStage",
]
