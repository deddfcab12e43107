"""Trials of reading with and without the model's answer: start, totals, close; arms and results once closed."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (no department owns a trial)
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from accounts.csv_lines import safe_cell
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import ServiceError
from analyses.evidence.trial import services
from analyses.evidence.trial.forms import TrialForm
from analyses.models import Trial
from analyses.pages import add_service_error, csv_download
from analyses.statistics.trial import Comparison, compare

# Column of the export, unit or values, meaning. The export is written from this list.
DICTIONARY: tuple[tuple[str, str, str], ...] = (
    ("case", "1, 2, ...", "Number of the case in the order of allocation; unrelated to the patient."),
    ("department", "text", "Department of the case; allocation is within departments."),
    ("block", "1, 2, ...", "Number of the block in the department."),
    ("block_size", "2, 4 or 6", "Number of cases in the complete block; half of them are shown."),
    ("position", "1, 2, ...", "Position of the case in its block."),
    (
        "arm",
        "shown, hidden",
        "The allocated arm: answer shown after the unaided reading, or hidden until the signature.",
    ),
    ("drawn_at", "ISO 8601", "Time of allocation: start of the first unaided reading of the case."),
    ("patient", "1, 2, ...", "Number of the patient; cases with the same number belong to one patient."),
    ("own_reading", "normal, benign, malignant, cannot_tell", "The locked unaided reading; empty if none was locked."),
    ("own_likelihood", "0 to 100", "Likelihood of malignancy in the unaided reading; empty for cannot_tell."),
    ("final_reading", "normal, benign, malignant, cannot_tell", "The signed reading; empty if the case is not signed."),
    ("final_likelihood", "0 to 100", "Likelihood of malignancy in the signed reading; empty if none was stated."),
    (
        "direction",
        "unchanged, towards, away, sideways, no_answer",
        "Revision of the reading in relation to the model's answer.",
    ),
    (
        "model_outcome",
        "normal, benign, malignant, withheld, not_analysable",
        "The model's answer when the unaided reading was locked; given after the signature.",
    ),
    ("model_probability", "0 to 1", "Probability of malignancy in that answer; empty if there is none."),
    ("opened_at", "ISO 8601", "Start of the unaided reading."),
    ("locked_at", "ISO 8601", "Lock of the unaided reading."),
    ("signed_at", "ISO 8601", "Signature of the final reading."),
    ("own_s", "seconds", "Time from start to lock."),
    ("final_s", "seconds", "Time from the reveal (hidden arm: from the lock) to the signature."),
    ("truth", "normal, benign, malignant", "The outcome by pathology or follow-up; empty while unknown."),
)
FIGURES = {
    "sensitivity": (_("Sensitivity"), _("signed cases proven malignant")),
    "specificity": (_("Specificity"), _("signed cases proven not malignant")),
    "auc": (_("Area under the curve"), _("cases with an outcome and a stated likelihood")),
    "reading_time_s": (_("Reading time, s"), _("signed cases; unaided and final reading together")),
    "changed": (_("Reading revised"), _("signed cases")),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.RUN_TRIALS)
def trials(request: HttpRequest) -> HttpResponse:
    """Every trial with its totals, and the form that starts one while none runs."""
    form = TrialForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                started = services.start_trial(user=caller(request), **form.cleaned_data)
            except ServiceError as error:
                add_service_error(form, error)
                status = error.status
            else:
                said = gettext("The trial is running. Departments in trial mode allocate each case at random.")
                messages.success(request, said)
                return redirect("analyses:trial", started.pk)
    known = list(Trial.objects.all())
    rows = [{"trial": row, "progress": services.progress_of(row)} for row in known]
    running = any(row.is_open for row in known)
    return render(
        request, "analyses/evidence/trial/trials.html", {"form": form, "rows": rows, "running": running}, status=status
    )


@require_safe
@requires(Action.RUN_TRIALS)
def trial(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """One trial: totals while it runs, figures of both arms once it is closed."""
    row = get_object_or_404(Trial, pk=trial_id)
    context: dict[str, Any] = {"trial": row, "progress": services.progress_of(row), "figures": []}
    if not row.is_open:
        comparisons = compare(services.analysis_cases(services.trial_rows(row)))
        context["figures"] = [_shown(comparison) for comparison in comparisons]
        audit.record("view_trial_results", user=caller(request), obj=row)
    return render(request, "analyses/evidence/trial/trial.html", context)


@require_POST
@requires(Action.RUN_TRIALS)
def trial_close(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """Close a trial for good."""
    row = get_object_or_404(Trial, pk=trial_id)
    try:
        services.close_trial(row, caller(request))
    except ServiceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, gettext("Trial closed."))
    return redirect("analyses:trial", row.pk)


@require_safe
@requires(Action.RUN_TRIALS)
def trial_export(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """The rows of a closed trial as CSV, without patient identity."""
    row = get_object_or_404(Trial, pk=trial_id)
    try:
        rows = services.trial_rows(row)
    except ServiceError as error:
        messages.error(request, error.message)
        return redirect("analyses:trial", row.pk)
    audit.record("export_trial", user=caller(request), obj=row, detail={"rows": len(rows)})
    names = [name for name, _, _ in DICTIONARY]
    return csv_download(f"trial-{row.pk}.csv", [names, *([_cell(line[name]) for name in names] for line in rows)])


@require_safe
@requires(Action.RUN_TRIALS)
def trial_dictionary(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What the columns of the export mean, as CSV."""
    return csv_download("trial-dictionary.csv", [("column", "values", "meaning"), *DICTIONARY])


def _shown(comparison: Comparison) -> dict[str, Any]:
    label, counted = FIGURES[comparison.name]
    return {"label": label, "counted": counted, "figure": comparison, "decimals": 1 if "_s" in comparison.name else 3}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(timezone.localtime(value).isoformat(timespec="seconds"))
    return safe_cell(value)
