"""The clinical record: patients, cases with their films, the model's answers, the doctor's readings, reports."""

from analyses.models.analysis import Analysis, IdempotencyKey, Outcome, ProcessSeen, Stage, Status
from analyses.models.annotation import Annotation, AnnotationKind
from analyses.models.outcome import CaseOutcome, Truth, TruthMethod
from analyses.models.reader_study import (
    Condition,
    ReaderStudy,
    ReaderStudyCase,
    ReaderStudyReader,
    ReaderStudyReading,
    ReaderStudyState,
    ReferenceTruth,
)
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
from analyses.models.structured import ReadingTemplate, Referral
from analyses.models.watch import DriftAlarm, DriftCheck, ModelHold, WatchSeries
from analyses.models.worklist import (
    CasePresence,
    Notification,
    NotificationChoice,
    NotificationKind,
    SavedView,
    SecondReading,
)

__all__ = [
    "BENIGN_STAGES",
    "Addendum",
    "Analysis",
    "Annotation",
    "AnnotationKind",
    "Arm",
    "CaseOutcome",
    "CasePresence",
    "ChangeOfMind",
    "ComparisonStatus",
    "Condition",
    "Direction",
    "DriftAlarm",
    "DriftCheck",
    "IdempotencyKey",
    "Image",
    "Laterality",
    "ModelActivation",
    "ModelComparison",
    "ModelHold",
    "Notification",
    "NotificationChoice",
    "NotificationKind",
    "Outcome",
    "OwnReading",
    "Patient",
    "ProcessSeen",
    "ReaderStudy",
    "ReaderStudyCase",
    "ReaderStudyReader",
    "ReaderStudyReading",
    "ReaderStudyState",
    "Reading",
    "ReadingState",
    "ReadingTemplate",
    "ReferenceTruth",
    "Referral",
    "Report",
    "ReportKind",
    "ReportState",
    "Review",
    "SavedView",
    "SecondReading",
    "Sex",
    "Stage",
    "Status",
    "Study",
    "Trial",
    "TrialAllocation",
    "TrialBlock",
    "Truth",
    "TruthMethod",
    "TumourGrade",
    "TumourStage",
    "WatchSeries",
]
