"""What every page's shell shows: navigation by right, the active model, the institution."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from accounts.permissions import Action, may
from accounts.services import portal_settings
from analyses.models import ReaderStudy, ReaderStudyState
from analyses.notifications.services import visible_to
from analyses.pipeline import holds
from analyses.registry.services import shown_model
from analyses.registry.uses import all_uses

NOTIFICATIONS = _("Notifications")
# label, URL name, right that shows it, access key
NAV: tuple[tuple[Any, str, Action, str], ...] = (
    (_("Cases"), "analyses:case_list", Action.VIEW_CASES, "c"),
    (_("Upload"), "analyses:upload", Action.VIEW_CASES, "u"),
    (NOTIFICATIONS, "analyses:notifications", Action.READ_CASE, ""),
    (_("Reports"), "analyses:report_list", Action.DOWNLOAD_SIGNED_REPORTS, "r"),
    (_("Performance"), "analyses:performance", Action.VIEW_PERFORMANCE, ""),
    (_("Templates"), "analyses:reading_templates", Action.MANAGE_TEMPLATES, ""),
    (_("People"), "accounts:people", Action.MANAGE_PEOPLE, "p"),
    (_("Departments"), "accounts:departments", Action.MANAGE_PEOPLE, ""),
    (_("Models"), "analyses:registry", Action.MANAGE_MODELS, ""),
    (_("Site acceptance"), "analyses:acceptances", Action.ACCEPT_MODELS, ""),
    (_("Reader studies"), "analyses:reader_studies", Action.MANAGE_READER_STUDIES, ""),
    (_("Trial"), "analyses:trials", Action.RUN_TRIALS, ""),
    (_("Settings"), "accounts:settings", Action.MANAGE_SETTINGS, ""),
    (_("Drift"), "analyses:drift", Action.MANAGE_MODELS, ""),
    (_("Status"), "analyses:status", Action.VIEW_STATUS, ""),
    (_("Audit log"), "accounts:audit_log", Action.VIEW_AUDIT_LOG, ""),
    (_("API"), "api:docs", Action.USE_API, ""),
    (_("Model"), "analyses:model", Action.VIEW_MODEL, "m"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of base.html: ``nav`` (label, url, key, active, perhaps count), the model, its hold, the installation.

    A part of a page that shows no shell, as a poll brings it, asks the database for none of this.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"nav": [], "shipped_model": None}
    return {
        "nav": SimpleLazyObject(lambda: _nav(request)),
        "shipped_model": SimpleLazyObject(shown_model),
        "withheld_for_all": SimpleLazyObject(_withheld_for_all),
        "portal": SimpleLazyObject(portal_settings),
    }


def _nav(request: HttpRequest) -> list[dict[str, Any]]:
    user: Any = request.user
    entries: list[dict[str, Any]] = [
        {"label": label, "url": reverse(name), "key": key, "active": request.path.startswith(reverse(name))}
        for label, name, action, key in NAV
        if may(user, action)
    ]
    for entry in entries:
        if entry["label"] == NOTIFICATIONS:
            entry["count"] = visible_to(user).unread().count()
    if (studies := _assigned_studies(request)) is not None:
        entries.append(studies)
    return entries


def _withheld_for_all() -> list[str]:
    """What is withheld for all, in words; an empty word where there is only one model to speak of."""
    several = len(all_uses()) > 1
    return [use.label if several else "" for use in holds.shown_uses()]


def _assigned_studies(request: HttpRequest) -> dict[str, Any] | None:
    """The entry of a doctor who reads for a study; an administrator's own entry has the plain name already."""
    user: Any = request.user
    if not ReaderStudy.objects.for_user(user).filter(state=ReaderStudyState.OPEN).exists():
        return None
    url = reverse("analyses:assigned_reader_studies")
    label = _("My reader studies") if may(user, Action.MANAGE_READER_STUDIES) else _("Reader studies")
    return {"label": label, "url": url, "key": "", "active": request.path.startswith(url)}
