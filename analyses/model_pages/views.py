"""The model page: what everybody should know of the model that answers, or of any other installed version."""

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import Action, requires
from analyses.model_pages.card import page_of
from analyses.model_pages.uses import use_context, use_of_request
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse, uses_of
from analyses.stored_words import fault_words
from inference import card as cards
from inference.errors import WeightsError


@require_safe
@requires(Action.VIEW_MODEL)
def model(request: HttpRequest, model_key: str = "") -> HttpResponse:
    """A model's card as a page, by default of the active one: every word and figure comes from the card."""
    installed = cards.installed()
    use = _use(request, installed.get(model_key))
    active = registry.active_model(use)
    wanted = model_key or active
    context: dict[str, Any] = {
        "key": wanted,
        "active": active,
        "versions": registry.keys_for(use),
        "activations": registry.history(use),
        "default": registry.default_model(use),
        **use_context(use, "analyses:model"),
    }
    if wanted not in installed:
        return render(
            request, "analyses/model_pages/model.html", context | {"absent": True}, status=404 if model_key else 503
        )
    try:
        context["card"] = page_of(cards.load_card(installed[wanted]))
    except WeightsError as error:
        return render(
            request, "analyses/model_pages/model.html", context | {"fault": fault_words(error.message)}, status=503
        )
    return render(request, "analyses/model_pages/model.html", context)


def _use(request: HttpRequest, folder: Path | None) -> IntendedUse:
    """The use of the page: the one asked for, or the first one of a model that is meant for another."""
    use = use_of_request(request)
    try:
        fits = uses_of(cards.load_card(folder)) if folder else []
    except WeightsError:
        fits = []
    return use if use in fits or not fits else fits[0]
