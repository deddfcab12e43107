"""*Withheld for all*, set and lifted by administrators from the pages of models and of drift."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import Action, requires
from analyses.errors import ServiceError
from analyses.model_pages.uses import back_to, use_context, use_of_request
from analyses.pipeline import holds
from analyses.record.forms import ReasonForm
from analyses.registry.uses import IntendedUse


def hold_context(use: IntendedUse) -> dict[str, Any]:
    """What ``_hold.html`` needs, asked of the database: whoever acts must see how it stands now."""
    return {"hold": holds.in_force(use), "holds": holds.history(use), "hold_form": ReasonForm(name="hold")}


@require_POST
@requires(Action.MANAGE_MODELS)
def hold_set(request: HttpRequest) -> HttpResponse:
    """Withhold every answer of a use from everybody."""
    return _change(request, holds.withhold_for_all, _("The model is withheld for all users."))


@require_POST
@requires(Action.MANAGE_MODELS)
def hold_lift(request: HttpRequest) -> HttpResponse:
    """Let the model of a use answer again."""
    return _change(request, holds.lift, _("The model answers again."))


def _change(request: HttpRequest, write: Any, done: str) -> HttpResponse:
    use = use_of_request(request)
    form = ReasonForm(request.POST, name="hold")
    status = 400
    if form.is_valid():
        try:
            write(reason=form.cleaned_data["reason"], by=request.user, use=use)
        except ServiceError as error:
            status = error.status
            form.add_error("reason" if "reason" in error.fields else None, error.message)
        else:
            messages.success(request, done)
            return back_to("analyses:registry", use)
    context = use_context(use, "analyses:registry") | hold_context(use) | {"hold_form": form}
    return render(request, "analyses/model_pages/hold.html", context, status=status)
