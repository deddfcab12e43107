"""The case page, its poll, and what is done on it but for the reading (``reading``)."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.answers import outside_use
from analyses.blinding.case_state import CaseState
from analyses.case_page import corrections
from analyses.case_page.context import case_context, progress_context
from analyses.case_page.corrections import EDITABLE
from analyses.case_page.forms import AssignForm, EditForm, MoveFilmForm, ReassignForm, TagsForm
from analyses.errors import ServiceError
from analyses.models import Analysis, Study
from analyses.pages import add_service_error
from analyses.pipeline import queue, tag_correction
from analyses.reading.film_move import move_film
from analyses.record.cases import CASES
from analyses.record.fields import IDENTITY_FIELDS
from analyses.record.forms import to_case_fields
from analyses.record.identity import ids_agree
from analyses.record.patients import value_of


def render_case(
    request: HttpRequest, study: Study, *, wanted: UUID | None = None, status: int = 200, **extra: Any
) -> HttpResponse:
    return render(
        request,
        "analyses/case_page/case.html",
        case_context(progress_context(CaseState(study, caller(request)), wanted), **extra),
        status=status,
    )


@require_safe
@requires(Action.VIEW_CASES)
def case(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """One case, image first; ``?film=<analysis or image id>`` chooses the film."""
    study = in_scope(request, CASES, study_id)
    audit.record("view_case", user=caller(request), obj=study, case_id=study.pk, subject=study.record_number)
    return render_case(request, study, wanted=film_of(request))


@require_safe
@requires(Action.VIEW_CASES)
def case_panel(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """The poll of an open case: the progress lines, or the whole body once an answer came (``seen`` is outdated)."""
    study = in_scope(request, CASES, study_id)
    state = CaseState(study, caller(request))
    # Also one that is no longer shown: it may have ended without an answer, and an earlier answer stands again.
    if all(row.pk != analysis_id for row in state.analyses):
        raise Http404
    context = progress_context(state, analysis_id)
    if request.GET.get("seen") == context["change_marker"]:
        return render(request, "analyses/case_page/_progress.html", context)
    response = render(request, "analyses/case_page/_update.html", case_context(context))
    response["HX-Retarget"] = "#case-body"
    response["HX-Reswap"] = "outerHTML"
    return response


@require_POST
@requires(Action.EDIT_CASE)
def film_cancel(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """Stop an analysis that has not ended."""
    study, analysis = _analysis_of(request, study_id, analysis_id)
    return carry_out(request, study, lambda: queue.cancel(analysis, caller(request)), _("Analysis cancelled."))


@require_POST
@requires(Action.EDIT_CASE)
def film_retry(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """Put a failed or cancelled analysis back into the queue."""
    study, analysis = _analysis_of(request, study_id, analysis_id)
    return carry_out(request, study, lambda: queue.retry(analysis, caller(request)), _("Analysis queued again."))


@require_POST
@requires(Action.EDIT_CASE)
def film_confirm(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """Decide between what was typed and what the file says."""
    study, analysis = _analysis_of(request, study_id, analysis_id)
    field, choice = request.POST.get("field", ""), request.POST.get("choice", "")
    return carry_out(
        request,
        study,
        lambda: corrections.confirm_identity(analysis, field, choice, caller(request)),
        _("Decision saved."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_CASE)
def film_move(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """Move a film to its own case."""
    study, analysis = _analysis_of(request, study_id, analysis_id)
    form = MoveFilmForm(request.POST or None, initial=_named_in_file(analysis.image.header, study))

    def write() -> None:
        fields = to_case_fields(form.cleaned_data)
        move_film(analysis.image, user=caller(request), reason=form.cleaned_data["reason"], fields=fields)

    page = {
        "title": _("Move film to its own case"),
        "lead": _(
            "Reports, referrals and the draft of this case become void; unaided readings no longer count. Without a "
            "record number, the new case stays unassigned."
        ),
        "button": _("Move film and void reports"),
        "danger": True,
    }
    return _form_page(request, study, form, write, _("Film moved to its own case."), page)


def _named_in_file(header: Mapping[str, str], study: Study) -> dict[str, Any]:
    """The patient whom the film's file names, unless it is the one of the case."""
    number = header.get("patient_id", "")
    if not number or ids_agree(number, study.record_number):
        return {}
    return {name: value_of(name, header.get(name, "")) for name in IDENTITY_FIELDS}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_CASE)
