"""Choices of language: by a user for the pages, by a department for its reports and letters."""

from django.db import transaction

from accounts import audit
from accounts.errors import Refused
from accounts.models import Department, Language, User


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
        why = "Choose one of the list."
        raise Refused("unknown_language", why, fields={"language": [why]})
