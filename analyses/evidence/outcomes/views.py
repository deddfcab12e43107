"""Entering outcomes: on the case page, and for many cases as CSV."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.case_page.views import render_case
from analyses.errors import ServiceError
from analyses.evidence.outcomes import services as outcomes
from analyses.evidence.outcomes.csv_file import COLUMNS, MAX_BYTES, MAX_ROWS
from analyses.evidence.outcomes.csv_import import FINE, ImportResult, import_outcomes
from analyses.evidence.outcomes.forms import OutcomeFileForm, OutcomeForm
from analyses.models import Study, Truth, TruthMethod, TumourGrade, TumourStage
from analyses.pages import add_service_error, csv_download

SHOWN_LINES = 500


def column_help() -> list[tuple[str, str, str]]:
    """The columns of the file: name, what it holds, an example."""
    return [
        ("case", _("Identifier of the case from the case export. One of the first three columns is required."), ""),
        ("accession_number", _("Accession number of the case."), "ACC-2026-0417"),
        ("patient_id", _("Record number; add study_date if the patient has several cases."), "40-1187-22"),
        ("study_date", _("Day of the examination."), "2026-03-02"),
        (
            "method",
            _("How the diagnosis was established: %(codes)s.") % {"codes": ", ".join(TruthMethod.values)},
            "pathology",
        ),
        ("date", _("Day of the pathology or follow-up, 2026-04-11 or 11.04.2026."), "2026-04-11"),
        (
            "source",
            _("Laboratory or clinic and its reference number; no patient name. Optional."),
            _("Pathology H-2026-118"),
        ),
        ("truth", _("Diagnosis: %(codes)s.") % {"codes": ", ".join(Truth.values)}, "malignant"),
        ("subtype", _("Free text; optional."), _("osteosarcoma")),
        (
            "grade",
            _("%(codes)s; malignant tumours only, optional.") % {"codes": ", ".join(TumourGrade.values)},
            "G3",
        ),
        ("stage", _("%(codes)s; optional.") % {"codes": ", ".join(TumourStage.values)}, "IIB"),
    ]


@require_POST
@requires(Action.ENTER_OUTCOMES)
def case_outcome(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Close a signed case with its outcome, or correct it."""
    study = in_scope(request, Study.objects.select_related("patient"), study_id)
    form = OutcomeForm(request.POST)
    status = 400
    if form.is_valid():
        try:
            outcomes.enter_outcome(
                study, form.to_fields(), user=caller(request), seen_version=form.cleaned_data["seen_version"]
            )
        except ServiceError as error:
            status = error.status
            add_service_error(form, error)
            _show_newest(form, study)
        else:
            messages.success(request, _("Outcome saved. The case is closed."))
            return redirect(reverse("analyses:case", args=[study.pk]))
    return render_case(request, study, status=status, outcome_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.ENTER_OUTCOMES)
def outcome_import_page(request: HttpRequest) -> HttpResponse:
    """Many outcomes as one file: all of them are stored, or none and every line gets its answer."""
    if request.method != "POST":
        return _page(request, OutcomeFileForm())
    form = OutcomeFileForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        # One byte more than allowed is enough to know that a file is too large.
        data = form.cleaned_data["file"].read(MAX_BYTES + 1)
        result = import_outcomes(data, user=caller(request), correct=form.cleaned_data["correct"])
    except ServiceError as error:
        add_service_error(form, error)
        return _page(request, form, status=error.status)
    return _page(request, form, result, status=200 if result.stored else 422)


@require_safe
@requires(Action.ENTER_OUTCOMES)
def outcome_template(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """The head of a file of outcomes, with the mark by which spreadsheets know UTF-8."""
    return csv_download("outcomes-template.csv", [COLUMNS])


def _show_newest(form: OutcomeForm, study: Study) -> None:
    """The refused page shows the outcome as it stands now, so that the form may be sent again against that."""
    versions = outcomes.history(study)
    data: Any = form.data
    form.data = data.copy()
    form.data["seen_version"] = versions[0].version if versions else 0  # type: ignore[index]


def _page(
    request: HttpRequest, form: OutcomeFileForm, result: ImportResult | None = None, status: int = 200
) -> HttpResponse:
    # What hinders comes first; of thousands of lines that are fine nobody wants to see each.
    rows = sorted(result.rows, key=lambda row: (row.answer in FINE, row.line.number)) if result else []
    context: dict[str, Any] = {
        "form": form,
        "result": result,
        "rows": rows[:SHOWN_LINES],
        "more": max(0, len(rows) - SHOWN_LINES),
        "bad": sum(row.answer not in FINE for row in rows),
        "accepted": result.count("accepted") if result else 0,
        "unchanged": result.count("unchanged") if result else 0,
        "columns": column_help(),
        "max_rows": MAX_ROWS,
        "max_mb": MAX_BYTES // 1024 // 1024,
    }
    return render(request, "analyses/evidence/outcomes/import.html", context, status=status)
