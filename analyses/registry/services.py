"""Which installed model answers for a modality and task: looked up by the worker, changed by administrators only.

What is installed lies on disk (``inference.card.installed``); what is active is the newest ``ModelActivation``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from accounts import audit
from accounts.models import User
from analyses.errors import Conflict, Invalid
from analyses.models import ModelActivation
from analyses.record.fields import stated_reason
from analyses.registry.uses import GROUPS, TASKS, TUMOUR_ON_RADIOGRAPHS, IntendedUse, all_uses, group_of, uses_of
from analyses.stored_words import fault_words
from inference import card as cards
from inference.acceptance.rule import rule_of
from inference.card import ModelIdentity
from inference.errors import WeightsError

_SHOWN, _SHOWN_S = "model-in-force", 15


@dataclass(frozen=True)
class InstalledModel:
    """One model on disk. ``fault`` says why it cannot be activated; ``card`` is None where it cannot be read."""

    key: str
    folder: Path
    card: dict[str, Any] | None
    fault: str = ""
    code: str = ""


def inspect_model(key: str, folder: Path) -> InstalledModel:
    """Read a model's card and compare its weights with it. Imports no torch."""
    card = None
    try:
        card = cards.load_card(folder)
        cards.verified_weights(card, folder)
    except WeightsError as error:
        return InstalledModel(key, folder, card, error.message, error.code)
    if cards.key_of(card) != key:
        fault = f"The card describes {cards.key_of(card)}, but the folder has another name: rename the folder."
        return InstalledModel(key, folder, card, fault, "bad_card")
    return InstalledModel(key, folder, card)


