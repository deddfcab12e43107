"""Asking a colleague for a second reading, answering it, taking the question back: all from the case page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from analyses.case_page.views import render_case
from analyses.errors import ServiceError
from analyses.models import SecondReading, Study
from analyses.pages import add_service_error
from analyses.reading import second_reading
from analyses.record.cases import CASES
from analyses.worklist.forms import AnswerForm, AskForm


@require_POST
@requires(Action.READ_CASE)
def second_ask(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Ask a colleague about the case."""
    user: Any = request.user
    study = in_scope(request, CASES, study_id)
    form = AskForm(request.POST, user=user)
    return _carry_out(
        request,
        study,
        form,
        lambda: second_reading.ask(study, user=user, **form.cleaned_data),
        _("Second reading requested."),
        "ask_form",
    )


@require_POST
@requires(Action.READ_CASE)
def second_answer(request: HttpRequest, study_id: UUID, second_id: UUID) -> HttpResponse:
    """Answer what one was asked."""
    user: Any = request.user
    study, second = _second(request, study_id, second_id)
    form = AnswerForm(request.POST)
    return _carry_out(
        request,
        study,
        form,
        lambda: second_reading.answer(second, user=user, **form.cleaned_data),
        _("Second reading saved. The comparison is shown below."),
        "answer_form",
    )


@require_POST
@requires(Action.READ_CASE)
def second_withdraw(request: HttpRequest, study_id: UUID, second_id: UUID) -> HttpResponse:
    """Take a question back."""
    user: Any = request.user
    study, second = _second(request, study_id, second_id)
    return _carry_out(request, study, None, lambda: second_reading.withdraw(second, user), _("Request withdrawn."))


def _carry_out(
    request: HttpRequest,
    study: Study,
    form: forms.Form | None,
    write: Callable[[], object],
    done: str,
    name: str = "",
) -> HttpResponse:
    """Call a service; then back to the case, or the case page with the refusal and what was typed."""
    extra: dict[str, Any] = {name: form} if form is not None else {}
    if form is not None and not form.is_valid():
        return render_case(request, study, status=400, **extra)
    try:
        write()
    except ServiceError as error:
        if form is not None:
            add_service_error(form, error)
        study.refresh_from_db()
        return render_case(request, study, status=error.status, refusal=error, **extra)
    messages.success(request, done)
    return redirect("analyses:case", study.pk)


def _second(request: HttpRequest, study_id: UUID, second_id: UUID) -> tuple[Study, SecondReading]:
    study = in_scope(request, CASES, study_id)
    second = in_scope(request, SecondReading.objects.select_related("asked_by"), second_id)
    if second.study_id != study.pk:
        raise Http404
    return study, second
