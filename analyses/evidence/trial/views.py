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
    ("case", "1, 2, ...", "Number of the case, in the order of allocation; says nothing of the patient."),
    ("department", "text", "Where the case was read; allocation is within a department."),
    ("block", "1, 2, ...", "Number of the block in the department."),
    ("block_size", "2, 4 or 6", "How many cases the block holds when it is full; half of them are shown."),
    ("position", "1, 2, ...", "Place of the case in its block."),
    ("arm", "shown, hidden", "The allocated arm: the answer shown after the own reading, or hidden until signed."),
    ("drawn_at", "ISO 8601", "When the case was allocated: when the first doctor began an own reading of the case."),
    ("patient", "1, 2, ...", "Number of the patient; cases with the same number are cases of one patient."),
    ("own_reading", "normal, benign, malignant, cannot_tell", "The locked own reading; empty where none was locked."),
    ("own_likelihood", "0 to 100", "Likelihood of malignancy of the own reading; empty for cannot_tell."),
    ("final_reading", "normal, benign, malignant, cannot_tell", "The signed reading; empty where nobody has signed."),
    ("final_likelihood", "0 to 100", "Likelihood of malignancy of the signed reading; empty where none was stated."),
    ("direction", "unchanged, towards, away, sideways, no_answer", "Change of mind, seen from the model's answer."),
    ("model_outcome", "normal, benign, malignant, withheld, not_analysable", "The answer at the lock, once signed."),
    ("model_probability", "0 to 1", "Probability of malignancy of that answer; empty where there is none."),
    ("opened_at", "ISO 8601", "When the own reading was begun."),
    ("locked_at", "ISO 8601", "When the own reading was locked."),
    ("signed_at", "ISO 8601", "When the final reading was signed."),
    ("own_s", "seconds", "From begun to locked."),
    ("final_s", "seconds", "From the reveal (hidden arm: from the lock) to the signature."),
    ("truth", "normal, benign, malignant", "The reference: pathology or follow-up; empty while unknown."),
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
