"""Every change to people, departments and settings; each is one transaction with its line in the audit log."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from allauth.account.app_settings import PASSWORD_RESET_TOKEN_GENERATOR
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import audit, languages, sessions
from accounts.errors import Refused
from accounts.mail import mail_is_sent
from accounts.models import (
    Department,
    OperatingPointChoice,
    PortalSettings,
    ReadingMode,
    Role,
    RoleAssignment,
    UnacceptedAnswers,
    User,
)
from accounts.tokens import authenticate_token, create_token, revoke_all_of, revoke_token

__all__ = [
    "authenticate_token",
    "change_settings",
    "choose_operating_point",
    "choose_reading_mode",
    "choose_unaccepted_answers",
    "choose_waiting",
    "create_department",
    "create_person",
    "create_token",
    "deactivate",
    "edit_department",
    "edit_person",
    "mail_is_sent",
    "password_link",
    "portal_settings",
    "reactivate",
    "rename",
    "rename_department",
    "revoke_token",
    "send_password_link",
    "set_roles",
]

# They join and part letters of Persian and Indian scripts; nothing else that is not seen belongs to a name.
_JOINERS = {0x200C: None, 0x200D: None}
# Roles that mean nothing without a department, since it is the border of the record.
ROLES_OF_A_DEPARTMENT = frozenset({Role.DOCTOR, Role.CLERK, Role.API_CLIENT})


# --- people ---------------------------------------------------------------------------------------------------
@transaction.atomic
def create_person(
    *,
    email: str,
    name: str = "",
    title: str = "",
    roles: Iterable[str],
    department: Department | None,
    by: User | None,
    password: str | None = None,
) -> User:
    """Add an account; without a password nobody can sign in to it until a link has set one.

    Raises:
        Refused: ``bad_email``, ``email_taken``, ``bad_roles``, ``department_needed`` or ``bad_name``.
    """
    named = {"name": _name_line("name", name), "title": _name_line("title", title)}
    email = email.strip().lower()
    wanted = _checked_roles(roles, department)
    try:
        validate_email(email)
    except ValidationError as error:
        raise _refused("bad_email", "email", _("Enter an e-mail address.")) from error
    taken = _refused("email_taken", "email", _("An account with this address already exists."))
    if User.objects.filter(email=email).exists():
        raise taken
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, department=department, **named)
    except IntegrityError as error:
        raise taken from error
    RoleAssignment.objects.bulk_create([RoleAssignment(user=user, role=role) for role in sorted(wanted)])
    audit.record("person_created", user=by, obj=user, detail={"roles": sorted(wanted)})
    return user


@transaction.atomic
def set_roles(user: User, *, roles: Iterable[str], department: Department | None, by: User | None) -> None:
    """Give an account these roles and this department, and no others.

    Raises:
        Refused: ``bad_roles``, ``department_needed`` or ``last_administrator``.
    """
    _lock_administrators()
    user = User.objects.select_for_update().get(pk=user.pk)
    wanted, before = _checked_roles(roles, department), set(user.roles)
    if Role.ADMINISTRATOR in before - wanted:
        _refuse_if_last_administrator(user)
    department_id = department.pk if department else None
    if wanted == before and user.department_id == department_id:
        return
    detail: dict[str, Any] = {
        "added": sorted(wanted - before),
        "removed": sorted(before - wanted),
        "department_before": str(user.department_id or ""),
        "department_after": str(department_id or ""),
    }
    user.role_assignments.exclude(role__in=wanted).delete()
    RoleAssignment.objects.bulk_create([RoleAssignment(user=user, role=role) for role in sorted(wanted - before)])
    if user.department_id != department_id:
        # A token reads what its department's tokens posted: it must not move with its owner.
        detail["tokens_revoked"] = revoke_all_of(user, by=by)
        user.department = department
        user.save(update_fields=["department"])
    audit.record("role_changed", user=by, obj=user, detail=detail)


@transaction.atomic
def edit_person(
    user: User, *, name: str, title: str | None = None, roles: Iterable[str], department: Department | None, by: User
) -> None:
    """Change an account's name, roles and department together (``set_roles`` and ``rename`` name the refusals)."""
    set_roles(user, roles=roles, department=department, by=by)
    rename(user, name=name, title=title, by=by)


