"""Filters of the worklist that a doctor saved: a name, filters and an order; one of them may be the default."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.errors import Conflict, invalid_field
from analyses.models import SavedFilter
from analyses.record.fields import is_plain_line

MAX_NAME, MAX_QUERY = 60, 400
MAX_FILTERS = 20


@transaction.atomic
def save_filter(user: User, *, name: str, query: str, is_default: bool) -> SavedFilter:
    """Save filters under a new name.

    Args:
        query: what ``filters.query_of`` made of a request; it holds no search words.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``too_many_views``.
    """
    mine = _locked(user)
    name = _free_name(mine, name)
    if len(query) > MAX_QUERY:
        message = _("These filters are too long to be saved. Remove some, then save.")
        raise invalid_field("query", message)
    if len(mine) >= MAX_FILTERS:
        raise Conflict(
            "too_many_views",
            _("You have %(number)s saved filters. Delete one first.") % {"number": MAX_FILTERS},
        )
    if is_default:
        _no_default(user)
    saved = SavedFilter.objects.create(user=user, name=name, query=query, is_default=is_default)
    audit.record("save_view", user=user, obj=saved)
    return saved


@transaction.atomic
def change_filter(saved: SavedFilter, *, name: str, is_default: bool) -> None:
    """Rename a filter, and make it the default or an ordinary one.

    Raises:
        Invalid: ``bad_field``.
    """
    saved.name = _free_name([other for other in _locked(saved.user) if other.pk != saved.pk], name)
    if is_default:
        _no_default(saved.user)
    saved.is_default = is_default
    saved.save(update_fields=["name", "is_default"])
    audit.record("change_view", user=saved.user, obj=saved)


@transaction.atomic
def delete_filter(saved: SavedFilter) -> None:
    """Delete a filter."""
    audit.record("delete_view", user=saved.user, obj=saved)
    saved.delete()


def _locked(user: User) -> list[SavedFilter]:
    """The user's filters, locked until the transaction ends; the user's row keeps two tabs from making one twice."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
    return list(SavedFilter.objects.filter(user=user))


def _no_default(user: User) -> None:
    SavedFilter.objects.filter(user=user, is_default=True).update(is_default=False)


def _free_name(others: list[SavedFilter], name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise invalid_field("name", _("Give the filter a name of at most %(most)s characters.") % {"most": MAX_NAME})
    if not is_plain_line(name):
        raise invalid_field("name", _("Control characters are not allowed."))
    if any(other.name.lower() == name.lower() for other in others):
        raise invalid_field("name", _("You have a filter of this name already. Choose another name."))
    return name
