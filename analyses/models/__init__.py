"""The clinical record: patients, cases with their films, the model's answers, the doctor's readings, reports."""

from analyses.models.analysis import (
    OUTCOME_CHOICES,
    Analysis,
    FractureOutcome,
    IdempotencyKey,
    Outcome,
    ProcessSeen,
    Stage,
    Status,
)
from analyses.models.annotation import Annotation, AnnotationKind
from analyses.models.drift import DriftAlarm, DriftCheck, DriftSeries
from analyses.models.notification import Notification, NotificationChoice, NotificationKind
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
    ReadingTemplate,
    Review,
    SecondReading,
    TumourGrade,
    TumourStage,
)
from analyses.models.record import SIGNED_STATES, Image, Laterality, Patient, ReadingState, Sex, Study
from analyses.models.referral import Referral
from analyses.models.registry import ComparisonStatus, ModelActivation, ModelComparison, ModelHold, Task
from analyses.models.report import Report, ReportKind, ReportState
from analyses.models.trial import Arm, Direction, ReadingRevision, Trial, TrialAllocation, TrialBlock, UnaidedReading
from analyses.models.vocabulary import Reading
from analyses.models.worklist import CasePresence, SavedFilter

__all__ = [
    "BENIGN_STAGES",
    "OUTCOME_CHOICES",
    "SIGNED_STATES",
    "Addendum",
    "Analysis",
    "Annotation",
    "AnnotationKind",
    "Arm",
    "CaseOutcome",
    "CasePresence",
    "ComparisonStatus",
    "Condition",
    "Direction",
    "DriftAlarm",
    "DriftCheck",
    "DriftSeries",
    "FractureOutcome",
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
    "Patient",
    "ProcessSeen",
    "ReaderStudy",
    "ReaderStudyCase",
    "ReaderStudyReader",
    "ReaderStudyReading",
    "ReaderStudyState",
    "Reading",
    "ReadingRevision",
    "ReadingState",
    "ReadingTemplate",
    "ReferenceTruth",
    "Referral",
    "Report",
    "ReportKind",
    "ReportState",
    "Review",
    "SavedFilter",
    "SecondReading",
    "Sex",
    "Stage",
    "Status",
    "Study",
    "Task",
    "Trial",
    "TrialAllocation",
    "TrialBlock",
    "Truth",
    "TruthMethod",
    "TumourGrade",
    "TumourStage",
    "UnaidedReading",
]