def installed_models(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> list[InstalledModel]:
    """Every model on this machine that is for this use, or whose card says of none, in the order of its name."""
    found = [inspect_model(key, folder) for key, folder in sorted(cards.installed().items())]
    return [model for model in found if _is_listed(model.card, use)]


def folder_of(key: str) -> Path:
    """Where a model lies.

    Raises:
        WeightsError: ``model_not_installed``.
    """
    folder = cards.installed().get(key)
    if folder is None:
        raise WeightsError(
            "model_not_installed", f"The model {key} is not installed: install it or activate another model."
        )
    return folder


def saliency_is_measured(key: str) -> bool:
    """Whether this model's own card lets its maps be shown by measurement; not where the card is no longer here."""
    try:
        card = cards.load_card(folder_of(key))
    except WeightsError:
        return False
    return (card.get("saliency") or {}).get("status") == "shown"


def subtypes() -> list[str]:
    """The subtypes of tumours that the active model for radiographs ranks; none where its card lists none."""
    try:
        card = cards.load_card(folder_of(active_model(TUMOUR_ON_RADIOGRAPHS)))
        return [str(name) for name in card.get("subtypes") or ()]
    except WeightsError:
        return []


def default_model(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> str:
    """The model that answers until an administrator has activated another; empty where the release names none."""
    return cards.SHIPPED.name if use == TUMOUR_ON_RADIOGRAPHS else ""


def active_model(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> str:
    """The key of the active model, empty where no model answers for this use; one indexed query.

    It may have been removed from disk: see ``folder_of``.
    """
    return _activations(use).values_list("model_key", flat=True).first() or default_model(use)


def active_uses() -> list[IntendedUse]:
    """Every use for which a model answers."""
    return [use for use in all_uses() if active_model(use)]


def shown_uses() -> list[IntendedUse]:
    """The uses that the pages of the models list: those with a model that is installed or active."""
    there = {use for card in map(_card_in, cards.installed().values()) if card for use in uses_of(card)}
    return [use for use in all_uses() if use in there or active_model(use)]


def keys_for(use: IntendedUse) -> list[str]:
    """The installed models to choose from for a use; those that fit no use at all are listed with every one."""
    return [key for key, folder in sorted(cards.installed().items()) if _is_listed(_card_in(folder), use)]


def _is_listed(card: dict[str, Any] | None, use: IntendedUse) -> bool:
    fits = uses_of(card) if card else []
    return not fits or use in fits


def _card_in(folder: Path) -> dict[str, Any] | None:
    try:
        return cards.load_card(folder)
    except WeightsError:
        return None


def shown_model() -> ModelIdentity | None:
    """The model that every page names, that of tumours on radiographs; up to some seconds old.

    None where it cannot be read.
    """
    key = cache.get(_SHOWN)
    if not isinstance(key, str):
        key = active_model(TUMOUR_ON_RADIOGRAPHS)
        cache.set(_SHOWN, key, _SHOWN_S)
    try:
        return cards.identity(folder_of(key))
    except WeightsError:
        return None


def history(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> list[ModelActivation]:
    """Every activation for this use, the newest first."""
    return list(_activations(use).select_related("activated_by"))


def roll_back_target(use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> str:
    """The model that was active before the newest activation; empty where none was."""
    return _activations(use).values_list("previous", flat=True).first() or ""


def _activations(use: IntendedUse) -> QuerySet[ModelActivation]:
    return ModelActivation.objects.filter(modality=use.modality, task=use.task).order_by("-id")


def require_use(modality: str, task: str) -> IntendedUse:
    """The use of these words.

    Raises:
        Invalid: ``unknown_modality``, ``unknown_task``.
    """
    if modality not in GROUPS:
        raise Invalid("unknown_modality", gettext("No model can be registered for this modality."))
    if task not in TASKS:
        raise Invalid("unknown_task", gettext("No model can be registered for this task."))
    return IntendedUse(modality, task)


def require_fit(key: str, use: IntendedUse) -> InstalledModel:
    """The model with its card, if it may judge this modality and task.

    Raises:
        Invalid: ``unknown_model``; and as ``require_use``.
        Conflict: ``model_unfit``: the card is missing, damaged or does not match; ``wrong_modality``, ``wrong_task``.
    """
    require_use(*use)
    folder = cards.installed().get(key)
    if folder is None:
        message = gettext("This model is not installed. Choose a model from the list.")
        raise Invalid("unknown_model", message, fields={"model": [message]})
    found = inspect_model(key, folder)
    if found.card is None or found.fault:
        why = fault_words(found.fault)
        message = gettext("%(model)s cannot be used. %(why)s") % {"model": key, "why": why}
        raise Conflict("model_unfit", message, fields={"model": [why]})
    if not any(group_of(one) == use.modality for one in cards.modalities_of(found.card)):
        message = gettext("According to its card, %(model)s is not validated for this modality: %(group)s.")
        message %= {"model": key, "group": GROUPS[use.modality]}
        raise Conflict("wrong_modality", message, fields={"model": [message]})
    if cards.task_of(found.card) != use.task:
        message = gettext("The card of %(model)s does not say that it was validated for this task: %(task)s.")
        message %= {"model": key, "task": TASKS[use.task]}
        raise Conflict("wrong_task", message, fields={"model": [message]})
    return found


def activate_model(use: IntendedUse, key: str, *, reason: str, by: User) -> ModelActivation:
    """Let this model answer from now on. Answers that are there keep theirs; what is being judged is not disturbed.

    Raises:
        Invalid: ``bad_field`` without a reason; and as ``require_fit``.
        Conflict: ``already_active``; ``no_acceptance_rule``: the card does not state one; and as ``require_fit``.
    """
    return _put_in_force(use, key, reason, by)


def roll_back_model(use: IntendedUse, *, reason: str, by: User) -> ModelActivation:
    """Let the model answer that answered before the newest activation; a row of its own, nothing is taken away.

    Raises:
        Conflict: ``nothing_to_roll_back``; and as ``activate_model``.
    """
    target = roll_back_target(use)
    if not target:
        raise Conflict("nothing_to_roll_back", gettext("No other model has been active here."))
    return _put_in_force(use, target, reason, by, back=True)


def _require_acceptance_rule(found: InstalledModel) -> None:
    """Refuse a model of which no department could say whether to accept it."""
    try:
        rule_of(found.card or {})
    except WeightsError as error:
        why = fault_words(error.message)
        message = gettext("%(model)s cannot be activated. %(why)s") % {"model": found.key, "why": why}
        raise Conflict("no_acceptance_rule", message, fields={"model": [message]}) from error


def _put_in_force(use: IntendedUse, key: str, reason: str, by: User, *, back: bool = False) -> ModelActivation:
    reason = stated_reason(reason)
    # Outside the transaction: comparing megabytes with their hash must not hold a lock.
    found = require_fit(key, use)
    assert found.card is not None
    _require_acceptance_rule(found)
    with transaction.atomic():
        newest = _activations(use).select_for_update().first()
        before = newest.model_key if newest else default_model(use)
        if before == key:
            raise Conflict("already_active", gettext("%(model)s is already active.") % {"model": key})
        row = ModelActivation.objects.create(
            modality=use.modality,
            task=use.task,
            model_key=key,
            model_sha256=found.card["weights"]["sha256"],
            previous=before,
            reason=reason,
            activated_by=by,
        )
        detail = {"modality": use.modality, "task": use.task, "model": key, "previous": before, "reason": reason}
        audit.record("roll_back_model" if back else "activate_model", user=by, obj=row, detail=detail)
        transaction.on_commit(lambda: cache.delete(_SHOWN))
    return row
