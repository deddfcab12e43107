"""The way in and the worklist with its waiting rows; the CSV export is in ``case_export``."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, may, requires
from analyses.answers.current import current_by_image
from analyses.answers.tasks import standing
from analyses.blinding.rules import hidden_cases, reads_first
from analyses.models import Analysis, Image, Outcome, ReadingState, SavedFilter, Study, Task
from analyses.pipeline import queue
from analyses.worklist import presence
from analyses.worklist import rows as worklist
from analyses.worklist.assignment import has_left
from analyses.worklist.filters import ASSIGNMENTS, CaseFilter, assignment, query_of

PAGE_SIZE = 50
# Where the next-case key looks what the doctor's list was.
SESSION_KEY = "worklist"
COLUMNS = (
    ("received", _("Waiting since")),
    ("record", _("Record")),
    ("study", _("Study")),
    ("examined", _("Examined")),
    ("reading", _("Reading")),
)
HOMES = (
    (Action.VIEW_CASES, "analyses:case_list"),
    (Action.DOWNLOAD_SIGNED_REPORTS, "analyses:report_list"),
    (Action.VIEW_STATUS, "analyses:status"),
    (Action.VIEW_AUDIT_LOG, "accounts:audit_log"),
    (Action.OWN_TOKENS, "accounts:tokens"),
)
# Filters that stand in the first row of the bar; the others open on demand.
FIRST_FILTERS = ("q", "outcome", "status", "body_part")
MORE_FILTERS = ("modality", "age", "sex", "received_from", "received_to")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Where this person's work begins."""
    for action, name in HOMES:
        if may(request.user, action):  # type: ignore[arg-type]
            return redirect(name)
    return redirect("accounts:profile")