@transaction.atomic
def rename(user: User, *, name: str, title: str | None = None, by: User) -> None:
    """Change the name that is shown for an account, and the title before it in signatures; None leaves the title.

    Signatures that were given keep the words that they were given with.

    Raises:
        Refused: ``bad_name``.
    """
    values = {"name": _name_line("name", name)}
    if title is not None:
        values["title"] = _name_line("title", title)
    changed = User.objects.filter(pk=user.pk).exclude(**values).update(**values)
    for field, value in values.items():
        setattr(user, field, value)
    if changed:
        audit.record("person_renamed", user=by, obj=user)


def _name_line(field: str, text: str) -> str:
    """A name on one line, without characters that nobody sees or that turn the order of letters."""
    line = " ".join(text.split())
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") for letter in line.translate(_JOINERS)):
        raise _refused("bad_name", field, _("Enter a name without invisible or unassigned characters."))
    return line


@transaction.atomic
def deactivate(user: User, *, by: User | None) -> None:
    """Lock an account out at once: its sessions and tokens end with it.

    Raises:
        Refused: ``last_administrator``.
    """
    _lock_administrators()
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        return
    if user.has_role(Role.ADMINISTRATOR):
        _refuse_if_last_administrator(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    counts = {"sessions_ended": sessions.end_all_of(user), "tokens_revoked": revoke_all_of(user, by=by)}
    audit.record("person_deactivated", user=by, obj=user, detail=counts)


@transaction.atomic
def reactivate(user: User, *, by: User | None) -> None:
    """Let an account sign in again. Its old tokens stay revoked."""
    if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        audit.record("person_reactivated", user=by, obj=user)


def password_link(user: User) -> str:
    """A link, good for PASSWORD_RESET_TIMEOUT seconds, with which the owner of an account sets a password."""
    key = PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return settings.PUBLIC_URL + path


def send_password_link(user: User, *, by: User | None) -> str | None:
    """Mail a set-password link, or return it to be handed over where no mail server is set.

    Raises:
        Refused: ``inactive`` or ``mail_failed``.
    """
    if not user.is_active:
        raise Refused("inactive", _("Reactivate the account first."))
    link, by_mail = password_link(user), mail_is_sent()
    audit.record("password_link", user=by, obj=user, detail={"by_mail": by_mail})
    if not by_mail:
        return link
    minutes, contact = settings.PASSWORD_RESET_TIMEOUT // 60, portal_settings().contact
    # In the language of whoever gets it, not of the administrator who sends it.
    with translation.override(languages.language_of_user(user)):
        subject = _("BoneScan: set your password")
        text = render_to_string(
            "accounts/email/password_link.txt", {"link": link, "minutes": minutes, "contact": contact}
        )
    try:
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [user.email])
    except OSError as error:  # smtplib's errors are OSErrors too
        raise Refused("mail_failed", _("The mail server did not accept the message. Try again later.")) from error
    return None


def _checked_roles(roles: Iterable[str], department: Department | None) -> set[str]:
    wanted = {str(role) for role in roles}
    if not wanted or not wanted <= set(Role.values):
        raise _refused("bad_roles", "roles", _("Choose at least one role."))
    if wanted & ROLES_OF_A_DEPARTMENT and department is None:
        raise _refused("department_needed", "department", _("These roles need a department."))
    return wanted


def _refused(code: str, field: str, message: str) -> Refused:
    return Refused(code, message, fields={field: [message]})


def _lock_administrators() -> None:
    """Serialise changes to who administers, so that two cannot remove each other at the same moment."""
    rows = RoleAssignment.objects.select_for_update().filter(role=Role.ADMINISTRATOR).order_by("pk")
    list(rows.values_list("pk", flat=True))


def _refuse_if_last_administrator(user: User) -> None:
    others = User.objects.active().filter(role_assignments__role=Role.ADMINISTRATOR).exclude(pk=user.pk)
    if user.is_active and not others.exists():
        raise Refused("last_administrator", _("This is the last administrator. Give another person this role first."))


# --- departments and settings -----------------------------------------------------------------------------------
def create_department(*, name: str, by: User | None) -> Department:
    """Add a department.

    Raises:
        Refused: ``no_name`` or ``name_taken``.
    """
    name = _department_name(name)
    with transaction.atomic():
        department = Department.objects.create(name=name)
        audit.record("department_created", user=by, obj=department, department=department)
    return department


@transaction.atomic
def rename_department(department: Department, *, name: str, by: User | None) -> None:
    """Change what a department is called (``create_department`` names the refusals)."""
    department.name = _department_name(name, but=department)
    department.save(update_fields=["name"])
    audit.record("department_renamed", user=by, obj=department, department=department)


