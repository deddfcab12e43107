"""The full-screen viewer of a case: its films side by side, and the patient's other examinations beside them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.gate import in_scope
from accounts.permissions import Action, may, requires
from analyses.blinding.case_state import CaseState
from analyses.case_page.context import films_of
from analyses.models import Study
from analyses.record.cases import is_signed
from analyses.stored_words import body_part_words
from analyses.viewer.film_facts import film_facts

CASES = Study.objects.select_related("patient")
OVERLAYS = (("outline", _("Outline"), "O"), ("saliency", _("Saliency map"), "S"))
TOOLS = (
    ("length", _("Length"), "L"),
    ("angle", _("Angle"), "A"),
    ("rectangle", _("Rectangle"), "B"),
    ("ellipse", _("Ellipse"), "E"),
    ("freehand", _("Freehand"), "D"),
)
HELP = (
    (
        _("Navigate"),
        (
            (["+", "-"], _("zoom")),
            (["0"], _("fit film")),
            (["1"], "1:1"),
            ([_("arrows")], _("move the film")),
            (["R"], _("rotate by 90°")),
            (["H", "U"], _("flip horizontally, vertically")),
            (["M"], _("smooth or exact pixels above 1:1")),
            (["X"], _("reset")),
        ),
    ),
    (
        _("Window"),
        (
            (["W"], _("set the window by arrows or dragging")),
            (["P"], _("move the film by arrows or dragging")),
            (["[", "]"], _("previous, next preset")),
            (["I"], _("invert")),
            (["O", "S"], _("outline, saliency map")),
        ),
    ),
    (
        _("Measure"),
        (
            (["L", "A"], _("length, angle")),
            (["B", "E", "D"], _("rectangle, ellipse, freehand")),
            ([_("arrows")], _("move the crosshair; with Shift, ten steps")),
            ([_("Enter")], _("place a point")),
            ([_("Space")], _("close a freehand outline")),
            (["Esc"], _("leave the tool")),
        ),
    ),
    (
        _("Films"),
        (
            (["N", "J"], _("next, previous film")),
            (["C"], _("side by side")),
            (["K"], _("linked or independent")),
            (["T"], _("next pane")),
            (["Q"], _("back to the case")),
            (["?"], _("show keys")),
        ),
    ),
)
# Examinations of one patient that are offered for comparison, the newest ones.
OTHERS_SHOWN = 12


@require_safe
@requires(Action.VIEW_CASES)
def viewer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """All films of a case in order of arrival, whatever the model thinks of them; ``?film=`` chooses the first."""
    study = in_scope(request, CASES, study_id)
    user: Any = request.user
    state = CaseState(study, user)
    if state.to_begin:
        return redirect("analyses:case", study.pk)
    subject = study.record_number
    audit.record("view_case", user=user, obj=study, case_id=study.pk, subject=subject, detail={"page": "viewer"})
    others = other_examinations(study, Study.objects.for_user(user))
    groups = [
        films_for(state, gettext("This case")),
        *(films_for(CaseState(other, user), examined(other)) for other in others),
    ]
    films = [film for group in groups for film in group]
    context = {
        "study": study,
        "patient": study.patient,
        "films": films,
        "own_films": groups[0],
        "wanted": _wanted(request.GET.get("film", ""), groups[0]),
        "sees": state.sees_model,
        "signed": is_signed(study),
        "may_measure": may(user, Action.READ_CASE),
        "overlay_kinds": OVERLAYS,
        "measure_kinds": TOOLS,
        "help": HELP,
    }
    return render(request, "analyses/viewer/viewer.html", context)


def other_examinations(study: Study, mine: QuerySet[Study]) -> list[Study]:
    """The newest other cases of the same patient that the user may know of."""
    if study.patient_id is None:
        return []
    rows = mine.filter(patient_id=study.patient_id).exclude(pk=study.pk)
    return list(rows.order_by("-created_at", "id")[:OTHERS_SHOWN])


def films_for(state: CaseState, group: str) -> list[dict[str, Any]]:
    """The decoded films of one case as the viewer takes them, in order of arrival; none before a reading is begun."""
    found: list[dict[str, Any]] = []
    if state.to_begin:
        return found
    for film in sorted(films_of(state), key=lambda film: film.number):
        if film.image.canonical_file:
            case = reverse("analyses:case", args=[state.study.pk])
            found.append(film_facts(film.analysis, film.number, sees=state.sees_model) | {"group": group, "case": case})
    return found


def examined(study: Study) -> str:
    """Another examination in a few words: when, what, which side."""
    day = study.study_date or study.created_at.date()
    part = body_part_words(study.body_part_examined) or study.modality
    return ", ".join(
        word for word in (date_format(day, "SHORT_DATE_FORMAT"), part, study.get_laterality_display()) if word
    )


def _wanted(film: str, films: list[dict[str, Any]]) -> int:
    """The place of the film asked for, by the id of film or analysis; the first one without it."""
    places = (place for place, one in enumerate(films) if film in (one["image_id"], one["analysis_id"]))
    return next(places, 0)
