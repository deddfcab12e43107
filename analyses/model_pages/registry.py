"""The administrator's page of models: what is installed, what is active, comparisons. No patient data."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (no department owns a comparison)
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Department, User
from accounts.permissions import Action, may, requires
from accounts.views.caller import caller
from analyses.answers.tasks import outcomes_of
from analyses.blinding.rules import reads_first
from analyses.errors import ServiceError
from analyses.model_pages.facts import facts_of, listed
from analyses.model_pages.forms import ActivateForm, CompareForm, RollBackForm
from analyses.model_pages.holds import hold_context
from analyses.model_pages.uses import back_to, use_context, use_of_request
from analyses.models import Analysis, ModelComparison
from analyses.pipeline import comparison
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse
from inference import card as cards

SHOWN_COMPARISONS = 20
SHOWN_FLIPS = 200


@require_safe
@requires(Action.MANAGE_MODELS)
def models(request: HttpRequest) -> HttpResponse:
    """The models on this machine with their facts, and forms to activate, roll back and compare."""
    return _page(request)


@require_POST
@requires(Action.MANAGE_MODELS)
def model_activate(request: HttpRequest) -> HttpResponse:
    """Let another model answer from now on."""
    use = use_of_request(request)
    form = ActivateForm(request.POST, models=_choices(registry.installed_models(use)))
    if not form.is_valid():
        return _page(request, activate=form, status=400)
    try:
        registry.activate_model(use, form.cleaned_data["model"], reason=form.cleaned_data["reason"], by=caller(request))
    except ServiceError as error:
        return _page(request, activate=_refused(form, error), status=error.status)
    messages.success(request, _("%(model)s is now active.") % {"model": form.cleaned_data["model"]})
    return back_to("analyses:registry", use)


@require_POST
@requires(Action.MANAGE_MODELS)
def model_roll_back(request: HttpRequest) -> HttpResponse:
    """Let the model answer that answered before."""
    use = use_of_request(request)
    form = RollBackForm(request.POST)
    if not form.is_valid():
        return _page(request, roll_back=form, status=400)
    try:
        row = registry.roll_back_model(use, reason=form.cleaned_data["reason"], by=caller(request))
    except ServiceError as error:
        return _page(request, roll_back=_refused(form, error), status=error.status)
    messages.success(request, _("%(model)s is active again.") % {"model": row.model_key})
    return back_to("analyses:registry", use)


@require_POST
@requires(Action.MANAGE_MODELS)
def model_compare(request: HttpRequest) -> HttpResponse:
    """Ask a worker to compare two models on the newest films."""
    use = use_of_request(request)
    form = CompareForm(request.POST, models=_choices(registry.installed_models(use)))
    if not form.is_valid():
        return _page(request, compare=form, status=400)
    try:
        made = comparison.request_comparison(**form.cleaned_data, by=caller(request), use=use)
    except ServiceError as error:
        return _page(request, compare=_refused(form, error), status=error.status)
    return redirect("analyses:model_comparison", made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_MODELS)
def model_comparison(request: HttpRequest, comparison_id: UUID) -> HttpResponse:
    """How two models answered the same films; a POST wakes a worker again where a message was lost."""
    row = get_object_or_404(ModelComparison.objects.select_related("requested_by"), pk=comparison_id)
    if request.method == "POST":
        if not row.is_over and not comparison.wake_comparison(row.pk):
            messages.error(request, _("The queue cannot be reached. Try again in a moment."))
        return redirect("analyses:model_comparison", row.pk)
    done = len(row.result.get("rows", []))
    context = {
        "comparison": row,
        "done": done,
        "asked": done + len(row.result.get("waiting", [])),
        "outcomes": [label for _, label in outcomes_of(row.task)],
        "matrix": _matrix(row),
        "flips": _flips(caller(request), row),
        "reads_first": reads_first(caller(request)),
        "more_flips": max(0, len(row.result.get("flips", [])) - SHOWN_FLIPS),
    }
    return render(request, "analyses/model_pages/comparison.html", context)


def _page(request: HttpRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    use = use_of_request(request)
    installed = registry.installed_models(use)
    active = registry.active_model(use)
    choices = _choices(installed)
    in_force = next((model for model in installed if model.key == active), None)
    target = registry.roll_back_target(use)
    pair = _pair(choices, active, target)
    context = {
        "group": use.label,
        "heads": listed(use.task).values(),
        "models": [_row(model, active, registry.default_model(use)) for model in installed],
        "active": active,
        "default": registry.default_model(use),
        "in_force": in_force,
        "history": registry.history(use),
        "target": target,
        "activate": forms.get("activate") or ActivateForm(models=choices, initial={"model": pair["model_b"]}),
        "roll_back": forms.get("roll_back") or RollBackForm(),
        "compare": forms.get("compare") or CompareForm(models=choices, initial=pair),
        "comparisons": _comparisons(use),
        "without_point": _departments_without_point(in_force),
        "active_points": _point_names(in_force),
        **hold_context(use),
        **use_context(use, "analyses:registry"),
    }
    return render(request, "analyses/model_pages/models.html", context, status=status)


def _comparisons(use: IntendedUse) -> QuerySet[ModelComparison]:
    rows = ModelComparison.objects.filter(modality=use.modality, task=use.task)
    return rows.select_related("requested_by").defer("result")[:SHOWN_COMPARISONS]


def _row(model: registry.InstalledModel, active: str, default: str) -> dict[str, Any]:
    return {
        "key": model.key,
        "fault": model.fault,
        "code": model.code,
        "active": model.key == active,
        "default": model.key == default,
        "facts": facts_of(model.card) if model.card else None,
    }


def _departments_without_point(model: registry.InstalledModel | None) -> list[Department]:
    """Departments whose operating point the active model lacks: they are answered at the balanced one."""
    if model is None or model.card is None:
        return []
    return list(
        Department.objects.filter(is_active=True).exclude(operating_point__in=cards.operating_points(model.card))
    )


def _point_names(model: registry.InstalledModel | None) -> str:
    points = facts_of(model.card)["points"] if model and model.card else []
    return ", ".join(point["name"] for point in points)


def _choices(installed: list[registry.InstalledModel]) -> list[str]:
    return [model.key for model in installed if not model.fault]


def _pair(choices: list[str], active: str, target: str) -> dict[str, str]:
    others = [key for key in choices if key != active]
    return {"model_a": active, "model_b": target if target in others else (others[-1] if others else "")}


def _matrix(row: ModelComparison) -> list[dict[str, Any]]:
    """Rows of a's outcome; a cell tells whether both say the same."""
    counts = row.result.get("matrix", [])
    return [
        {"label": label, "cells": [{"count": n, "same": i == j} for j, n in enumerate(cells)]}
        for i, (label, cells) in enumerate(zip((label for _, label in outcomes_of(row.task)), counts, strict=False))
    ]


def _flips(user: User, row: ModelComparison) -> list[dict[str, Any]]:
    """Films that the two models call differently; a link only for whoever may open the case."""
    flips = row.result.get("flips", [])[:SHOWN_FLIPS]
    cases: dict[str, Any] = {}
    if may(user, Action.VIEW_CASES):
        mine = Analysis.objects.for_user(user).filter(pk__in=[flip["analysis"] for flip in flips])
        cases = {str(pk): study for pk, study in mine.values_list("pk", "image__study_id")}
    words = dict(outcomes_of(row.task))
    return [
        flip | {"case": cases.get(flip["analysis"]), "a_word": words[flip["a"]], "b_word": words[flip["b"]]}
        for flip in flips
    ]


def _refused(form: Any, error: ServiceError) -> Any:
    for name, texts in error.fields.items():
        form.add_error(name if name in form.fields else None, texts)
    if not error.fields:
        form.add_error(None, error.message)
    return form