@require_safe
@requires(Action.VIEW_CASES)
def case_list(request: HttpRequest) -> HttpResponse:
    """The worklist: tabs, search, filters, order, pages; without a question it answers the user's default filter."""
    user: Any = request.user
    saved_filters = list(SavedFilter.objects.filter(user=user))
    default = next((saved for saved in saved_filters if saved.is_default), None)
    if default is not None and not request.GET:
        return redirect(f"{reverse('analyses:case_list')}?{default.query or 'view=all'}")
    narrowed = CaseFilter(request.GET, user)
    order = request.GET.get("order") or worklist.DEFAULT_ORDER
    page = Paginator(worklist.ordered(narrowed.qs, order, user), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = completed(list(page.object_list), user)
    _record_listing(request, narrowed, page.paginator.count)
    _remember(request)
    context = {
        "filter": narrowed,
        "page_obj": page,
        "rows": rows,
        "waiting": [row.pk for row in rows if row.waiting],
        "columns": [_column(name, str(label), order) for name, label in COLUMNS],
        "priority": _column("priority", gettext("Second opinion"), order),
        "suspicion": _column("suspicion", gettext("Malignant"), order),
        "first_filters": [narrowed.form[name] for name in FIRST_FILTERS],
        "more_filters": [narrowed.form[name] for name in MORE_FILTERS],
        "more_is_open": any(request.GET.get(name) for name in MORE_FILTERS),
        "tabs": _tabs(narrowed, request.GET.get("reading", "")),
        "segments": _segments(narrowed, user, request.GET.get("assigned", "")),
        "reads_first": reads_first(user),
        "saved_filters": saved_filters,
        "query": query_of(request.GET),
        "is_narrowed": narrowed.is_narrowed(),
        "is_filtered": narrowed.is_narrowed(besides=("reading", "assigned")),
        **_totals(user),
    }
    return render(request, "analyses/worklist/list.html", context)


@require_safe
@requires(Action.VIEW_CASES)
def queue_rows(request: HttpRequest) -> HttpResponse:
    """The rows that were waiting when the list was drawn, as they stand now; the poll ends when none waits."""
    user: Any = request.user
    keys = [key for text in request.GET.getlist("id")[:PAGE_SIZE] if (key := _uuid(text))]
    rows = completed(list(worklist.listed(user).filter(pk__in=keys)), user)
    waiting = [row.pk for row in rows if row.waiting]
    return render(request, "analyses/worklist/_queue_rows.html", {"rows": rows, "waiting": waiting})


def completed(rows: list[Any], user: User) -> list[Any]:
    """Give every row what its line shows beside the case itself, with one query for each kind, and mask hidden answers.

    ``films``: how many; ``further``: the most suspicious answer to each task but the tumour's;
    ``waiting``: the unfinished analysis with its ``place`` in the queue, or None; ``others``: who else has the case
    open; ``reader_left``: whether who has the case cannot work on it any more.
    """
    keys = [row.pk for row in rows]
    counts = Image.objects.filter(study__in=keys).order_by().values_list("study").annotate(Count("id"))
    films, others, waiting = dict(counts), presence.other_users_at(keys, user), _waiting(keys)
    further = _further([row.pk for row in rows if not row.hidden])
    for row in worklist.masked(rows):
        row.further = further.get(row.pk, [])
        row.films = films.get(row.pk, 0)
        row.waiting = waiting.get(row.pk)
        row.others = others.get(row.pk, [])
        row.reader_left = row.assigned_to is not None and has_left(row.assigned_to, row)
    return rows


def _further(studies: list[UUID]) -> dict[UUID, list[Analysis]]:
    """The answer of each case to every task but the tumour's, where its films were asked any; one query."""
    rows = Analysis.objects.exclude(task=Task.TUMOUR).filter(image__study__in=studies).select_related("image")
    by_case: dict[tuple[UUID, str], list[Analysis]] = {}
    for row in rows.order_by("task", "-created_at", "id"):
        by_case.setdefault((row.image.study_id, row.task), []).append(row)
    found: dict[UUID, list[Analysis]] = {}
    for (study, _task), analyses in by_case.items():
        if (shown := standing(current_by_image(analyses).values())) is not None:
            found.setdefault(study, []).append(shown)
    return found


def _waiting(studies: list[UUID]) -> dict[UUID, Analysis]:
    """The unfinished analysis of each case that has one, with ``place`` in the queue (None when it runs)."""
    unfinished = Analysis.objects.of_task(Task.TUMOUR).unfinished().filter(image__study__in=studies)
    by_study: dict[UUID, Analysis] = {}
    waiting = list(unfinished.select_related("image").order_by("queued_at", "id"))
    places = queue.places_in_queue(waiting)
    for analysis in waiting:
        analysis.place = places.get(analysis.pk)
        by_study.setdefault(analysis.image.study_id, analysis)
    return by_study


def _record_listing(request: HttpRequest, narrowed: CaseFilter, count: int) -> None:
    words = narrowed.words
    audit.record(
        "search_cases" if words else "list_cases",
        user=request.user,  # type: ignore[arg-type]
        subject=words,
        detail={"rows": count, "filters": sorted(key for key in narrowed.filters if request.GET.get(key))},
    )


def _remember(request: HttpRequest) -> None:
    """Keep the list as it is asked for: the next-case key of a case page goes on in it."""
    query = query_of(request.GET, words=True)
    if request.session.get(SESSION_KEY) != query:
        request.session[SESSION_KEY] = query


def _totals(user: User) -> dict[str, int]:
    """Cases of the department; the unread ones; those of them that the user may know to be called malignant."""
    unread = Q(reading_state=ReadingState.UNREAD)
    return Study.objects.for_user(user).aggregate(
        total=Count("pk"),
        unread=Count("pk", filter=unread),
        above=Count("pk", filter=unread & Q(outcome=Outcome.MALIGNANT) & ~hidden_cases(user)),
    )


def _column(name: str, label: str, order: str) -> dict[str, str]:
    """A sortable head: the first click sorts new or high first, the second turns it round."""
    if name == "priority":
        return {"name": name, "label": label, "sorted": "ascending" if order == name else "", "next": name}
    descending_first = name in ("examined", "suspicion")
    now = {name: "ascending", f"-{name}": "descending"}.get(order, "")
    following = {"ascending": f"-{name}", "descending": name}.get(now, f"-{name}" if descending_first else name)
    return {"name": name, "label": label, "sorted": now, "next": following}


def _tabs(narrowed: CaseFilter, current: str) -> list[dict[str, Any]]:
    """One tab for each state, counted among what the other filters leave."""
    counts = narrowed.any_state.aggregate(
        all=Count("pk"), **{state: Count("pk", filter=Q(reading_state=state)) for state in ReadingState.values}
    )
    tabs = [{"value": "", "label": gettext("All"), "count": counts["all"], "active": not current}]
    for value, label in ReadingState.choices:
        tabs.append({"value": value, "label": capfirst(label), "count": counts[value], "active": current == value})
    return tabs


def _segments(narrowed: CaseFilter, user: User, current: str) -> list[dict[str, Any]]:
    """Everybody's cases, mine, nobody's, and those I am asked about, counted among what the other filters leave."""
    conditions = assignment(user)
    counts = narrowed.any_assignment.aggregate(
        all=Count("pk"), **{value: Count("pk", filter=condition) for value, condition in conditions.items()}
    )
    choices = (("", gettext("Everybody")), *ASSIGNMENTS)
    return [
        {"value": value, "label": label, "count": counts[value or "all"], "active": current == value}
        for value, label in choices
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
