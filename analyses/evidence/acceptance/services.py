"""A department accepts a model by what a run found, or takes that back; answers of unsigned cases follow."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.errors import Conflict, Invalid
from analyses.models import AcceptanceRun, AcceptanceStatus, SiteAcceptance
from analyses.pipeline import site_acceptance
from analyses.record.fields import stated_reason
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse
from inference.acceptance.rule import MET, UNDECIDED

CARD, LOCAL = "card", "local"
_PARTS = {CARD: "at_card", LOCAL: "at_local"}


def accept_model(run: AcceptanceRun, *, cut_offs: str, reason: str, by: User) -> SiteAcceptance:
    """Accept the model of a run in its department, at the card's cut-offs or at the local ones, from now on.

    Answers to unsigned cases that these weights gave at these cut-offs become accepted, too.

    Raises:
        Invalid: ``bad_field`` without a reason; ``unknown_cut_offs``; and as ``registry.require_fit``.
        Conflict: ``not_finished``, ``rule_not_met``, ``rule_undecided``, ``weights_changed``, ``already_accepted``.
    """
    require(by, Action.ACCEPT_MODELS)
    reason = stated_reason(reason)
    part = _judged_part(run, cut_offs)
    use = IntendedUse(run.modality, run.task)
    card = registry.require_fit(run.model_key, use).card or {}
    if card["weights"]["sha256"] != run.model_sha256:
        raise Conflict("weights_changed", _("The installed weights are no longer those of this run. Run it again."))
    try:
        with transaction.atomic():
            row = SiteAcceptance.objects.create(
                department=run.department,
                modality=run.modality,
                task=run.task,
                model_key=run.model_key,
                model_sha256=run.model_sha256,
                operating_point=run.operating_point,
                cut_offs=part["cut_offs"],
                run=run,
                reason=reason,
                accepted_by=by,
            )
            _record("accept_model", row, by, reason)
    except IntegrityError:
        message = _("This model is already accepted here at this operating point. Take that back first.")
        raise Conflict("already_accepted", message) from None
    site_acceptance.apply_to_unsigned(run.department_id, use)
    return row


def _judged_part(run: AcceptanceRun, cut_offs: str) -> Mapping[str, Any]:
    """What the run found at these cut-offs, where the rule is met."""
    if cut_offs not in _PARTS:
        raise Invalid("unknown_cut_offs", _("Choose an entry from the list."))
    part = (run.result or {}).get(_PARTS[cut_offs])
    if run.status != AcceptanceStatus.SUCCEEDED or not part:
        raise Conflict("not_finished", _("This run has no figures at these cut-offs."))
    if part["verdict"] == UNDECIDED:
        message = _("The rule cannot be decided with so few films. Run an acceptance with more films.")
        raise Conflict("rule_undecided", message)
    if part["verdict"] != MET:
        raise Conflict("rule_not_met", _("The rule is not met at these cut-offs: the model cannot be accepted here."))
    return part


def withdraw_acceptance(acceptance: SiteAcceptance, *, reason: str, by: User) -> None:
    """Take an acceptance back; answers to unsigned cases that rested on it are no longer accepted.

    Raises:
        Invalid: ``bad_field`` without a reason.
        Conflict: ``already_withdrawn``.
    """
    require(by, Action.ACCEPT_MODELS)
    reason = stated_reason(reason)
    with transaction.atomic():
        open_rows = SiteAcceptance.objects.filter(pk=acceptance.pk, withdrawn_at__isnull=True)
        if not open_rows.update(withdrawn_by=by, withdrawn_at=timezone.now(), withdrawal_reason=reason):
            raise Conflict("already_withdrawn", _("This acceptance has already been taken back."))
        _record("withdraw_acceptance", acceptance, by, reason)
    site_acceptance.apply_to_unsigned(acceptance.department_id, IntendedUse(acceptance.modality, acceptance.task))


def _record(action: str, row: SiteAcceptance, by: User, reason: str) -> None:
    detail = {"modality": row.modality, "task": row.task, "model": row.model_key, "sha256": row.model_sha256}
    detail |= {"operating_point": row.operating_point, "cut_offs": row.cut_offs, "reason": reason}
    audit.record(action, user=by, obj=row, department=row.department, detail=detail)
