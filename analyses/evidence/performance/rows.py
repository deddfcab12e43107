"""What is counted on *Performance at this site*: one row for each closed case that this user may see.

A case counts once it is signed and has an outcome. Signed cases hide nothing from anybody (``analyses.blinding``), and
the condition is asked all the same. While the department takes part in a trial, the cases that were given to an arm by
allocation are left out: how many are shown and hidden so far would help to guess the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import ReadingMode, User
from analyses.answers.agreement import ANSWERS
from analyses.blinding.rules import hidden_cases
from analyses.models import (
    SIGNED_STATES,
    Analysis,
    Arm,
    CaseOutcome,
    Outcome,
    Reading,
    Sex,
    Status,
    Study,
    Task,
    TrialAllocation,
    UnaidedReading,
)

# The export speaks English whatever the pages speak; ``figures.GROUP_WORDS`` says the same on the page.
SEXES: dict[str, str] = {Sex.MALE: "male", Sex.FEMALE: "female", Sex.OTHER: "other"}
AGE_GROUPS = ((10, "0 to 9"), (20, "10 to 19"), (40, "20 to 39"), (60, "40 to 59"), (200, "60 and older"))
NOT_STATED = "not stated"
YOU, OTHERS = "you", "other readers"


@dataclass(frozen=True)
class Row:
    """One closed case. Readings and answers are codes; ``own_*`` is the signer's reading before the reveal."""

    case: UUID
    patient: int  # equal for cases of one patient
    truth: str
    method: str
    established_on: date
    subtype: str
    grade: str
    stage: str
    quarter: str
    reader: str
    body_part: str
    age_group: str
    sex: str
    model: str
    model_outcome: str
    probability: float | None  # of malignancy; None where the model gave no answer
    unaided_reading: str
    unaided_likelihood: int | None
    mode: str
    arm: str
    final_reading: str
    final_likelihood: int | None
    overruled: bool | None  # None where there was no answer to overrule, or the reader did not see it

    @property
    def malignant(self) -> bool:
        return self.truth == Reading.MALIGNANT

    @property
    def model_call(self) -> bool | None:
        """Whether the model called it malignant at its operating point; None without an answer."""
        return self.model_outcome == Outcome.MALIGNANT if self.model_outcome in ANSWERS else None

    @property
    def unaided_call(self) -> bool | None:
        return call(self.unaided_reading)

    @property
    def final_call(self) -> bool | None:
        return call(self.final_reading)

    @property
    def read_alone(self) -> bool:
        """Whether the signer read the case before the model's answer was seen."""
        return bool(self.unaided_reading)

    @property
    def saw_model(self) -> bool:
        """Whether the final reading was made with the model's answer in sight: not in the hidden arm of a trial."""
        return self.arm != Arm.HIDDEN


def call(reading: str) -> bool | None:
    """Whether a reading calls malignancy; None for *cannot tell* and for none."""
    return None if reading in ("", Reading.CANNOT_TELL) else reading == Reading.MALIGNANT


def rows_for(user: User) -> list[Row]:
    """The closed cases of the user's department, the oldest signature first; three queries."""
    visible = Study.objects.for_user(user).filter(reading_state__in=SIGNED_STATES).exclude(hidden_cases(user))
    if in_trial(user):
        visible = visible.exclude(Exists(UnaidedReading.objects.filter(study=OuterRef("pk"), mode=ReadingMode.TRIAL)))
    # A case that lost a film after somebody had read it without the model was not read as it is now.
    visible = visible.exclude(Exists(UnaidedReading.objects.filter(study=OuterRef("pk"), voided_at__isnull=False)))
    closed = CaseOutcome.objects.filter(is_current=True, study__in=visible, study__review__signed_at__isnull=False)
    outcomes = list(closed.select_related("study__patient", "study__review").order_by("study__review__signed_at", "pk"))
    ids = [outcome.study_id for outcome in outcomes]
    unaided = {
        (reading.study_id, reading.reader_id): reading
        for reading in UnaidedReading.objects.filter(study__in=visible, locked_at__isnull=False).defer("region")
    }
    models = _models(visible) if ids else {}
    patients: dict[Any, int] = {}
    made = []
    for outcome in outcomes:
        study = outcome.study
        number = patients.setdefault(study.patient_id or study.pk, len(patients) + 1)
        made.append(
            _row(outcome, unaided.get((study.pk, study.review.reader_id)), number, models.get(study.pk, ""), user)
        )
    return made


def in_trial(user: User) -> bool:
    """Whether the user's department takes part in a trial at present, or a trial that it read for is still open."""
    if user.department is None:
        return False
    drawn = TrialAllocation.objects.filter(study__department=user.department, block__trial__closed_at__isnull=True)
    return user.department.reading_mode == ReadingMode.TRIAL or drawn.exists()


