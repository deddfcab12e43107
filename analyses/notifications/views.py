"""What the doctor was told: the page, marking as read, and the choices that the account page shows."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Action, requires
from analyses.models import NotificationKind
from analyses.notifications import services as notification_services

PAGE_SIZE = 50
# ``{actor}`` did it; the sentence is the same whatever the model answered.
WORDS = {
    NotificationKind.ASSIGNED: _("{actor} assigned a case to you."),
    NotificationKind.TAKEN_OVER: _("{actor} took over your case."),
    NotificationKind.SECOND_ASKED: _("{actor} requests a second reading from you."),
    NotificationKind.SECOND_ANSWERED: _("{actor} completed the second reading."),
    NotificationKind.AMENDED: _("{actor} amended a case you have read."),
    NotificationKind.ANALYSIS_FAILED: _("The analysis of a film failed. The case can be read without the analysis."),
    NotificationKind.LATE_ANSWER: _(
        "A film was analysed after you signed its case. Compare its answer with your reading."
    ),
}


@require_safe
@requires(Action.READ_CASE)
def notifications(request: HttpRequest) -> HttpResponse:
    """The user's notifications, the newest first."""
    user: Any = request.user
    rows = notification_services.visible_to(user).select_related("study__patient", "actor")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    told: list[Any] = list(page.object_list)
    for row in told:
        row.words = str(WORDS[NotificationKind(row.kind)]).format(actor=row.actor or gettext("Somebody"))
    unread = notification_services.visible_to(user).unread().count()
    context = {"page_obj": page, "rows": told, "unread": unread}
    return render(request, "analyses/notifications/notifications.html", context)


@require_POST
@requires(Action.READ_CASE)
def notifications_read(request: HttpRequest) -> HttpResponse:
    """Mark all as read, or the one that ``id`` names."""
    user: Any = request.user
    wanted = request.POST.get("id", "")
    try:
        chosen = UUID(wanted) if wanted else None
    except ValueError:
        raise Http404 from None
    notification_services.mark_read(user, notification_id=chosen)
    return redirect("analyses:notifications")


@require_POST
@requires(Action.READ_CASE)
def notifications_choose(request: HttpRequest) -> HttpResponse:
    """Keep where the user wants to be told of each kind."""
    user: Any = request.user
    choices = {
        kind: (bool(request.POST.get(f"{kind}-portal")), bool(request.POST.get(f"{kind}-mail")))
        for kind in NotificationKind.values
    }
    notification_services.choose(user, choices)
    messages.success(request, gettext("Settings saved."))
    return redirect("accounts:profile")
