"""Allocation in a trial: permuted blocks of random size within each department, drawn when a reading is opened.

No order is stored or can be computed: a block has a size, and each place of it is drawn from what is left of the block,
which gives every permutation the same chance. Both come from the operating system's random numbers.
"""

from datetime import datetime
from secrets import SystemRandom

from accounts import audit
from accounts.models import User
from analyses.models import Arm, Study, Trial, TrialAllocation, TrialBlock

SIZES = (2, 4, 6)
_random = SystemRandom()


def arm_of(study: Study, reader: User, at: datetime) -> str:
    """The arm of a case, drawn when it has none; empty while no trial runs or all planned cases are allocated.

    Call it inside the transaction that opens the reading, with the department locked.
    """
    drawn = TrialAllocation.objects.filter(study=study).first()
    if drawn is not None:
        return drawn.arm
    # Held until the reading is opened, so that two departments cannot exceed the planned number together.
    trial = Trial.objects.select_for_update().filter(closed_at__isnull=True).first()
    if trial is None or TrialAllocation.objects.filter(block__trial=trial).count() >= trial.planned_cases:
        return ""
    block, taken = _open_block(trial, study)
    arm = draw(block.size, taken)
    made = TrialAllocation.objects.create(
        block=block, study=study, reader=reader, arm=arm, position=len(taken) + 1, drawn_at=at
    )
    audit.record("allocate", user=reader, obj=made, case_id=study.pk, detail={"trial": str(trial.pk)})
    return arm


def draw(size: int, taken: list[str]) -> str:
    """The next place of a block of ``size`` whose first places are ``taken``."""
    shown_left = size // 2 - taken.count(Arm.SHOWN)
    return Arm.SHOWN if _random.randrange(size - len(taken)) < shown_left else Arm.HIDDEN


def _open_block(trial: Trial, study: Study) -> tuple[TrialBlock, list[str]]:
    """The department's block that still has a place, with the arms drawn in it; a new one where the last is full."""
    last = TrialBlock.objects.filter(trial=trial, department=study.department_id).order_by("-number").first()
    taken = list(last.allocations.order_by("position").values_list("arm", flat=True)) if last else []
    if last is not None and len(taken) < last.size:
        return last, taken
    number = last.number + 1 if last else 1
    size = _random.choice(SIZES)
    return TrialBlock.objects.create(trial=trial, department_id=study.department_id, number=number, size=size), []
