"""*The* table role x action. Everything that asks whether somebody may do something asks here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponseBase

from accounts.gate import record_refusal
from accounts.models import Role, User


class Action(models.TextChoices):
    """What can be done here, beyond signing in and managing the own account."""

    VIEW_CASES = "view_cases"  # list, search and open cases of the own department, with patient identity
    UPLOAD = "upload"  # put films into the record, add to a case
    EDIT_CASE = "edit_case"  # assign, reassign, confirm an identity, cancel, retry
    READ_CASE = "read_case"  # agree or overrule, write an impression, sign, add an addendum, refer
    MANAGE_TEMPLATES = "manage_templates"  # make, change and retire the reading templates of the own department
    EXPORT_CASES = "export_cases"  # the case list as CSV
    DOWNLOAD_ANY_REPORT = "download_any_report"  # also preliminary ones
    DOWNLOAD_SIGNED_REPORTS = "download_signed_reports"  # signed ones only, several as one archive
    USE_API = "use_api"
    OWN_TOKENS = "own_tokens"  # make and revoke tokens for oneself
    MANAGE_TOKENS = "manage_tokens"  # revoke anybody's tokens; make them for machines only
    MANAGE_PEOPLE = "manage_people"
    MANAGE_SETTINGS = "manage_settings"
    VIEW_STATUS = "view_status"
    VIEW_AUDIT_LOG = "view_audit_log"
    VIEW_MODEL = "view_model"
    MANAGE_MODELS = "manage_models"  # activate a version, roll back, compare; withhold for all, see drift
    ACCEPT_MODELS = "accept_models"  # try a model on a department's films, accept it there, take that back
    ENTER_OUTCOMES = "enter_outcomes"  # pathology or follow-up of a signed case, one by one or as CSV
    VIEW_PERFORMANCE = "view_performance"  # how model and readers did in the own department; export the rows behind it
    MANAGE_READER_STUDIES = "manage_reader_studies"  # set up, start, close and analyse; no patient identity
    RUN_TRIALS = "run_trials"  # start and close a trial, see its results once it is closed


A = Action
ALLOWED: dict[str, frozenset[Action]] = {
    Role.DOCTOR: frozenset(
        {
            A.VIEW_CASES,
            A.UPLOAD,
            A.EDIT_CASE,
            A.READ_CASE,
            A.MANAGE_TEMPLATES,
            A.EXPORT_CASES,
            A.DOWNLOAD_ANY_REPORT,
            A.DOWNLOAD_SIGNED_REPORTS,
            A.USE_API,
            A.OWN_TOKENS,
            A.VIEW_MODEL,
            A.ENTER_OUTCOMES,
            A.VIEW_PERFORMANCE,
        }
    ),
    Role.CLERK: frozenset({A.DOWNLOAD_SIGNED_REPORTS, A.VIEW_MODEL}),
    Role.API_CLIENT: frozenset({A.UPLOAD, A.USE_API, A.DOWNLOAD_ANY_REPORT, A.OWN_TOKENS, A.VIEW_MODEL}),
    Role.ADMINISTRATOR: frozenset(
        {
            A.MANAGE_PEOPLE,
            A.MANAGE_SETTINGS,
            A.MANAGE_TOKENS,
            A.MANAGE_MODELS,
            A.ACCEPT_MODELS,
            A.MANAGE_READER_STUDIES,
            A.RUN_TRIALS,
            A.VIEW_STATUS,
            A.VIEW_MODEL,
        }
    ),
    Role.AUDITOR: frozenset({A.VIEW_AUDIT_LOG, A.VIEW_MODEL}),
}


def may(user: User, action: Action) -> bool:
    """Whether any role of an active user allows the action."""
    return user.is_authenticated and user.is_active and any(action in ALLOWED[role] for role in user.roles)


def require(user: User, action: Action) -> None:
    """Raise PermissionDenied, and record it, when the user may not do this."""
    if not may(user, action):
        record_refusal(user, detail={"needs": action.value})
        raise PermissionDenied(f"Your account does not have the required permission ({action.value}).")


def requires(action: Action) -> Callable[..., Any]:
    """Decorate a page view: the signed-in user needs this right, else 403 and a line in the log."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request.user, action)  # type: ignore[arg-type]
            return view(request, *args, **kwargs)

        guarded.required_action = action  # type: ignore[attr-defined]
        return guarded

    return decorate
