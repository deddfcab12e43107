"""What every page's shell shows: navigation by right, the model in force, the institution."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.permissions import Action, may
from accounts.services import portal_settings
from analyses.services.registry import shown_model

# label, URL name, right that shows it, access key
NAV: tuple[tuple[str, str, Action, str], ...] = (
    ("Cases", "analyses:case_list", Action.VIEW_CASES, "c"),
    ("Upload", "analyses:upload", Action.VIEW_CASES, "u"),
    ("Reports", "analyses:report_list", Action.DOWNLOAD_SIGNED_REPORTS, "r"),
    ("People", "accounts:people", Action.MANAGE_PEOPLE, "p"),
    ("Departments", "accounts:departments", Action.MANAGE_PEOPLE, ""),
    ("Models", "analyses:registry", Action.MANAGE_MODELS, ""),
    ("Trial", "analyses:trials", Action.RUN_TRIALS, ""),
    ("Settings", "accounts:settings", Action.MANAGE_SETTINGS, ""),
    ("Status", "analyses:status", Action.VIEW_STATUS, ""),
    ("Audit log", "accounts:audit_log", Action.VIEW_AUDIT_LOG, ""),
    ("API", "api:docs", Action.USE_API, ""),
    ("Model", "analyses:model", Action.VIEW_MODEL, "m"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of base.html: ``nav`` (label, url, key, active), ``shipped_model``, ``institution``."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"nav": [], "shipped_model": None}
    entries = [
        {"label": label, "url": reverse(name), "key": key, "active": request.path.startswith(reverse(name))}
        for label, name, action, key in NAV
        if may(user, action)
    ]
    return {"nav": entries, "shipped_model": shown_model(), "institution": portal_settings().institution_name}
