"""Whose work a case is, from its page: start, take over, release, hand over; who has it open; which is the next."""

import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.case_page.views import render_case
from analyses.errors import ServiceError
from analyses.models import Study
from analyses.notifications import services as notifications
from analyses.record import cases
from analyses.record.cases import CASES
from analyses.worklist import assignment, presence
from analyses.worklist import rows as worklist
from analyses.worklist.filters import CaseFilter
from analyses.worklist.forms import HandOverForm
from analyses.worklist.views import SESSION_KEY


@require_POST
@requires(Action.READ_CASE)
def case_start(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Begin to read a case that nobody else has."""
    study = in_scope(request, CASES, study_id)
    return _carry_out(
        request, study, lambda: assignment.start_reading(study, caller(request)), _("The case is assigned to you.")
    )


@require_POST
@requires(Action.READ_CASE)
def case_take_over(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Take a colleague's case; what is typed on the page stays when the page's script asks."""
    study = in_scope(request, CASES, study_id)
    return _carry_out(
        request, study, lambda: assignment.take_over(study, caller(request)), _("The case is assigned to you.")
    )


@require_POST
@requires(Action.READ_CASE)
def case_release(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Give one's case back."""
    study = in_scope(request, CASES, study_id)
    return _carry_out(request, study, lambda: assignment.release(study, caller(request)), _("Case released."))


@require_POST
@requires(Action.READ_CASE)
def case_hand_over(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Assign the case to a colleague."""
    study = in_scope(request, CASES, study_id)
    form = HandOverForm(request.POST, user=caller(request))
    if not form.is_valid():
        return render_case(request, study, status=400, hand_over_form=form)
    to = form.cleaned_data["colleague"]
    return _carry_out(
        request,
        study,
        lambda: assignment.assign(study, to, caller(request)),
        _("Case assigned to %(name)s.") % {"name": to},
    )


@require_POST
@requires(Action.VIEW_CASES)
def case_presence(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The beat of an open case page: notes that it is open, and answers who else has it open and whose it is.

    Whoever has a case open needs no notification of it any more. 204 where the page, by its field ``shown``, shows the
    line as it is.
    """
    study = in_scope(request, CASES.select_related("assigned_to"), study_id)
    presence.record_presence(study, caller(request))
    notifications.mark_read(caller(request), study_id=study.pk)
    context = assignment_context(study, caller(request))
    if request.POST.get("shown") == context["shown"]:
        return HttpResponse(status=204)
    return render(request, "analyses/case_page/_assignment_line.html", context)


@require_safe
@requires(Action.VIEW_CASES)
def case_next(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Go to the case that follows in the list as the doctor last looked at it."""
    study = in_scope(request, Study.objects.all(), study_id)
    query = QueryDict(mutable=True)
    query.update(dict(parse_qsl(request.session.get(SESSION_KEY, ""))))
    narrowed = CaseFilter(query, caller(request)).qs
    order = query.get("order") or worklist.DEFAULT_ORDER
    following, from_the_top = worklist.following(narrowed, order, caller(request), study.pk)
    if following is not None:
        if from_the_top:
            messages.info(request, _("End of the list. Continuing with the first open case."))
        return redirect("analyses:case", following)
    messages.info(request, _("This was the last open case in the list."))
    query["view"] = "all"
    return redirect(f"{reverse('analyses:case_list')}?{query.urlencode()}")


def assignment_context(study: Study, user: Any) -> dict[str, Any]:
    """What the line about the case's reader shows."""
    reader = study.assigned_to
    line = {
        "reader": reader,
        "is_mine": reader is not None and reader.pk == user.pk,
        "reader_left": reader is not None and assignment.has_left(reader, study),
        "others": presence.other_users_at([study.pk], user).get(study.pk, []),
        "is_signed": cases.is_signed(study),
    }
    said = "|".join([study.reading_state, get_language() or "", *(str(value) for value in line.values())])
    return line | {"study": study, "shown": hashlib.sha256(said.encode()).hexdigest()[:16]}


def _carry_out(request: HttpRequest, study: Study, write: Callable[[], object], done: str) -> HttpResponse:
    """Call a service; then back to the case, or its page with the refusal; htmx gets the line alone."""
    fragment = "HX-Request" in request.headers
    refusal = None
    try:
        write()
    except ServiceError as error:
        refusal = error
        study.refresh_from_db()
    if fragment:
        context = assignment_context(study, caller(request)) | {"refusal": refusal}
        return render(request, "analyses/case_page/_assignment_line.html", context)
    if refusal is not None:
        return render_case(request, study, status=refusal.status, refusal=refusal)
    messages.success(request, done)
    return redirect("analyses:case", study.pk)
