"""Begin, keep and lock an unaided reading. Whatever these answer, it is the same for every answer of the model."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.case_page.views import film_of, render_case
from analyses.errors import ServiceError
from analyses.models import Study
from analyses.pages import add_service_error
from analyses.reading import unaided_reading
from analyses.reading.unaided_reading_forms import UnaidedReadingForm
from analyses.record.cases import CASES


@require_POST
@requires(Action.READ_CASE)
def unaided_open(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Begin the unaided reading; a second request finds the one that was begun."""
    study = in_scope(request, CASES, study_id)
    try:
        unaided_reading.open_reading(study, caller(request))
    except ServiceError as error:
        study.refresh_from_db()
        return render_case(request, study, wanted=film_of(request), status=error.status, refusal=error)
    return _back(request, study)


@require_POST
@requires(Action.READ_CASE)
def unaided_draft(request: HttpRequest, study_id: UUID) -> JsonResponse:
    """Keep what is typed; asked by unaided_reading.js at every change."""
    study = in_scope(request, CASES, study_id)
    form = UnaidedReadingForm(request.POST)
    if not form.is_valid():
        fields = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
        return JsonResponse(
            {"code": "bad_field", "detail": _("Correct the marked field."), "fields": fields}, status=400
        )
    try:
        unaided_reading.keep_draft(study, caller(request), **form.cleaned_data)
    except ServiceError as error:
        return JsonResponse({"code": error.code, "detail": error.message, "fields": error.fields}, status=error.status)
    return JsonResponse({"saved": True})


@require_POST
@requires(Action.READ_CASE)
def unaided_lock(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Lock the unaided reading for good."""
    study = in_scope(request, CASES, study_id)
    form = UnaidedReadingForm(request.POST)
    if not form.is_valid():
        return render_case(request, study, wanted=film_of(request), status=400, unaided_form=form)
    try:
        unaided_reading.lock_reading(study, caller(request), **form.cleaned_data)
    except ServiceError as error:
        add_service_error(form, error)
        study.refresh_from_db()
        shown: dict[str, Any] = {"refusal": error} if error.status == 409 else {}
        return render_case(request, study, wanted=film_of(request), status=error.status, unaided_form=form, **shown)
    messages.success(request, _("Your unaided reading is locked."))
    return _back(request, study)


def _back(request: HttpRequest, study: Study) -> HttpResponse:
    wanted = film_of(request)
    return redirect(reverse("analyses:case", args=[study.pk]) + (f"?film={wanted}" if wanted else ""))
