"""The views of the worklist that a doctor keeps: a name, filters and an order; one of them may be the default."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.errors import Conflict, invalid_field
from analyses.models import SavedView
from analyses.record.fields import is_plain_line

MAX_NAME, MAX_QUERY = 60, 400
MAX_VIEWS = 20


@transaction.atomic
def save_view(user: User, *, name: str, query: str, is_default: bool) -> SavedView:
    """Keep a view under a new name.

    Args:
        query: what ``views.filters.query_of`` made of a request; it holds no search words.

    Raises:
        Invalid: ``bad_field``.
        Conflict: ``too_many_views``.
    """
    mine = _held(user)
    name = _free_name(mine, name)
    if len(query) > MAX_QUERY:
        message = _("These filters are too long to be kept as a view. Take some away, then save.")
        raise invalid_field("query", message)
    if len(mine) >= MAX_VIEWS:
        raise Conflict(
            "too_many_views", _("You keep %(number)s views already. Delete one first.") % {"number": MAX_VIEWS}
        )
    if is_default:
        _no_default(user)
    view = SavedView.objects.create(user=user, name=name, query=query, is_default=is_default)
    audit.record("save_view", user=user, obj=view)
    return view


@transaction.atomic
def change_view(view: SavedView, *, name: str, is_default: bool) -> None:
    """Rename a view, and make it the default or an ordinary one.

    Raises:
        Invalid: ``bad_field``.
    """
    view.name = _free_name([other for other in _held(view.user) if other.pk != view.pk], name)
    if is_default:
        _no_default(view.user)
    view.is_default = is_default
    view.save(update_fields=["name", "is_default"])
    audit.record("change_view", user=view.user, obj=view)


@transaction.atomic
def delete_view(view: SavedView) -> None:
    """Forget a view."""
    audit.record("delete_view", user=view.user, obj=view)
    view.delete()


def _held(user: User) -> list[SavedView]:
    """The user's views, locked until the transaction ends; the user's row keeps two tabs from making one twice."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
    return list(SavedView.objects.filter(user=user))


def _no_default(user: User) -> None:
    SavedView.objects.filter(user=user, is_default=True).update(is_default=False)


def _free_name(others: list[SavedView], name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise invalid_field("name", _("Give the view a name of at most %(most)s characters.") % {"most": MAX_NAME})
    if not is_plain_line(name):
        raise invalid_field("name", _("Control characters are not allowed."))
    if any(other.name.lower() == name.lower() for other in others):
        raise invalid_field("name", _("You keep a view of this name already. Choose another name."))
    return name
