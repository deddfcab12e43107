"""Choices of language: by a user for the pages, by a department for its reports and letters."""

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.errors import Refused
from accounts.models import Department, Language, User


def language_of_user(user: User) -> str:
    """The language in which a user reads: the own choice, else the department's, else the installation's."""
    department = user.department
    return user.language or (department.language if department else "") or settings.LANGUAGE_CODE


@transaction.atomic
def choose_for_user(user: User, *, language: str, by: User) -> None:
    """Show a user the pages in this language; empty: in the department's.

    Raises:
        Refused: ``unknown_language``.
    """
    if language:
        _check(language)
    if User.objects.filter(pk=user.pk).exclude(language=language).update(language=language):
        user.language = language
        audit.record("language_changed", user=by, obj=user, detail={"language": language})


@transaction.atomic
def choose_for_department(department: Department, *, language: str, by: User | None) -> None:
    """Write a department's reports and letters in this language from now on; issued ones stay as they are.

    Raises:
        Refused: ``unknown_language``.
    """
    _check(language)
    if Department.objects.filter(pk=department.pk).exclude(language=language).update(language=language):
        department.language = language
        audit.record("language_changed", user=by, obj=department, department=department, detail={"language": language})


def _check(language: str) -> None:
    if language not in Language.values:
        why = _("Choose an entry from the list.")
        raise Refused("unknown_language", why, fields={"language": [why]})
