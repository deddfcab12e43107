"""Which installed model answers for a modality: looked up by the worker, changed by administrators only.

What is installed lies on disk (``inference.card.installed``); what is in force is the newest ``ModelActivation``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.models import User
from analyses.errors import Conflict, Invalid
from analyses.models import ModelActivation
from analyses.record.fields import stated_reason
from analyses.record.identity import modalities_agree
from analyses.stored_words import fault_words
from inference import card as cards
from inference.card import ModelIdentity
from inference.errors import WeightsError

RADIOGRAPHS = "DX"
# The modality that stands for its group, and what the group is called.
GROUPS = {RADIOGRAPHS: _("Plain radiographs (CR, DX)")}
_SHOWN, _SHOWN_S = "model-in-force", 15


@dataclass(frozen=True)
class InstalledModel:
    """One model on disk. ``fault`` says why it cannot be activated; ``card`` is None where it cannot be read."""

    key: str
    folder: Path
    card: dict[str, Any] | None
    fault: str = ""
    code: str = ""


def group_of(modality: str) -> str:
    """The group whose model judges this modality; empty where there is none. What says nothing is a radiograph."""
    return next((group for group in GROUPS if not modality or modalities_agree(modality, group)), "")


def inspect_model(key: str, folder: Path) -> InstalledModel:
    """Read a model's card and compare its weights with it. Imports no torch."""
    card = None
    try:
        card = cards.load_card(folder)
        cards.verified_weights(card, folder)
    except WeightsError as error:
        return InstalledModel(key, folder, card, error.message, error.code)
    if cards.key_of(card) != key:
        fault = f"The card describes {cards.key_of(card)}: the folder must have that name."
        return InstalledModel(key, folder, card, fault, "bad_card")
    return InstalledModel(key, folder, card)


def installed_models() -> list[InstalledModel]:
    """Every model on this machine, in the order of its name."""
    return [inspect_model(key, folder) for key, folder in sorted(cards.installed().items())]


def folder_of(key: str) -> Path:
    """Where a model lies.

    Raises:
        WeightsError: ``model_not_installed``.
    """
    folder = cards.installed().get(key)
    if folder is None:
        raise WeightsError(
            "model_not_installed", f"The model {key} is not installed here: install it, or activate another one."
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
    """The subtypes that the model in force ranks, by its card; none where it has no such list or cannot be read."""
    try:
        return [str(name) for name in cards.load_card(folder_of(active_model())).get("subtypes") or ()]
    except WeightsError:
        return []


def default_model() -> str:
    """The model that answers until an administrator has activated another."""
    return cards.SHIPPED.name


def active_model(modality: str = RADIOGRAPHS) -> str:
    """The key of the model in force; one indexed query. It may have been removed from disk: see ``folder_of``."""
    rows = ModelActivation.objects.filter(modality=modality).order_by("-id")
    return rows.values_list("model_key", flat=True).first() or default_model()


def shown_model() -> ModelIdentity | None:
    """The model in force as every page names it, up to some seconds old; None where it cannot be read."""
    key = cache.get(_SHOWN)
    if key is None:
        key = active_model()
        cache.set(_SHOWN, key, _SHOWN_S)
    try:
        return cards.identity(folder_of(key))
    except WeightsError:
        return None


def history(modality: str = RADIOGRAPHS) -> list[ModelActivation]:
    """Every activation, the newest first."""
    return list(ModelActivation.objects.filter(modality=modality).select_related("activated_by").order_by("-id"))


def roll_back_target(modality: str = RADIOGRAPHS) -> str:
    """The model that was in force before the newest activation; empty where nothing was ever activated."""
    rows = ModelActivation.objects.filter(modality=modality).order_by("-id")
    return rows.values_list("previous", flat=True).first() or ""


def require_fit(key: str, modality: str) -> InstalledModel:
    """The model with its card, if it may judge this modality.

    Raises:
        Invalid: ``unknown_modality``, ``unknown_model``.
        Conflict: ``model_unfit``: the card is missing, damaged or does not match; ``wrong_modality``.
    """
    if modality not in GROUPS:
        raise Invalid("unknown_modality", gettext("No model can be registered for this modality."))
    folder = cards.installed().get(key)
    if folder is None:
        message = gettext("This model is not installed. Choose one of the list.")
        raise Invalid("unknown_model", message, fields={"model": [message]})
    found = inspect_model(key, folder)
    if found.card is None or found.fault:
        why = fault_words(found.fault)
        message = gettext("%(model)s cannot be used. %(why)s") % {"model": key, "why": why}
        raise Conflict("model_unfit", message, fields={"model": [why]})
    if not any(group_of(one) == modality for one in cards.modalities_of(found.card)):
        message = gettext("The card of %(model)s does not say that it was validated for this modality: %(group)s.")
        message %= {"model": key, "group": GROUPS[modality]}
        raise Conflict("wrong_modality", message, fields={"model": [message]})
    return found


def activate_model(modality: str, key: str, *, reason: str, by: User) -> ModelActivation:
    """Let this model answer from now on. Answers that are there keep theirs; what is being judged is not disturbed.

    Raises:
        Invalid: ``bad_field`` without a reason; and as ``require_fit``.
        Conflict: ``already_active``; and as ``require_fit``.
    """
    return _put_in_force(modality, key, reason, by)


def roll_back_model(modality: str, *, reason: str, by: User) -> ModelActivation:
    """Let the model answer that answered before the newest activation; a row of its own, nothing is taken away.

    Raises:
        Conflict: ``nothing_to_roll_back``; and as ``activate_model``.
    """
    target = roll_back_target(modality)
    if not target:
        raise Conflict("nothing_to_roll_back", gettext("No other model has been in force here."))
    return _put_in_force(modality, target, reason, by, back=True)


def _put_in_force(modality: str, key: str, reason: str, by: User, *, back: bool = False) -> ModelActivation:
    reason = stated_reason(reason)
    # Outside the transaction: comparing megabytes with their hash must not hold a lock.
    found = require_fit(key, modality)
    assert found.card is not None
    with transaction.atomic():
        rows = ModelActivation.objects.filter(modality=modality).order_by("-id")
        newest = rows.select_for_update().first()
        before = newest.model_key if newest else default_model()
        if before == key:
            raise Conflict("already_active", gettext("%(model)s is in force already.") % {"model": key})
        row = ModelActivation.objects.create(
            modality=modality,
            model_key=key,
            model_sha256=found.card["weights"]["sha256"],
            previous=before,
            reason=reason,
            activated_by=by,
        )
        detail = {"modality": modality, "model": key, "previous": before, "reason": reason}
        audit.record("roll_back_model" if back else "activate_model", user=by, obj=row, detail=detail)
        transaction.on_commit(lambda: cache.delete(_SHOWN))
    return row
