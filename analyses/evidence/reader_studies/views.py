"""The administrator's pages of reader studies. Cases are numbers here: no patient identity, no film."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (no department owns a reader study)
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.gate import record_refusal
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import ServiceError
from analyses.evidence.reader_studies import case_draw, plots, reading, results, services
from analyses.evidence.reader_studies import export as exporting
from analyses.evidence.reader_studies.forms import (
    DrawCasesForm,
    ReaderStudyCasesForm,
    ReaderStudyForm,
    StudyReaderForm,
    WaiveForm,
)
from analyses.models import ReaderStudy, ReaderStudyCase, ReferenceTruth, Review

STUDIES = ReaderStudy.objects.select_related("department", "created_by")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_READER_STUDIES)
def reader_studies(request: HttpRequest) -> HttpResponse:
    """All reader studies, and the form for a new one."""
    form = ReaderStudyForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                made = services.create_reader_study(**form.cleaned_data, by=caller(request))
            except ServiceError as error:
                status = _refuse(form, error)
            else:
                return redirect("analyses:reader_study", made.pk)
    rows = STUDIES.annotate(
        case_count=Count("cases", distinct=True),
        reader_count=Count("readers", distinct=True),
    )
    return render(
        request,
        "analyses/evidence/reader_studies/reader_studies.html",
        {"reader_studies": rows, "form": form},
        status=status,
    )


@require_safe
@requires(Action.MANAGE_READER_STUDIES)
def reader_study(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """One reader study: being put together, being read, or analysed."""
    return _page(request, _managed(request, reader_study_id))


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def cases_add(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """Put cases into a draft; nothing is added where a row is refused."""
    found = _managed(request, reader_study_id)
    form = ReaderStudyCasesForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, found, status=400, cases_form=form)
    rows = form.cleaned_data["rows"]
    return _carry_out(
        request, found, lambda: services.add_cases(found, rows, caller(request)), _("Cases added."), cases_form=form
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def cases_draw(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """Draw cases from recorded outcomes into a draft; nothing is added where there are fewer than asked for."""
    found = _managed(request, reader_study_id)
    form = DrawCasesForm(request.POST)
    if not form.is_valid():
        return _page(request, found, status=400, draw_form=form)
    asked = form.cleaned_data
    return _carry_out(
        request,
        found,
        lambda: case_draw.draw_cases(found, by=caller(request), **asked),
        _("Cases drawn."),
        draw_form=form,
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def case_remove(request: HttpRequest, reader_study_id: UUID, number: int) -> HttpResponse:
    """Take a case out of a draft."""
    found = _managed(request, reader_study_id)
    return _carry_out(request, found, lambda: services.remove_case(found, number, caller(request)), _("Case removed."))


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def reader_add(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """Let a doctor read."""
    found = _managed(request, reader_study_id)
    doctors = services.possible_readers(found)
    form = StudyReaderForm(request.POST, doctors=doctors)
    if not form.is_valid():
        return _page(request, found, status=400, reader_form=form)
    chosen = next(doctor for doctor in doctors if str(doctor.pk) == form.cleaned_data["reader"])
    return _carry_out(
        request,
        found,
        lambda: services.add_reader(found, chosen, caller(request)),
        _("Reader added."),
        reader_form=form,
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def reader_remove(request: HttpRequest, reader_study_id: UUID, number: int) -> HttpResponse:
    """Take a reader out of a draft."""
    found = _managed(request, reader_study_id)
    return _carry_out(
        request, found, lambda: services.remove_reader(found, number, caller(request)), _("Reader removed.")
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def start(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """Draw the orders and open the reader study."""
    found = _managed(request, reader_study_id)
    return _carry_out(
        request,
        found,
        lambda: services.start(found, caller(request)),
        _("Study started. Readers find it in their navigation."),
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def waive(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """Let a reader begin session 2 before the wash-out has passed."""
    found = _managed(request, reader_study_id)
    readers = list(found.readers.select_related("user", "reader_study"))
    form = WaiveForm(request.POST, readers=readers)
    if not form.is_valid():
        return _page(request, found, status=400, waive_form=form)
    chosen = next(row for row in readers if str(row.pk) == form.cleaned_data["waive"])
    reason = form.cleaned_data["reason"]
    return _carry_out(
        request,
        found,
        lambda: services.waive_washout(chosen, reason, caller(request)),
        _("Wash-out of reader %(number)s waived.") % {"number": chosen.number},
        waive_form=form,
    )


@require_POST
@requires(Action.MANAGE_READER_STUDIES)
def close(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """End the readings."""
    found = _managed(request, reader_study_id)
    return _carry_out(request, found, lambda: services.close(found, caller(request)), _("Study closed."))


@require_safe
@requires(Action.MANAGE_READER_STUDIES)
def export(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """All readings of a closed reader study with their data dictionary."""
    found = _managed(request, reader_study_id)
    try:
        data = exporting.export(found, caller(request))
    except ServiceError as error:
        return _page(request, found, status=error.status, refusal=error)
    response = HttpResponse(data, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="reader-study-{found.pk}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response


def _managed(request: HttpRequest, pk: UUID) -> ReaderStudy:
    """The reader study; refused to its own readers until it is closed: this page tells the truth of every case."""
    found = get_object_or_404(STUDIES, pk=pk)
    if not found.is_closed and found.readers.filter(user=caller(request)).exists():
        record_refusal(caller(request), obj=found)
        raise PermissionDenied(_("You are a reader in this study. Until it is closed, only others can manage it."))
    return found


def _page(request: HttpRequest, found: ReaderStudy, *, status: int = 200, **extra: Any) -> HttpResponse:
    context: dict[str, Any] = {"reader_study": found, "cases": _cases(found), "readers": _readers(found)}
    if found.is_draft:
        context |= {
            "cases_form": ReaderStudyCasesForm(),
            "draw_form": DrawCasesForm(),
            "reader_form": StudyReaderForm(doctors=services.possible_readers(found)),
            "one_class": _one_class(context["cases"]),
        }
    elif found.is_open:
        waiting = [row for row in found.readers.select_related("user") if row.washout_waived_at is None]
        context["waive_form"] = WaiveForm(readers=waiting)
        context["held"] = reading.any_is_held(found.cases.all())
        context["done"] = sum(row["done"] for row in context["readers"])
        context["total"] = sum(row["total"] for row in context["readers"])
    else:
        found_results = results.results_of(found)
        context |= {
            "results": found_results,
            "plots": plots.roc_plots(found_results.complete),
        }
    return render(request, "analyses/evidence/reader_studies/reader_study.html", context | extra, status=status)


def _cases(found: ReaderStudy) -> list[ReaderStudyCase]:
    return list(found.cases.all())


def _one_class(cases: list[ReaderStudyCase]) -> bool:
    return len({case.truth == ReferenceTruth.MALIGNANT for case in cases}) == 1


def _readers(found: ReaderStudy) -> list[dict[str, Any]]:
    """How far every reader is, and how many of the cases he signed in the clinic."""
    signed = dict(
        Review.objects.filter(study__in=found.cases.values("case"), signed_at__isnull=False)
        .values_list("reader")
        .annotate(Count("id"))
        .order_by()
    )
    eligible = services.eligible(found)
    return [
        {
            "reader": row,
            "signed": signed.get(row.user_id, 0),
            "done": row.first_done + row.second_done,
            "total": row.first_total + row.second_total,
            "eligible": row.user_id in eligible,
            "progress": reading.progress(row),
        }
        for row in reading.with_progress(found.readers.order_by("number"))
    ]


def _carry_out(
    request: HttpRequest, found: ReaderStudy, write: Callable[[], object], done: str, **forms: Form
) -> HttpResponse:
    """Call a service; then back to the reader study, or its page with the refusal and its status."""
    try:
        write()
    except ServiceError as error:
        found.refresh_from_db()
        bound = next(iter(forms.values()), None)
        if bound is not None and not found.is_closed:
            _refuse(bound, error)
            return _page(request, found, status=error.status, **forms)
        return _page(request, found, status=error.status, refusal=error)
    messages.success(request, done)
    return redirect("analyses:reader_study", found.pk)


def _refuse(form: Form, error: ServiceError) -> int:
    """Show a service's refusal where the person can mend it; its status."""
    for name, texts in error.fields.items():
        form.add_error(name if name in form.fields else None, texts)
    if not error.fields:
        form.add_error(None, error.message)
    return error.status
