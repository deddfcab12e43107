"""Begin, keep and lock an own reading. Whatever these answer, it is the same for every answer of the model."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import ServiceError
from analyses.forms.own_reading import OwnReadingForm
from analyses.models import Study
from analyses.services import own_reading
from analyses.views.access import in_scope
from analyses.views.case import CASES, add_service_error, film_of, render_case


@require_POST
@requires(Action.READ_CASE)
def own_open(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Begin the own reading; a second request finds the one that was begun."""
    study = in_scope(request, CASES, study_id)
    try:
        own_reading.open_reading(study, caller(request))
    except ServiceError as error:
        study.refresh_from_db()
        return render_case(request, study, wanted=film_of(request), status=error.status, refusal=error)
    return _back(request, study)


@require_POST
@requires(Action.READ_CASE)
def own_draft(request: HttpRequest, study_id: UUID) -> JsonResponse:
    """Keep what is typed; asked by own_reading.js at every change."""
    study = in_scope(request, CASES, study_id)
    form = OwnReadingForm(request.POST)
    if not form.is_valid():
        fields = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
        return JsonResponse(
            {"code": "bad_field", "detail": _("Correct the marked field."), "fields": fields}, status=400
        )
    try:
        own_reading.keep_draft(study, caller(request), **form.cleaned_data)
    except ServiceError as error:
        return JsonResponse({"code": error.code, "detail": error.message, "fields": error.fields}, status=error.status)
    return JsonResponse({"saved": True})


@require_POST
@requires(Action.READ_CASE)
def own_lock(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Lock the own reading for good."""
    study = in_scope(request, CASES, study_id)
    form = OwnReadingForm(request.POST)
    if not form.is_valid():
        return render_case(request, study, wanted=film_of(request), status=400, own_form=form)
    try:
        own_reading.lock_reading(study, caller(request), **form.cleaned_data)
    except ServiceError as error:
        add_service_error(form, error)
        study.refresh_from_db()
        shown: dict[str, Any] = {"refusal": error} if error.status == 409 else {}
        return render_case(request, study, wanted=film_of(request), status=error.status, own_form=form, **shown)
    messages.success(request, _("Your own reading is locked."))
    return _back(request, study)


def _back(request: HttpRequest, study: Study) -> HttpResponse:
    wanted = film_of(request)
    return redirect(reverse("analyses:case", args=[study.pk]) + (f"?film={wanted}" if wanted else ""))