@transaction.atomic
def choose_operating_point(department: Department, *, operating_point: str, by: User | None) -> None:
    """Let the answers to a department's films be made at other cut-offs from now on.

    Raises:
        Refused: ``unknown_operating_point``.
    """
    if operating_point not in OperatingPointChoice.values:
        raise _refused("unknown_operating_point", "operating_point", _("Choose an entry from the list."))
    detail = _choose(department, "operating_point", operating_point)
    if detail:
        audit.record("operating_point_changed", user=by, obj=department, department=department, detail=detail)


@transaction.atomic
def choose_reading_mode(department: Department, *, reading_mode: str, by: User | None) -> None:
    """Decide when a department's doctors see the model's answer, from the next reading that is opened.

    Raises:
        Refused: ``unknown_reading_mode``.
    """
    if reading_mode not in ReadingMode.values:
        raise _refused("unknown_reading_mode", "reading_mode", _("Choose an entry from the list."))
    detail = _choose(department, "reading_mode", reading_mode)
    if detail:
        audit.record("reading_mode_changed", user=by, obj=department, department=department, detail=detail)


@transaction.atomic
def choose_waiting(department: Department, *, waits_for_answers: bool, by: User | None) -> None:
    """Decide whether a department's cases are read only once every film has its answer."""
    detail = _choose(department, "waits_for_answers", waits_for_answers)
    if detail:
        audit.record("waiting_changed", user=by, obj=department, department=department, detail=detail)


@transaction.atomic
def choose_unaccepted_answers(department: Department, *, unaccepted_answers: str, by: User | None) -> None:
    """Decide what becomes of answers of a model that the department has not accepted; of new ones from now on.

    Raises:
        Refused: ``unknown_choice``.
    """
    if unaccepted_answers not in UnacceptedAnswers.values:
        raise _refused("unknown_choice", "unaccepted_answers", _("Choose an entry from the list."))
    detail = _choose(department, "unaccepted_answers", unaccepted_answers)
    if detail:
        audit.record("unaccepted_answers_changed", user=by, obj=department, department=department, detail=detail)


def _choose(department: Department, field: str, value: str | bool) -> dict[str, str | bool]:
    """Write one choice of a department; return it with the one before, or nothing where it is the same."""
    before = getattr(Department.objects.select_for_update().get(pk=department.pk), field)
    if before == value:
        return {}
    setattr(department, field, value)
    department.save(update_fields=[field])
    return {"before": before, "after": value}


@transaction.atomic
def edit_department(
    department: Department,
    *,
    name: str,
    operating_point: str = "",
    reading_mode: str = "",
    unaccepted_answers: str = "",
    language: str = "",
    waits_for_answers: bool | None = None,
    by: User | None,
) -> None:
    """Change name and choices together, or nothing; a choice that is empty or None stays as it is."""
    if department.name != " ".join(name.split()):
        rename_department(department, name=name, by=by)
    if operating_point:
        choose_operating_point(department, operating_point=operating_point, by=by)
    if reading_mode:
        choose_reading_mode(department, reading_mode=reading_mode, by=by)
    if unaccepted_answers:
        choose_unaccepted_answers(department, unaccepted_answers=unaccepted_answers, by=by)
    if language:
        languages.choose_for_department(department, language=language, by=by)
    if waits_for_answers is not None:
        choose_waiting(department, waits_for_answers=waits_for_answers, by=by)


def _department_name(name: str, *, but: Department | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise _refused("no_name", "name", _("Enter a name."))
    others = Department.objects.exclude(pk=but.pk) if but else Department.objects.all()
    if others.filter(name__iexact=name).exists():
        raise _refused("name_taken", "name", _("A department with this name already exists."))
    return name


def portal_settings() -> PortalSettings:
    """The settings of this installation; the defaults until an administrator has saved some."""
    return PortalSettings.objects.filter(pk=1).first() or PortalSettings(pk=1)


@transaction.atomic
def change_settings(*, institution_name: str, contact: str, tumour_centre: str, by: User) -> PortalSettings:
    """Save the settings of this installation."""
    values = {"institution_name": institution_name, "contact": contact, "tumour_centre": tumour_centre}
    before = portal_settings()
    changed = sorted(field for field, value in values.items() if getattr(before, field) != value)
    saved, _made = PortalSettings.objects.update_or_create(pk=1, defaults=values)
    audit.record("settings_changed", user=by, obj=saved, detail={"changed": changed})
    return saved
