"""Starting and closing a trial, what may be known of it while it runs, and its rows once it is closed."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.errors import Conflict, invalid_fields
from analyses.models import CaseOutcome, ReadingRevision, Review, Trial, TrialAllocation, UnaidedReading
from analyses.statistics.trial import Case

LONGEST_NAME = 120
MOST_CASES = 100_000


@dataclass(frozen=True)
class TrialProgress:
    """What anybody may know of a trial while it runs: totals, never arms."""

    allocated: int
    signed: int
    departments: int


@transaction.atomic
def start_trial(*, name: str, planned_cases: int, user: User) -> Trial:
    """Begin a trial: from now on departments in the mode *trial* allocate each case at random that they open.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``trial_running``.
    """
    require(user, Action.RUN_TRIALS)
    name = " ".join(name.split())
    errors = {}
    if not 1 <= len(name) <= LONGEST_NAME:
        errors["name"] = [_("1 to %(most)s characters.") % {"most": LONGEST_NAME}]
    if not 2 <= planned_cases <= MOST_CASES:
        errors["planned_cases"] = [_("2 to %(most)s cases.") % {"most": MOST_CASES}]
    if errors:
        raise invalid_fields(errors, _("Correct the marked fields."))
    try:
        with transaction.atomic():
            trial = Trial.objects.create(
                name=name, planned_cases=planned_cases, started_at=timezone.now(), started_by=user
            )
    except IntegrityError as error:
        raise Conflict("trial_running", _("A trial is already running. Close it before you start another.")) from error
    audit.record("start_trial", user=user, obj=trial, detail={"planned_cases": planned_cases})
    return trial


@transaction.atomic
def close_trial(trial: Trial, user: User) -> None:
    """End a trial: no further case is allocated, and its results can be seen. Hidden cases stay so until signed.

    Raises:
        Conflict: ``trial_closed``.
    """
    require(user, Action.RUN_TRIALS)
    closed = Trial.objects.filter(pk=trial.pk, closed_at__isnull=True).update(closed_at=timezone.now(), closed_by=user)
    if not closed:
        raise Conflict("trial_closed", _("This trial is already closed."))
    allocated = TrialAllocation.objects.filter(block__trial=trial).count()
    audit.record("close_trial", user=user, obj=trial, detail={"allocated": allocated})
    trial.refresh_from_db()


def require_closed(trial: Trial) -> None:
    """Raise Conflict ``trial_running`` while cases may still be allocated in this trial."""
    if trial.is_open:
        raise Conflict(
            "trial_running", _("This trial is running. Arms and results are shown after it has been closed.")
        )


def progress_of(trial: Trial) -> TrialProgress:
    """Totals of a trial; they name no arm."""
    allocations = TrialAllocation.objects.filter(block__trial=trial)
    return TrialProgress(
        allocated=allocations.count(),
        signed=allocations.filter(study__review__signed_at__isnull=False).count(),
        departments=allocations.values("block__department").distinct().count(),
    )


def trial_rows(trial: Trial) -> list[dict[str, Any]]:
    """One row for each allocated case, in the order of allocation, by the arm that was drawn (intention to treat).

    The final reading is the signed one, whoever signed it; unaided reading and times are of the same doctor, or of
    the doctor for whom the case was allocated where nobody has signed. The answer stays out until the signature.

    Raises:
        Conflict: ``trial_running``.
    """
    require_closed(trial)
    allocations = list(TrialAllocation.objects.filter(block__trial=trial).select_related("block__department", "study"))
    studies = [row.study_id for row in allocations]
    signed = {row.study_id: row for row in Review.objects.filter(study__in=studies, signed_at__isnull=False)}
    readings = UnaidedReading.objects.filter(study__in=studies, voided_at__isnull=True)
    unaided = {(row.study_id, row.reader_id): row for row in readings}
    changes = {row.unaided_id: row for row in ReadingRevision.objects.filter(unaided__study__in=studies)}
    truth = truths(studies)
    patients: dict[Any, int] = {}
    rows = []
    for number, allocation in enumerate(allocations, start=1):
        review = signed.get(allocation.study_id)
        reader = review.reader_id if review else allocation.reader_id
        mine = unaided.get((allocation.study_id, reader))
        # A case without a patient is a patient of its own.
        patient = patients.setdefault(allocation.study.patient_id or allocation.study_id, len(patients) + 1)
        rows.append(
            _row(number, allocation, patient)
            | _reading(mine, review)
            | _moved(changes.get(mine.pk) if mine else None)
            | {"truth": truth.get(allocation.study_id, "")}
        )
    return rows


def analysis_cases(rows: list[dict[str, Any]]) -> list[Case]:
    """The rows as the analysis takes them."""
    return [
        Case(
            arm=row["arm"],
            patient=row["patient"],
            reading=row["final_reading"],
            likelihood=row["final_likelihood"],
            truth=row["truth"],
            changed=None if row["direction"] == "" else row["direction"] != "unchanged",
            total_s=None if row["own_s"] is None or row["final_s"] is None else row["own_s"] + row["final_s"],
        )
        for row in rows
    ]


def truths(studies: list[Any]) -> dict[Any, str]:
    """What the cases turned out to be: normal, benign or malignant; only those that are known."""
    return dict(CaseOutcome.objects.filter(study__in=studies, is_current=True).values_list("study_id", "truth"))


def _row(number: int, allocation: TrialAllocation, patient: int) -> dict[str, Any]:
    return {
        "case": number,
        "department": allocation.block.department.name,
        "block": allocation.block.number,
        "block_size": allocation.block.size,
        "position": allocation.position,
        "arm": allocation.arm,
        "drawn_at": allocation.drawn_at,
        "patient": patient,
    }


def _reading(unaided: UnaidedReading | None, review: Review | None) -> dict[str, Any]:
    answer = unaided.answer if unaided and unaided.answer and review else None
    return {
        "own_reading": unaided.reading if unaided and unaided.is_locked else "",
        "own_likelihood": unaided.likelihood if unaided and unaided.is_locked else None,
        "final_reading": review.reading if review else "",
        "final_likelihood": review.likelihood if review else None,
        "model_outcome": answer["outcome"] if answer else "",
        "model_probability": answer["malignant_probability"] if answer else None,
        "opened_at": unaided.opened_at if unaided else None,
        "locked_at": unaided.locked_at if unaided else None,
        "signed_at": review.signed_at if review else None,
    }


def _moved(change: ReadingRevision | None) -> dict[str, Any]:
    return {
        "direction": change.direction if change else "",
        "own_s": change.unaided_reading_ms / 1000 if change else None,
        "final_s": change.final_reading_ms / 1000 if change else None,
    }
