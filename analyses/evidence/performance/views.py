"""*Performance at this site*: how model and readers did in the own department, and the rows behind it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.csv_lines import safe_cell
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.evidence.performance import figures
from analyses.evidence.performance.rows import DICTIONARY, cells, in_trial, rows_for
from analyses.model_pages.plots import calibration_plot
from analyses.pages import csv_download

HEADS = (
    _("Model sensitivity"),
    _("Model specificity"),
    _("With the model: sensitivity"),
    _("With the model: specificity"),
    _("Withheld"),
    _("Overruled"),
)


@require_safe
@requires(Action.VIEW_PERFORMANCE)
def performance(request: HttpRequest) -> HttpResponse:
    """Figures of the closed cases of the doctor's department."""
    rows = rows_for(caller(request))
    audit.record("view_performance", user=caller(request), detail={"cases": len(rows)})
    bins = figures.calibration(rows)
    context: dict[str, Any] = {
        "rows": rows,
        "patients": len({row.patient for row in rows}),
        "malignant": sum(row.malignant for row in rows),
        "pathology": sum(row.method == "pathology" for row in rows),
        "least": figures.LEAST,
        "in_trial": in_trial(caller(request)),
    }
    if rows:
        context |= {
            "observers": figures.observers(rows),
            "withheld": figures.withheld(rows),
            "overruled": figures.overruled(rows),
            "heads": HEADS,
            "groups": figures.groups(rows),
            "plot": calibration_plot([entry for entry in bins if "stated" in entry]),
            "thin_bins": [entry for entry in bins if "stated" not in entry],
            "flips": figures.flips(rows),
            "dictionary": DICTIONARY,
        }
    return render(request, "analyses/evidence/performance/performance.html", context)


@require_safe
@requires(Action.VIEW_PERFORMANCE)
def performance_rows(request: HttpRequest) -> HttpResponse:
    """The rows behind the figures, without names and record numbers, as CSV."""
    rows = rows_for(caller(request))
    audit.record("export_performance", user=caller(request), detail={"cases": len(rows)})
    lines = ([safe_cell(cell) for cell in row] for row in cells(rows))
    name = f"performance-{timezone.localdate():%Y-%m-%d}.csv"
    return csv_download(name, [list(DICTIONARY), *lines])


@require_safe
@requires(Action.VIEW_PERFORMANCE)
def performance_dictionary(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What each column of the rows holds, as CSV."""
    return csv_download("performance-dictionary.csv", [("column", "holds"), *DICTIONARY.items()])
