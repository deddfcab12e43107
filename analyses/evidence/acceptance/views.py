"""The administrator's pages of site acceptance: runs, films, figures, acceptances. No patient data."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (administrators see every department's)
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Department
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.answers import wording
from analyses.errors import ServiceError
from analyses.evidence.acceptance import services, sets, words
from analyses.evidence.acceptance.forms import AcceptForm, FilmsForm, SetUpForm
from analyses.model_pages.uses import use_context, use_of_request
from analyses.models import AcceptanceRun, AcceptanceStatus, FilmsFrom, SiteAcceptance
from analyses.pages import add_service_error
from analyses.record.forms import ReasonForm
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse
from inference.acceptance.rule import MET
from inference.card import operating_points
from inference.errors import WeightsError

SHOWN_RUNS, SHOWN_WITHDRAWN = 30, 30


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.ACCEPT_MODELS)
def acceptances(request: HttpRequest) -> HttpResponse:
    """Where each department stands with the active model, the runs so far, and the form that sets one up."""
    use = use_of_request(request)
    keys = [model.key for model in registry.installed_models(use) if not model.fault]
    initial = {"model": registry.active_model(use)}
    form = SetUpForm(request.POST or None, request.FILES or None, models=keys, initial=initial)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                return redirect("analyses:acceptance_run", _set_up(request, use, form).pk)
            except ServiceError as error:
                status = error.status
                add_service_error(form, error)
    return _list(request, use, form, status)


def _set_up(request: HttpRequest, use: IntendedUse, form: SetUpForm) -> AcceptanceRun:
    given = form.cleaned_data
    if given["films_from"] == FilmsFrom.CASES:
        return sets.set_up_from_cases(given["department"], use, given["model"], by=caller(request))
    labels = given["labels"].read()
    return sets.set_up_from_files(given["department"], use, given["model"], labels=labels, by=caller(request))


def _list(request: HttpRequest, use: IntendedUse, form: SetUpForm, status: int) -> HttpResponse:
    active = registry.active_model(use)
    rows = SiteAcceptance.objects.filter(modality=use.modality, task=use.task)
    rows = rows.select_related("department", "accepted_by", "withdrawn_by", "run")
    in_force = list(rows.filter(withdrawn_at__isnull=True))
    runs = AcceptanceRun.objects.filter(modality=use.modality, task=use.task).defer("result")
    context = {
        "active": active,
        "departments": _departments(active, in_force),
        "in_force": in_force,
        "withdrawn": rows.filter(withdrawn_at__isnull=False).order_by("-withdrawn_at")[:SHOWN_WITHDRAWN],
        "runs": runs.select_related("department", "requested_by")[:SHOWN_RUNS],
        "form": form,
        **use_context(use, "analyses:acceptances"),
    }
    return render(request, "analyses/evidence/acceptance/acceptances.html", context, status=status)


def _departments(active: str, in_force: list[SiteAcceptance]) -> list[dict[str, Any]]:
    """Every department, and what it accepts of the active model at the operating point that it works with."""
    try:
        model = registry.inspect_model(active, registry.folder_of(active))
        sha256, points = (model.card or {})["weights"]["sha256"], operating_points(model.card or {})
    except (WeightsError, KeyError):
        sha256, points = "", {}
    found = []
    for department in Department.objects.filter(is_active=True):
        point = department.operating_point if department.operating_point in points else "balanced"
        covering = [
            row
            for row in in_force
            if (row.department_id, row.model_sha256, row.operating_point) == (department.pk, sha256, point)
        ]
        found.append({"department": department, "acceptance": covering[0] if covering else None})
    return found


@require_safe
@requires(Action.ACCEPT_MODELS)
def acceptance_run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run: its films while it is collecting, its progress, its figures and what they allow."""
    return _run_page(request, _run(run_id))


