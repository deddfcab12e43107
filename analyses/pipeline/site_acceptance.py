"""Brings the answers of unsigned cases to what their department accepts; signed cases keep what their reader saw."""

from uuid import UUID

from django.db.models import QuerySet

from analyses.models import SIGNED_STATES, Analysis, Status, Study
from analyses.pipeline import holds
from analyses.registry import acceptance
from analyses.registry.uses import IntendedUse, all_uses


def apply_all() -> int:
    """Bring every answer of an unsigned case to what its department accepts, and return how many were changed.

    The sweeper calls it, for what was left over when somebody's request or process ended half-way.
    """
    changed = 0
    for use in all_uses():
        for department_id in _answered(use).values_list("department_id", flat=True).distinct():
            changed += apply_to_unsigned(department_id, use)
    return changed


def apply_to_unsigned(department_id: UUID, use: IntendedUse) -> int:
    """Say of a department's answers to unsigned cases whether it accepts them, and return how many were changed.

    Where the department keeps back what it has not accepted, they are put away or given back accordingly.
    """
    changed = _say(use, _answered(use).filter(department_id=department_id))
    if changed:
        holds.apply_to_unsigned(use)
    return changed


def settle_late_answer(analysis_id: UUID, use: IntendedUse) -> None:
    """Once an answer is committed: bring it to what was decided while it was being stored."""
    _say(use, _answered(use).filter(pk=analysis_id))
    holds.withhold_late_answer(analysis_id, use)


def _answered(use: IntendedUse) -> QuerySet[Analysis]:
    """Answers of unsigned cases for this use, in no order."""
    rows = Analysis.objects.filter(status=Status.SUCCEEDED, modality=use.modality, task=use.task)
    return rows.exclude(site_acceptance="").exclude(image__study__reading_state__in=SIGNED_STATES).order_by()


def _say(use: IntendedUse, rows: QuerySet[Analysis]) -> int:
    """Write what is true now wherever a row says otherwise."""
    known: dict[UUID, dict[str, list]] = {}
    wrong: dict[str, list[UUID]] = {}
    for row in rows.values("pk", "department_id", "model_sha256", "operating_point", "site_acceptance").iterator():
        if row["department_id"] not in known:
            by_weights: dict[str, list] = {}
            for one in acceptance.in_force(row["department_id"], use).select_related("department"):
                by_weights.setdefault(one.model_sha256, []).append(one)
            known[row["department_id"]] = by_weights
        covering = known[row["department_id"]].get(row["model_sha256"], [])
        states = {acceptance.state_of(one, row["operating_point"]) for one in covering}
        state = acceptance.AtSite.ACCEPTED if acceptance.AtSite.ACCEPTED in states else acceptance.AtSite.NOT_ACCEPTED
        if state != row["site_acceptance"]:
            wrong.setdefault(str(state.value), []).append(row["pk"])
    return sum(_write(keys, state) for state, keys in wrong.items())


def _write(keys: list[UUID], state: str) -> int:
    def change(answers: list[Analysis], _studies: list[Study]) -> None:
        Analysis.objects.filter(pk__in=[answer.pk for answer in answers]).update(site_acceptance=state)

    return holds.in_parts(Analysis.objects.filter(pk__in=keys), change)