def case_reassign(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Wrong patient or side."""
    study = in_scope(request, CASES, study_id)
    form = ReassignForm(request.POST or None, initial=_identity(study) | {"laterality": study.laterality})

    def write() -> None:
        corrections.reassign(study, user=caller(request), **form.cleaned_data)

    page = {
        "title": _("Reassign case"),
        "lead": _("Wrong patient or wrong side. Earlier reports become void; the case history keeps both identities."),
        "button": _("Reassign and void reports"),
        "danger": True,
    }
    return _form_page(request, study, form, write, _("Case reassigned. Earlier reports are void."), page)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_CASE)
def case_assign(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Give an unassigned case its patient."""
    study = in_scope(request, CASES, study_id)
    form = AssignForm(request.POST or None, initial=_identity(study))

    def write() -> None:
        corrections.assign_patient(study, to_case_fields(form.cleaned_data), caller(request))

    page = {
        "title": _("Assign patient"),
        "lead": _("Neither the form nor the file names a patient."),
        "button": _("Assign"),
        "danger": False,
    }
    return _form_page(request, study, form, write, _("Patient assigned."), page)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_CASE)
def case_edit(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Correct the details of the examination."""
    study = in_scope(request, CASES, study_id)
    form = EditForm(request.POST or None, initial={name: getattr(study, name) for name in EDITABLE})

    def write() -> None:
        corrections.edit_case(study, to_case_fields(form.cleaned_data), caller(request))

    page = {
        "title": _("Edit details"),
        "lead": _("To change the patient or the side, reassign the case."),
        "button": _("Save"),
        "danger": False,
    }
    return _form_page(request, study, form, write, _("Details saved."), page)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_CASE)
def film_tags(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> HttpResponse:
    """State what a film shows where a wrong tag kept it from the model."""
    study, analysis = _analysis_of(request, study_id, analysis_id)
    state = CaseState(study, caller(request))
    # To whoever must not see the answer yet this page would tell that there is none.
    if state.is_blind:
        return redirect("analyses:case", study.pk)
    form = TagsForm(request.POST or None)

    def write() -> None:
        tag_correction.correct_tags(analysis, user=caller(request), **form.cleaned_data)

    page = {
        "title": _("Correct the film's tags"),
        "lead": outside_use.sentence(analysis),
        "button": _("Save and analyse"),
        "danger": False,
    }
    return _form_page(request, study, form, write, _("Tags corrected. The film was queued for analysis."), page)


def _form_page(
    request: HttpRequest, study: Study, form: Form, write: Callable[[], object], done: str, page: dict[str, Any]
) -> HttpResponse:
    """A page with one form on a case: shown, refused with the reason beside the field, or carried out."""
    status = 200
    if request.method == "POST" and not form.is_valid():
        status = 400
    elif request.method == "POST":
        try:
            write()
        except ServiceError as error:
            status = error.status
            add_service_error(form, error)
        else:
            messages.success(request, done)
            return redirect("analyses:case", study.pk)
    return render(request, "analyses/case_page/edit.html", {"form": form, "study": study, **page}, status=status)


def carry_out(
    request: HttpRequest,
    study: Study,
    write: Callable[[], object],
    done: str,
    shown: dict[str, Any] | None = None,
) -> HttpResponse:
    """Call a service; then back to the case, or the case page with the refusal and its status.

    Args:
        shown: what the page shows otherwise where it is refused; ``write`` may add to it.
    """
    try:
        write()
    except ServiceError as error:
        study.refresh_from_db()
        page = {"refusal": error, **(shown or {})}
        return render_case(request, study, wanted=film_of(request), status=error.status, **page)
    messages.success(request, done)
    wanted = film_of(request)
    return redirect(reverse("analyses:case", args=[study.pk]) + (f"?film={wanted}" if wanted else ""))


def _analysis_of(request: HttpRequest, study_id: UUID, analysis_id: UUID) -> tuple[Study, Analysis]:
    study = in_scope(request, CASES, study_id)
    analysis = in_scope(request, Analysis.objects.select_related("image__study"), analysis_id)
    if analysis.image.study_id != study.pk:
        raise Http404
    return study, analysis


def film_of(request: HttpRequest) -> UUID | None:
    """The film that the address or the form names; None without one."""
    try:
        return UUID(request.GET.get("film") or request.POST.get("film") or "")
    except ValueError:
        return None


def _identity(study: Study) -> dict[str, Any]:
    patient = study.patient
    names = ("patient_id", "patient_name", "patient_birth_date", "patient_sex")
    return {name: getattr(patient, name) for name in names} if patient else {}