@require_POST
@requires(Action.ACCEPT_MODELS)
def acceptance_films(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Hand in films. A request that accepts JSON gets ``{stored, unknown, refused, doubled, lacking}``."""
    run = _run(run_id)
    by_script = request.accepts("application/json") and not request.accepts("text/html")
    form = FilmsForm(request.POST, request.FILES)
    try:
        added = sets.add_films(run, form.cleaned_data["all"], by=caller(request)) if form.is_valid() else None
    except ServiceError as error:
        if by_script:
            return JsonResponse({"code": error.code, "detail": error.message}, status=error.status)
        form.add_error(None, error.message)
        return _run_page(request, run, films_form=form, status=error.status)
    if added is None:
        if by_script:
            return JsonResponse({"code": "bad_field", "detail": _("Choose films or a folder.")}, status=400)
        return _run_page(request, run, films_form=form, status=400)
    if by_script:
        return JsonResponse(vars(added) | {"lacking": run.films.filter(file="").count()})
    messages.success(request, _told(added))
    return redirect("analyses:acceptance_run", run.pk)


def _told(added: sets.Added) -> str:
    stored = ngettext("%(number)s film received.", "%(number)s films received.", added.stored) % {
        "number": added.stored
    }
    parts = [stored]
    if added.unknown:
        parts.append(_("%(number)s without a row in the label file.") % {"number": added.unknown})
    if added.refused:
        parts.append(_("%(number)s empty or too large.") % {"number": added.refused})
    if added.doubled:
        parts.append(_("%(number)s identical to another film.") % {"number": added.doubled})
    return " ".join(parts)


@require_POST
@requires(Action.ACCEPT_MODELS)
def acceptance_start(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Hand the run to the worker."""
    return _change(request, _run(run_id), sets.start, _("The acceptance has been started."))


@require_POST
@requires(Action.ACCEPT_MODELS)
def acceptance_cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """End the run and delete its films."""
    return _change(request, _run(run_id), sets.cancel, _("The acceptance has been cancelled. Its films are deleted."))


def _change(request: HttpRequest, run: AcceptanceRun, write: Any, done: str) -> HttpResponse:
    try:
        write(run, by=caller(request))
    except ServiceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return redirect("analyses:acceptance_run", run.pk)


@require_POST
@requires(Action.ACCEPT_MODELS)
def acceptance_accept(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Accept the model in the department of the run."""
    run = _run(run_id)
    form = AcceptForm(request.POST, name="accept", choices=list(_cut_offs(run).items()))
    status = 400
    if form.is_valid():
        try:
            services.accept_model(run, **form.cleaned_data, by=caller(request))
        except ServiceError as error:
            status = error.status
            add_service_error(form, error)
        else:
            messages.success(request, _("%(model)s is accepted in this department.") % {"model": run.model_key})
            return redirect("analyses:acceptance_run", run.pk)
    return _run_page(request, run, accept_form=form, status=status)


@require_POST
@requires(Action.ACCEPT_MODELS)
def acceptance_withdraw(request: HttpRequest, acceptance_id: UUID) -> HttpResponse:
    """Take an acceptance back."""
    row = get_object_or_404(SiteAcceptance.objects.select_related("run", "department"), pk=acceptance_id)
    form = ReasonForm(request.POST, name="withdraw")
    status = 400
    if form.is_valid():
        try:
            services.withdraw_acceptance(row, reason=form.cleaned_data["reason"], by=caller(request))
        except ServiceError as error:
            status = error.status
            add_service_error(form, error)
        else:
            messages.success(request, _("The acceptance has been taken back."))
            return redirect("analyses:acceptance_run", row.run_id)
    return _run_page(request, _run(row.run_id), withdraw_form=form, status=status)


def _run(run_id: UUID) -> AcceptanceRun:
    return get_object_or_404(_runs(), pk=run_id)


def _runs() -> QuerySet[AcceptanceRun]:
    judged = Q(films__answer__isnull=False) | ~Q(films__error_code="")
    there = Q(films__image__isnull=False) | ~Q(films__file="")
    counts = {"all_films": Count("films"), "judged": Count("films", judged), "there": Count("films", there)}
    return AcceptanceRun.objects.select_related("department", "requested_by").annotate(**counts)


def _cut_offs(run: AcceptanceRun) -> dict[str, Any]:
    """At which cut-offs the rule is met, with their words."""
    result = run.result or {}
    parts = {
        "card": (result.get("at_card"), _("Cut-offs of the card")),
        "local": (result.get("at_local"), _("Local cut-offs")),
    }
    found = {}
    for name, (part, word) in parts.items():
        if part and part["verdict"] == MET:
            told = words.verdict_of(part) or {}
            cuts = _("tumour from %(tumour)s, malignant from %(malignant)s") % told
            found[name] = f"{word}: {cuts}"
    return found


def _run_page(request: HttpRequest, run: AcceptanceRun, *, status: int = 200, **forms: Any) -> HttpResponse:
    result, choices = run.result, list(_cut_offs(run).items())
    accepted = run.acceptances.select_related("accepted_by", "withdrawn_by")
    context = {
        "run": run,
        "lacking": run.all_films - run.there,  # type: ignore[attr-defined]
        "point": wording.point_name({"name": run.operating_point}),
        "collecting": run.status == AcceptanceStatus.COLLECTING,
        "films_form": forms.get("films_form") or FilmsForm(),
        "accept_form": forms.get("accept_form") or AcceptForm(name="accept", choices=choices),
        "withdraw_form": forms.get("withdraw_form") or ReasonForm(name="withdraw"),
        "can_accept": bool(choices),
        "acceptance": accepted.filter(withdrawn_at__isnull=True).first(),
        "earlier": accepted.filter(withdrawn_at__isnull=False),
    }
    if result:
        context |= {
            "result": result,
            "rows": words.figure_rows(result),
            "card_part": words.verdict_of(result["at_card"]),
            "local_part": words.verdict_of(result["at_local"]),
            "warnings": words.warning_words(result),
            "shifts": words.shift_rows(result),
        }
    return render(request, "analyses/evidence/acceptance/run.html", context, status=status)
