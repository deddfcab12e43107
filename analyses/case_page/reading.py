"""What is done with the reading on the case page: checked while it is typed, saved, signed, added to."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.blinding.case_state import CaseState
from analyses.case_page.context import shown_review
from analyses.case_page.reading_context import templates_for
from analyses.case_page.versions import versions_of
from analyses.case_page.views import carry_out, film_of, render_case
from analyses.errors import Conflict, Invalid
from analyses.models import Review, Study
from analyses.pages import add_service_error
from analyses.reading import services as reading
from analyses.reading.forms import AddendumForm, ReadingForm
from analyses.record.cases import CASES
from analyses.structured_reading import bone_rads, contradictions, text
from analyses.structured_reading import services as structured_reading
from analyses.structured_reading.contradictions import StatedCase


@require_POST
@requires(Action.READ_CASE)
def case_reading(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Save the reading; with ``action=sign`` also sign it; with ``action=template`` only fill the form."""
    study = in_scope(request, CASES, study_id)
    form = ReadingForm(request.POST)
    action = request.POST.get("action")
    if action == "template":
        return _filled(request, study, form)
    if form.is_valid() and action == "sign":
        _require_for_signing(request, form)
    if form.errors:
        return render_case(request, study, wanted=film_of(request), status=400, reading_form=form)
    shown: dict[str, Any] = {"reading_form": form}

    def write() -> None:
        _save(request, study, form, shown)
        if action == "sign":
            reading.sign(study, caller(request), request.POST.getlist("confirmed"))

    done = _("Signed. The reading is locked.") if action == "sign" else _("Preliminary reading saved.")
    return carry_out(request, study, write, done, shown)


def _save(request: HttpRequest, study: Study, form: ReadingForm, shown: dict[str, Any]) -> None:
    """Save the draft; ``shown`` gets what the page needs where it is refused."""
    cleaned = form.cleaned_data
    try:
        review = reading.save_reading(
            study,
            user=caller(request),
            reading=cleaned["reading"],
            impression=cleaned["impression"],
            tumour_grade=cleaned["tumour_grade"],
            tumour_stage=cleaned["tumour_stage"],
            likelihood=cleaned["likelihood"],
            structure=form.structured(),
            agrees_with_model=_shown_agreement(request, form),
            version=cleaned["version"],
        )
    except Invalid as error:
        add_service_error(form, error)
        raise
    except Conflict as error:
        if error.code == "stale_draft":
            state = CaseState(study, caller(request))
            form.show_version(state.review.version if state.review else 0)
            shown["saved_elsewhere"] = shown_review(state)
        raise
    form.show_version(review.version)


@require_POST
@requires(Action.READ_CASE)
def reading_check(request: HttpRequest, study_id: UUID) -> JsonResponse:
    """The text that the structure writes, and what contradicts itself; nothing is kept, the model is not asked."""
    study = in_scope(request, CASES, study_id)
    form = ReadingForm(request.POST)
    form.is_valid()  # What is not understood counts as not stated.
    given, review = form.cleaned_data, Review.objects.filter(study=study).first()
    findings, language = form.findings(), study.department.language
    said = StatedCase(
        reading=given.get("reading", ""),
        likelihood=given.get("likelihood"),
        findings=findings,
        recommendation=given.get("recommendation", ""),
        body_part=study.body_part_examined,
        laterality=study.laterality,
        text_is_older=structured_reading.text_is_older(review, findings, given.get("findings_text", "")),
    )
    found = {"contradictions": contradictions.find(said), "confirmed": request.POST.getlist("confirmed")}
    reasons = bone_rads.exclusions(study.modality, structured_reading.patient_age(study), findings)
    response = JsonResponse(
        {
            "findings_text": text.findings_text(findings, language),
            "impression": text.impression(said.reading, findings, language),
            "contradictions": render_to_string("analyses/case_page/_contradictions.html", found, request=request),
            "bone_rads": reasons,
        }
    )
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@requires(Action.READ_CASE)
def case_addendum(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Add to a signed reading, with a reason."""
    study = in_scope(request, CASES, study_id)
    form = AddendumForm(request.POST)
    if not form.is_valid():
        return render_case(request, study, wanted=film_of(request), status=400, addendum_form=form)
    given = form.cleaned_data
    return carry_out(
        request,
        study,
        lambda: reading.add_addendum(study, caller(request), given["text"], given["reason"]),
        _("Addendum added. The previous report is superseded."),
        {"addendum_form": form},
    )


@require_safe
@requires(Action.VIEW_CASES)
def case_versions(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Every signed and issued state of the reading, with what it stood for and its PDF."""
    study = in_scope(request, CASES, study_id)
    context = {"study": study, "patient": study.patient, "versions": versions_of(study, caller(request))}
    return render(request, "analyses/case_page/versions.html", context)


def _filled(request: HttpRequest, study: Study, form: ReadingForm) -> HttpResponse:
    """The page with the chosen template's values where the form was empty; nothing is written."""
    chosen = next((row for row in templates_for(study) if str(row.pk) == request.POST.get("template")), None)
    if chosen is None:
        raise Http404
    form.fill(chosen)
    form.full_clean()
    form.errors.clear()  # Nothing was submitted yet: only what is sent is judged.
    return render_case(request, study, wanted=film_of(request), reading_form=form, template_used=chosen)


def _require_for_signing(request: HttpRequest, form: ReadingForm) -> None:
    """Put an error at each field that a signature needs and that is empty."""
    given = form.cleaned_data
    if _shown_agreement(request, form) is False and not given["disagreement_reason"]:
        form.add_error("disagreement_reason", _("State why you overrule the model."))
    # An empty impression is written when the reading is saved.
    said = given["impression"] or text.impression(given["reading"], form.findings(), "en")
    for name, errors in structured_reading.missing(given["reading"], said, given["recommendation"]).items():
        form.add_error(name, errors)


def _shown_agreement(request: HttpRequest, form: ReadingForm) -> bool | None:
    """What the page said about agreement, so that a reading of an answer that has changed since is refused."""
    shown = request.POST.get("model_reading")
    return form.cleaned_data["reading"] == shown if shown else None