def _models(visible: Any) -> dict[UUID, str]:
    """Which model answered each case: that of its newest answer."""
    answers = Analysis.objects.of_task(Task.TUMOUR).filter(image__study__in=visible, status=Status.SUCCEEDED)
    answers = answers.exclude(model_name="")
    rows = answers.order_by("created_at").values_list("image__study_id", "model_name", "model_version")
    return {study: f"{name}-{version}" for study, name, version in rows}


def _row(outcome: CaseOutcome, unaided: UnaidedReading | None, patient: int, model: str, user: User) -> Row:
    study, review = outcome.study, outcome.study.review
    signed = timezone.localtime(review.signed_at)
    answer, probability = _answer(outcome, unaided)
    arm = unaided.arm if unaided else ""
    born = study.patient.patient_birth_date if study.patient else None
    seen = arm != Arm.HIDDEN and review.agrees_with_model is not None
    return Row(
        case=study.pk,
        patient=patient,
        truth=outcome.truth,
        method=outcome.method,
        established_on=outcome.established_on,
        subtype=outcome.subtype,
        grade=outcome.tumour_grade,
        stage=outcome.tumour_stage,
        quarter=f"{signed.year} Q{(signed.month + 2) // 3}",
        reader=YOU if review.reader_id == user.pk else OTHERS,
        body_part=study.body_part_examined.lower() or NOT_STATED,
        age_group=age_group(born, study.study_date or signed.date()),
        sex=SEXES.get(study.patient.patient_sex, NOT_STATED) if study.patient else NOT_STATED,
        model=model,
        model_outcome=answer,
        probability=probability,
        unaided_reading=unaided.reading if unaided else "",
        unaided_likelihood=unaided.likelihood if unaided else None,
        mode=unaided.mode if unaided else ReadingMode.AT_ONCE,
        arm=arm,
        final_reading=review.reading,
        final_likelihood=review.likelihood,
        overruled=not review.agrees_with_model if seen else None,
    )


def _answer(outcome: CaseOutcome, unaided: UnaidedReading | None) -> tuple[str, float | None]:
    """The answer that the signed reading stands beside, and its probability.

    Where the model changed between lock and signature that is the answer of the lock; none where it had none then.
    """
    study = outcome.study
    at_lock = unaided.answer if unaided and unaided.answer else {}
    answer = study.review.model_outcome or ("" if at_lock else study.outcome)
    if answer not in ANSWERS:
        return answer, None
    if at_lock.get("outcome") == answer:
        return answer, at_lock.get("malignant_probability")
    return answer, study.malignant_probability if study.outcome == answer else None


def age_group(born: date | None, on: date) -> str:
    """The group of full years at the examination."""
    if born is None:
        return NOT_STATED
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return next(name for limit, name in AGE_GROUPS if years < limit)


# column -> what it holds; the order of the export and of its data dictionary
DICTIONARY: dict[str, str] = {
    "case": "Identifier of the case.",
    "patient": "Number of the patient in this file; the same for all cases of a patient. Not the record number.",
    "truth": "Diagnosis: normal, benign, malignant.",
    "method": "How the diagnosis was established: pathology, follow_up_imaging, clinical_follow_up.",
    "established_on": "Day of the pathology or follow-up.",
    "subtype": "Subtype as entered; may be empty.",
    "grade": "Histological grade GX, G1, G2, G3; may be empty.",
    "stage": "Surgical stage after Enneking; may be empty.",
    "quarter": "Quarter in which the reading was signed.",
    "reader": "Signing reader: you, or other readers (not identified).",
    "body_part": "Body part examined, the DICOM term in lower case.",
    "age_group": "Age at the examination in full years.",
    "sex": "Sex of the patient.",
    "model": "Name and version of the model.",
    "model_outcome": "The model's answer at its operating point: normal, benign, malignant, withheld, "
    "not_analysable; empty if no film was readable.",
    "probability": "The probability of malignancy of the most suspicious film, 0 to 1; empty without an answer.",
    "own_reading": "Unaided reading of the signing doctor, before the model's answer was shown; empty if there "
    "was none.",
    "own_likelihood": "Likelihood of malignancy in the unaided reading, 0 to 100; empty for cannot_tell.",
    "mode": "When the answer was shown: at_once, own_first, trial.",
    "arm": "In a trial: answer shown or hidden before the signature (shown, hidden).",
    "final_reading": "The signed reading: normal, benign, malignant, cannot_tell.",
    "final_likelihood": "Likelihood of malignancy in the signed reading, 0 to 100; empty if none was stated.",
    "overruled": "yes if the signed reading differs from the model's answer, no if it agrees; empty if there "
    "was no answer or it was hidden.",
}


# Columns that keep the name which they were first exported under.
_ATTRIBUTES = {"own_reading": "unaided_reading", "own_likelihood": "unaided_likelihood"}


def cells(rows: Iterable[Row]) -> Iterable[list[str]]:
    """The rows as texts, in the order of the dictionary."""
    for row in rows:
        yield [_text(getattr(row, _ATTRIBUTES.get(name, name))) for name in DICTIONARY]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
