"""What models are installed for: the intended use, a group of modalities and a task. Everything about models is by it.

Which models answer, their holds, comparisons and drift monitoring: nothing of one use touches another.
"""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from analyses.models.registry import RADIOGRAPHS, Task
from analyses.record.identity import modalities_agree
from inference import card as cards

# The modality that stands for its group, and what the group is called.
GROUPS: dict[str, Any] = {RADIOGRAPHS: _("Plain radiographs (CR, DX)")}
TASKS: dict[str, Any] = dict(Task.choices)


class IntendedUse(NamedTuple):
    """A group of modalities, by the one that stands for it, and a task. Exactly one model is active for each use."""

    modality: str
    task: str

    @property
    def label(self) -> str:
        """The use in words; the task is only named where there are several to tell apart."""
        group = str(GROUPS.get(self.modality, self.modality))
        return f"{group}: {TASKS.get(self.task, self.task)}" if len(TASKS) > 1 else group


TUMOUR_ON_RADIOGRAPHS = IntendedUse(RADIOGRAPHS, Task.TUMOUR.value)


def all_uses() -> list[IntendedUse]:
    """Every use that a model may be activated for, tumours on radiographs first."""
    return [IntendedUse(group, task) for task in TASKS for group in GROUPS]


def group_of(modality: str) -> str:
    """The group whose model judges this modality; empty where there is none. What says nothing is a radiograph."""
    return next((group for group in GROUPS if not modality or modalities_agree(modality, group)), "")


def use_of(*modalities: str, task: str) -> IntendedUse | None:
    """The use of an image of which its file and its uploader say these modalities; None where no model judges it.

    What is silent says nothing against the others; two that name different groups leave no group.
    """
    groups = {group_of(modality) for modality in modalities if modality} or {group_of("")}
    group = groups.pop()
    return IntendedUse(group, task) if group and not groups else None


def uses_of(card: dict[str, Any]) -> list[IntendedUse]:
    """The uses that a model was validated for, by its card."""
    groups = set(map(group_of, cards.modalities_of(card)))
    return [use for use in all_uses() if use.task == cards.task_of(card) and use.modality in groups]


__all__ = [
    "GROUPS",
    "RADIOGRAPHS",
    "TASKS",
    "TUMOUR_ON_RADIOGRAPHS",
    "IntendedUse",
    "all_uses",
    "group_of",
    "use_of",
    "uses_of",
]
