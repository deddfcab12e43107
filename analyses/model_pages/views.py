"""The model page: what everybody should know of the model that answers, or of any other installed version."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import Action, requires
from analyses.model_pages.card import page_of
from analyses.registry import services as registry
from analyses.stored_words import fault_words
from inference import card as cards
from inference.errors import WeightsError


@require_safe
@requires(Action.VIEW_MODEL)
def model(request: HttpRequest, model_key: str = "") -> HttpResponse:
    """A model's card as a page, by default of the one in force: every word and figure comes from the card."""
    active = registry.active_model()
    installed = cards.installed()
    wanted = model_key or active
    context: dict[str, Any] = {
        "key": wanted,
        "active": active,
        "versions": sorted(installed),
        "activations": registry.history(),
        "default": registry.default_model(),
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
