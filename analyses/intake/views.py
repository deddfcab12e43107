"""Intake by page: one case with several films, film by film with an answer each, or as one plain form."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from analyses.errors import Conflict, ServiceError, invalid_fields
from analyses.intake import headers, proposal
from analyses.intake import services as intake
from analyses.intake.forms import VIEW_POSITIONS, AddFilmsForm, UploadForm
from analyses.models import Study
from analyses.pages import add_service_error
from analyses.record.cases import CASES
from analyses.record.fields import CaseFields
from analyses.record.forms import BODY_PARTS

FORMATS_IN_WORDS = {"DICOM (one frame)": gettext_lazy("DICOM (one frame)")}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.VIEW_CASES)
@requires(Action.UPLOAD)
def upload(request: HttpRequest) -> HttpResponse:
    """A new case. A request that accepts JSON gets ``{id, status, url, created}`` or ``{code, detail, fields}``."""
    return _intake(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.VIEW_CASES)
@requires(Action.UPLOAD)
def case_add(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Further films of a case."""
    return _intake(request, in_scope(request, CASES, study_id))


@require_POST
@requires(Action.VIEW_CASES)
@requires(Action.UPLOAD)
def upload_groups(request: HttpRequest) -> JsonResponse:
    """The cases that the chosen films make, before anything is stored: ``{headers, summary, cases}``.

    Takes the beginnings of files (``image``) and what the page knows of other films (``known``: JSON, a list of headers
    with null in the place of each file).
    """
    try:
        stated = proposal.stated_headers(request.POST.get("known", ""), request.FILES.getlist("image"))
    except ServiceError as error:
        return _refusal(error)
    response = JsonResponse({"headers": stated, **proposal.described(proposal.propose(stated), len(stated))})
    response["Cache-Control"] = "private, no-store"
    return response


def _intake(request: HttpRequest, study: Study | None) -> HttpResponse:
    form_class = UploadForm if study is None else AddFilmsForm
    if request.method != "POST":
        return _page(request, form_class(initial={"case_key": uuid4()}), study)
    form = form_class(request.POST, request.FILES)
    by_script = request.accepts("application/json") and not request.accepts("text/html")
    try:
        if not form.is_valid():
            raise invalid_fields(form.errors, gettext("Some fields are invalid."))  # type: ignore[arg-type]
        submissions = _submit_all(request, form, study)
    except SeveralCases as error:
        if by_script:
            return _refusal(error)
        return _page(request, form, study, status=error.status, found=error.found)
    except ServiceError as error:
        if by_script:
            return _refusal(error)
        if form.is_valid():
            add_service_error(form, error)
        return _page(request, form, study, status=error.status)
    if by_script:
        return _answer(submissions[0])
    received = ngettext("%(number)s film received.", "%(number)s films received.", len(submissions))
    messages.success(request, received % {"number": len(submissions)})
    made = {submission.analysis.image.study_id for submission in submissions}
    return redirect("analyses:case", made.pop()) if len(made) == 1 else redirect("analyses:case_list")


class SeveralCases(Conflict):
    """The films of one plain form are several cases, and nobody has said yet that they shall be."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__(
            "several_cases",
            gettext(
                "The files name several patients or examinations. Nothing was stored. Check the cases, then choose "
                "the films again and file them as separate cases."
            ),
        )
        self.found = found


def _submit_all(request: HttpRequest, form: Any, study: Study | None) -> list[intake.Submission]:
    """File the films of a form: as one case, or as the cases that their headers make where that was asked for."""
    files, key = form.cleaned_data["image"], form.cleaned_data["case_key"]
    if study is not None or len(files) == 1:
        return [_submit(request, form, file, study, key) for file in files]
    cases = proposal.propose([headers.header_of(file).identity for file in files])
    is_only = len(cases) == 1
    if not (is_only or form.cleaned_data["separate"]):
        raise SeveralCases(proposal.described(cases, len(files)))
    submissions = []
    for case in cases:
        case_key = key if is_only else uuid4()
        entries = proposal.takes_entries(case, is_only=is_only)
        submissions += [_submit(request, form, files[place], None, case_key, entries=entries) for place in case.films]
    return submissions


def _submit(
    request: HttpRequest, form: Any, file: UploadedFile, study: Study | None, key: UUID | None, *, entries: bool = True
) -> intake.Submission:
    cleaned = form.cleaned_data
    fields = form.to_fields()
    return intake.submit_image(
        user=request.user,  # type: ignore[arg-type]
        token=None,
        upload=file,
        fields=fields if entries else CaseFields(view_position=fields.view_position),
        case_key=key,
        study=study,
        again=cleaned["again"],
        together=cleaned["together"],
    )


def _answer(submission: intake.Submission) -> JsonResponse:
    analysis = submission.analysis
    url = reverse("analyses:case", args=[analysis.image.study_id])
    answer = {"id": analysis.pk, "status": analysis.status, "url": f"{url}?film={analysis.pk}", "case": url}
    return JsonResponse(answer | {"created": submission.created}, status=202 if submission.created else 200)


def _refusal(error: ServiceError) -> JsonResponse:
    fields = {name: [str(text) for text in texts] for name, texts in error.fields.items()}
    return JsonResponse({"code": error.code, "detail": error.message, "fields": fields}, status=error.status)


def _page(
    request: HttpRequest, form: Any, study: Study | None, status: int = 200, found: dict[str, Any] | None = None
) -> HttpResponse:
    formats = [FORMATS_IN_WORDS.get(name, name) for name in intake.FORMATS]
    limits = intake.LIMITS | {"formats": formats}
    context = {
        "form": form,
        "study": study,
        "found": found,
        "limits": limits,
        "body_parts": BODY_PARTS,
        "view_positions": VIEW_POSITIONS,
    }
    return render(request, "analyses/intake/upload.html", context, status=status)
