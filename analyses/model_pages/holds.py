"""*Withheld for all*, set and lifted by administrators from the pages of models and of drift."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import Action, requires
from analyses.errors import ServiceError
from analyses.pipeline import holds
from analyses.record.forms import ReasonForm


def hold_context() -> dict[str, Any]:
    """What ``_hold.html`` needs, asked of the database: whoever acts must see how it stands now."""
    return {"hold": holds.in_force(), "holds": holds.history(), "hold_form": ReasonForm(name="hold")}


@require_POST
@requires(Action.MANAGE_MODELS)
def hold_set(request: HttpRequest) -> HttpResponse:
    """Withhold every answer from everybody."""
    return _change(request, holds.withhold_for_all, _("The model is withheld for all."))


@require_POST
@requires(Action.MANAGE_MODELS)
def hold_lift(request: HttpRequest) -> HttpResponse:
    """Let the model answer again."""
    return _change(request, holds.lift, _("The model answers again."))


def _change(request: HttpRequest, write: Any, done: str) -> HttpResponse:
    form = ReasonForm(request.POST, name="hold")
    status = 400
    if form.is_valid():
        try:
            write(reason=form.cleaned_data["reason"], by=request.user)
        except ServiceError as error:
            status = error.status
            form.add_error("reason" if "reason" in error.fields else None, error.message)
        else:
            messages.success(request, done)
            return redirect("analyses:registry")
    return render(request, "analyses/model_pages/hold.html", hold_context() | {"hold_form": form}, status=status)
