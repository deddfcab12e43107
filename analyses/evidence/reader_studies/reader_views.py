"""A reader's pages of reader studies: films without identity, with or without the answer, one case at a time."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.errors import Conflict, Invalid
from analyses.evidence.reader_studies import reading, snapshot
from analyses.evidence.reader_studies.forms import ReaderStudyReadingForm
from analyses.models import Condition, Image, ReaderStudy, ReaderStudyReader, ReaderStudyReading
from analyses.viewer.films import stored, values_response

READINGS = ReaderStudyReading.objects.select_related("reader__reader_study", "study_case")


@require_safe
@requires(Action.READ_CASE)
def assigned(request: HttpRequest) -> HttpResponse:
    """The reader studies that this doctor reads for."""
    rows = []
    for reader_study in ReaderStudy.objects.for_user(caller(request)):
        mine = reading.with_progress(reader_study.readers.filter(user=caller(request))).get()
        rows.append(
            {"reader_study": reader_study, "progress": reading.progress(mine) if reader_study.is_open else None}
        )
    return render(request, "analyses/evidence/reader_studies/assigned_reader_studies.html", {"rows": rows})


# No HEAD: showing a case starts its time.
@require_GET
@requires(Action.READ_CASE)
def read(request: HttpRequest, reader_study_id: UUID) -> HttpResponse:
    """The next case of this reader, or why there is none now."""
    reader_study = in_scope(request, ReaderStudy.objects.all(), reader_study_id)
    if reader_study.is_closed:
        return _private(
            render(
                request, "analyses/evidence/reader_studies/pause.html", {"reader_study": reader_study, "progress": None}
            )
        )
    return _page(request, reader_study)


@require_POST
@requires(Action.READ_CASE)
def submit(request: HttpRequest, reading_id: UUID) -> HttpResponse:
    """Keep one reading; then the next case."""
    row = in_scope(request, READINGS, reading_id)
    reader_study = row.reader.reader_study
    form = ReaderStudyReadingForm(request.POST)
    if not form.is_valid():
        return _page(request, reader_study, row=row, form=form, status=400)
    try:
        reading.submit(row.pk, caller(request), **form.cleaned_data)
    except Invalid as error:
        for name, texts in error.fields.items():
            form.add_error(name, texts)
        return _page(request, reader_study, row=row, form=form, status=error.status)
    except Conflict as error:
        messages.warning(request, error.message)
    return redirect("analyses:reader_study_read", reader_study.pk)


@require_safe
@requires(Action.READ_CASE)
def film(request: HttpRequest, reading_id: UUID, film: int) -> HttpResponse:
    """One film (from 1) of the case that is being read, as its canonical image; gone once the reading is submitted."""
    data = stored(_open_image(request, reading_id, film).canonical_file)
    response = HttpResponse(data, content_type="image/png")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = "inline"
    return _private(response)


@require_safe
@requires(Action.READ_CASE)
def values(request: HttpRequest, reading_id: UUID, film: int) -> HttpResponse:
    """The same film's values before any window, as ``viewer.films.film_values`` packs them."""
    return _private(values_response(request, _open_image(request, reading_id, film)))


def _open_image(request: HttpRequest, reading_id: UUID, film: int) -> Image:
    """The film of the reading that is open now; 404 for every other one."""
    row = in_scope(request, READINGS, reading_id)
    if row.is_submitted or row.opened_at is None or not row.reader.reader_study.is_open:
        raise Http404
    images = snapshot.films_of(row.study_case)
    if not 1 <= film <= len(images):
        raise Http404
    return images[film - 1]


def _page(
    request: HttpRequest,
    reader_study: ReaderStudy,
    *,
    row: ReaderStudyReading | None = None,
    form: ReaderStudyReadingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The case to be read now; ``form`` is kept only where it belongs to that case.

    A reading that was begun before a hold can still be mended and submitted, then without the answer on the page.
    """
    try:
        progress = reading.open_next(_reader(request, reader_study), caller(request))
    except Conflict as error:
        messages.warning(request, error.message)
        return redirect("analyses:assigned_reader_studies")
    due = progress.reading
    if progress.held and form is not None and row is not None and row.opened_at and not row.is_submitted:
        due = row
    if due is None:
        context: dict[str, Any] = {"reader_study": reader_study, "progress": progress}
        return _private(render(request, "analyses/evidence/reader_studies/pause.html", context))
    if row is not None and row != due:
        messages.warning(request, _("This case has already been submitted. The first submission counts."))
        return redirect("analyses:reader_study_read", reader_study.pk)
    with_answer = due.condition == Condition.WITH and not progress.held
    context = {
        "reader_study": reader_study,
        "progress": progress,
        "reading": due,
        "films": _films(due, with_answer=with_answer),
        "with_answer": with_answer,
        "form": form or ReaderStudyReadingForm(),
        "place": progress.done + 1,
    }
    return _private(render(request, "analyses/evidence/reader_studies/read.html", context, status=status))


def _films(row: ReaderStudyReading, *, with_answer: bool) -> list[dict[str, Any]]:
    """Films with their number, and the kept answer where it is shown."""
    images = snapshot.films_of(row.study_case)
    answers: list[Any] = [None] * len(images)
    if with_answer:
        answers = snapshot.answers_of(row.study_case, images)
    return [
        {"number": number, "image": image, "analysis": answer}
        for number, (image, answer) in enumerate(zip(images, answers, strict=True), start=1)
    ]


def _reader(request: HttpRequest, reader_study: ReaderStudy) -> ReaderStudyReader:
    return reader_study.readers.select_related("reader_study").get(user=caller(request))


def _private(response: HttpResponse) -> HttpResponse:
    """Nothing of a reading stays in the browser: there is no going back to it."""
    response["Cache-Control"] = "private, no-store"
    return response
