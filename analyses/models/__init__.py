"""The clinical record: patients, cases with their films, the model's answers, the doctor's readings, reports."""

from analyses.models.analysis import Analysis, IdempotencyKey, Outcome, ProcessSeen, Stage, Status
from analyses.models.reading import Addendum, Reading, Report, ReportKind, ReportState, Review
from analyses.models.record import Image, Laterality, Patient, ReadingState, Sex, Study
from analyses.models.registry import ComparisonStatus, ModelActivation, ModelComparison

__all__ = [
    "Addendum",
    "Analysis",
    "ComparisonStatus",
    "IdempotencyKey",
    "Image",
    "Laterality",
    "ModelActivation",
    "ModelComparison",
    "Outcome",
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
]
